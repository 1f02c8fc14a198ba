"""Figure 3 of the paper, recomputed: training and inference side by side, and what changes it."""

from typing import Any

from matplotlib.figure import Figure

from inspect_cost.figures.fronts import draw_pareto
from inspect_cost.figures.geometry import Panel
from inspect_cost.paper.fronts import INFERENCE, Front
from inspect_cost.paper.results import Reproduction
from inspect_cost.ranking.objectives import get_objective

LOSS = "1 - %MOS"


def draw_figure_3(paper: Reproduction) -> Figure:
    """Draw training, then inference by printed parameters and by each other cost."""
    return draw_pareto(*make_panels(paper))


def draw_interactive_figure_3(paper: Reproduction) -> Any:
    """Draw the same figure to explore, as a chart of altair."""
    from inspect_cost.figures.interactive import draw_interactive  # noqa: PLC0415 - an extra

    return draw_interactive(*make_panels(paper))


def make_panels(paper: Reproduction) -> list[Panel]:
    """Return panels: quality against training emissions, then against each cost of inference."""
    training = Panel(paper.training.ranking, "Training", x_title="CO2e (kg)", y_title=LOSS)
    return [
        training,
        *(_make_inference_panel(cost, found) for cost, found in paper.inference.items()),
    ]


def _make_inference_panel(cost: str, front: Front) -> Panel:
    name, unit = INFERENCE[cost], get_objective(cost).unit
    title = name[:1].upper() + name[1:] + (f" ({unit})" if unit else "")
    return Panel(front.ranking, "Inference", x_title=title, y_title=LOSS)
