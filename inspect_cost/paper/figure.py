"""Figure 3 of the paper, recomputed: training and inference side by side."""

from matplotlib.figure import Figure

from inspect_cost.paper.fronts import INFERENCE, Front
from inspect_cost.paper.reproduction import Reproduction
from inspect_cost.pareto.figures import pareto_figure
from inspect_cost.pareto.geometry import Panel

#: Three panels fit across a page; the others are in the table.
SHOWN = ("params_printed", "params_exact")
LOSS = "1 - %MOS"


def figure_3(paper: Reproduction) -> Figure:
    """Training, inference by parameters as printed, as in the paper, and by exact ones."""
    training = Panel(paper.training.ranking, "Training", x_title="CO2e (kg)", y_title=LOSS)
    inference = [_inference(cost, paper.inference[cost]) for cost in SHOWN]
    return pareto_figure(training, *inference)


def _inference(cost: str, front: Front) -> Panel:
    name = INFERENCE[cost]
    return Panel(front.ranking, "Inference", x_title=name[:1].upper() + name[1:], y_title=LOSS)
