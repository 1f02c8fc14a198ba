"""Matrices of pairs: a figure of three or four objectives."""

from itertools import combinations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from inspect_cost.figures.fronts import drawn_and_named, grown
from inspect_cost.figures.geometry import Panel
from inspect_cost.figures.style import empty_figure
from inspect_cost.ranking.ranking import Ranking

CELL_INCHES = 2.5


def pairs_figure(ranking: Ranking) -> Figure:
    """A matrix of all pairs of objectives; points of the first front are coloured."""
    return grown(lambda size, last: _pairs(ranking, size, last=last))


def _pairs(ranking: Ranking, size: float, *, last: bool) -> tuple[Figure, bool]:
    count = len(ranking.objectives) - 1
    figure = empty_figure(CELL_INCHES * count * size, (CELL_INCHES * count + 0.3) * size)
    grid = figure.subplots(count, count, squeeze=False)
    cells: list[tuple[Axes, Panel]] = [
        (grid[y - 1, x], Panel(ranking, x=x, y=y, steps=False))
        for x, y in combinations(range(count + 1), 2)
    ]
    for row, column in combinations(range(count), 2):
        grid[row, column].set_axis_off()
    return figure, drawn_and_named(figure, cells, {"loc": "upper right"}, last=last)
