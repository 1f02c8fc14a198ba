"""Pareto ranking as its definition says, in loops; less is better."""

from collections.abc import Sequence

Row = Sequence[float]


def dominates(winner: Row, loser: Row) -> bool:
    pairs = list(zip(winner, loser, strict=True))
    return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)


def ranks(rows: Sequence[Row]) -> list[int]:
    """Peel one front after another."""
    rank = dict.fromkeys(range(len(rows)), -1)
    left, front = set(rank), 0
    while left:
        best = {i for i in left if not any(dominates(rows[j], rows[i]) for j in left)}
        rank.update(dict.fromkeys(best, front))
        left, front = left - best, front + 1
    return list(rank.values())


def volume(rows: Sequence[Row], reference: Row) -> int:
    """Unit cells below the reference that some whole-numbered row dominates."""
    cells: list[tuple[int, ...]] = [()]
    for end in reference:
        cells = [(*cell, n) for cell in cells for n in range(int(end))]
    return sum(
        any(all(a <= c for a, c in zip(r, cell, strict=True)) for r in rows) for cell in cells
    )
