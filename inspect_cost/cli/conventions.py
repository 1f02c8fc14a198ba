"""``inspect-cost conventions``: what the numbers mean."""

import textwrap

from inspect_cost.cli.terminal import OK, write
from inspect_cost.values.conventions import CONVENTIONS


def conventions() -> int:
    """Print what each number means."""
    for topic, text in CONVENTIONS.items():
        write(
            f"{topic}\n" + textwrap.fill(text, 92, initial_indent="    ", subsequent_indent="    ")
        )
    return OK
