"""Names in a sentence."""

from collections.abc import Sequence


def name_some(names: Sequence[str], most: int) -> str:
    """Return the first names of many, and how many more there are.

    >>> name_some(["a", "b", "c", "d"], most=2)
    'a, b and 2 more'
    """
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more}"
