"""Whether a count agrees with what is published, and if not, why."""

from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from enum import StrEnum

from published.row import Row

MILLION = 10**6
#: Multiply-accumulates in one of a table's units.
UNITS = {"GMAC": 10**9, "GFLOP": 10**9 // 2}
#: Decimals of a table's numbers in millions or 10^9, also where it leaves out a final 0.
DECIMALS = 2
NEAR = 0.005


class Verdict(StrEnum):
    """What came of one row."""

    EQUAL = "equal to the last digit"
    EXPLAINED = "equal to the last digit by the table's own conventions"
    NEAR = "within 0.5 %"
    OTHER = "of a model with other parameters"
    UNEXPLAINED = "unexplained"
    SKIPPED = "not counted"


def judge(row: Row) -> Verdict:
    """Compare the MACs of one row."""
    counted, total, unit = row.counted, row.published.total, UNITS[row.published.unit]
    if counted.error:
        return Verdict.SKIPPED
    if agrees(counted.macs, total, unit):
        return Verdict.EQUAL
    theirs = counted.macs + sum(counted.differences.values())
    if agrees(theirs, total, unit):
        return Verdict.EXPLAINED
    if not has_equal_params(row):
        return Verdict.OTHER
    near = abs(counted.macs / unit / float(total) - 1) <= NEAR
    return Verdict.NEAR if near else Verdict.UNEXPLAINED


def list_causes(row: Row) -> tuple[str, ...]:
    """Return why a row's published MACs are others, the largest part first, if they are."""
    if judge(row) is not Verdict.EXPLAINED:
        return ()
    parts = sorted(row.counted.differences.items(), key=lambda part: -abs(part[1]))
    return tuple(cause for cause, _difference in parts)


def has_equal_params(row: Row) -> bool:
    """Return whether the published parameters are those that were counted."""
    params = row.published.params
    unit = MILLION if "." in params else 1
    return bool(row.counted.error) or agrees(row.counted.params, params, unit)


def agrees(number: int, published: str, unit: int) -> bool:
    """Return whether a number, rounded as the published one is, is the same.

    Args:
        number: what was counted.
        published: what is published, in units; "" agrees with anything.
        unit: what the published number is in.
    """
    if not published:
        return True
    decimals = max(DECIMALS, -int(Decimal(published).as_tuple().exponent)) if unit > 1 else 0
    half = Decimal(1).scaleb(-decimals) / 2
    return abs(Decimal(number) / unit - Decimal(published)) <= half


def count_verdicts(rows: Iterable[Row]) -> Counter[Verdict]:
    """Return how many rows got each verdict."""
    return Counter(judge(row) for row in rows)


def count_causes(rows: Iterable[Row]) -> Counter[str]:
    """Return the causes of explained differences -> how many rows they are part of."""
    return Counter(cause for row in rows for cause in list_causes(row))
