"""Choice of the figure that shows a ranking."""

from typing import Any

from inspect_cost.figures.saving import HTML
from inspect_cost.ranking.ranking import Ranking

#: Number of objectives of one pair of axes, and the largest of which all pairs are readable.
PLANE, MOST_FOR_PAIRS = 2, 4


def draw_ranking(ranking: Ranking, suffix: str = ".svg") -> Any:
    """Draw a ranking, for a file with that suffix.

    Two objectives make a front, three or four a matrix of pairs, more parallel coordinates; .html
    is interactive.
    """
    if suffix == HTML:
        from inspect_cost.figures.interactive import draw_interactive  # noqa: PLC0415 - an extra

        return draw_interactive(ranking)
    count = len(ranking.objectives)
    if count > MOST_FOR_PAIRS:
        from inspect_cost.figures.parallel import draw_parallel  # noqa: PLC0415 - slow to import

        return draw_parallel(ranking)
    if count > PLANE:
        from inspect_cost.figures.pairs import draw_pairs  # noqa: PLC0415 - slow to import

        return draw_pairs(ranking)
    from inspect_cost.figures.fronts import draw_pareto  # noqa: PLC0415 - slow to import

    return draw_pareto(ranking)
