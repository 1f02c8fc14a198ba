"""Progress: how far a long computation is, for whoever wants to show it."""

from collections.abc import Callable

#: Called with the share that is done, from 0 to 1.
Progress = Callable[[float], None]


def ignore_progress(_done: float) -> None:
    """Show nothing."""
