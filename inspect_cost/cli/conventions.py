"""``inspect-cost conventions``: the meaning of every number."""

from inspect_cost.cli.output import OutputOptions
from inspect_cost.cli.terminal import OK
from inspect_cost.values.conventions import CONVENTIONS


def conventions(*, output: OutputOptions = OutputOptions()) -> int:
    """Explain what each number means."""
    output.check()

    from inspect_cost.reports.results import Conventions

    output.write(Conventions(CONVENTIONS))
    return OK
