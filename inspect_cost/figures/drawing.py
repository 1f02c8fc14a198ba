"""Which figure shows a ranking."""

from typing import Any

from inspect_cost.figures.saving import HTML
from inspect_cost.ranking.ranking import Ranking

#: Up to so many objectives, all their pairs are readable.
PLANE, MOST_FOR_PAIRS = 2, 4


def ranking_figure(ranking: Ranking, suffix: str = ".svg") -> Any:
    """A figure of a ranking, for a file that ends so.

    Two objectives make a front, three or four a matrix of pairs, more parallel coordinates; .html
    is interactive.
    """
    if suffix == HTML:
        from inspect_cost.figures.interactive import interactive_figure  # noqa: PLC0415 - an extra

        return interactive_figure(ranking)
    count = len(ranking.objectives)
    if count > MOST_FOR_PAIRS:
        from inspect_cost.figures.parallel import parallel_figure  # noqa: PLC0415 - slow to import

        return parallel_figure(ranking)
    if count > PLANE:
        from inspect_cost.figures.pairs import pairs_figure  # noqa: PLC0415 - slow to import

        return pairs_figure(ranking)
    from inspect_cost.figures.fronts import pareto_figure  # noqa: PLC0415 - slow to import

    return pareto_figure(ranking)
