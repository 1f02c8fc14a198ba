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
    if count > PLANE:
        from inspect_cost.figures import many  # noqa: PLC0415 - none of this when not drawn

        draw = many.pairs_figure if count <= MOST_FOR_PAIRS else many.parallel_figure
        return draw(ranking)
    from inspect_cost.figures.fronts import pareto_figure  # noqa: PLC0415 - see above

    return pareto_figure(ranking)
