"""Matrices of pairs: a figure of three or four objectives."""

from itertools import combinations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from inspect_cost.figures.fronts import draw_and_label, draw_growing
from inspect_cost.figures.geometry import Panel
from inspect_cost.figures.style import create_figure
from inspect_cost.ranking.ranking import Ranking

CELL_INCHES = 2.5


def draw_pairs(ranking: Ranking) -> Figure:
    """Draw a matrix of all pairs of objectives; points of the first front are coloured."""
    return draw_growing(lambda size, last: _draw_matrix(ranking, size, last=last))


def _draw_matrix(ranking: Ranking, size: float, *, last: bool) -> tuple[Figure, bool]:
    count = len(ranking.objectives) - 1
    figure = create_figure(CELL_INCHES * count * size, (CELL_INCHES * count + 0.3) * size)
    grid = figure.subplots(count, count, squeeze=False)
    cells: list[tuple[Axes, Panel]] = [
        (grid[y - 1, x], Panel(ranking, x=x, y=y, steps=False))
        for x, y in combinations(range(count + 1), 2)
    ]
    for row, column in combinations(range(count), 2):
        grid[row, column].set_axis_off()
    return figure, draw_and_label(figure, cells, {"loc": "upper right"}, last=last)
