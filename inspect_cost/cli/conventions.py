"""``inspect-cost conventions``: what the numbers mean."""

from typing import Annotated

from cyclopts import Parameter

from inspect_cost.cli.output import OutputOptions
from inspect_cost.cli.terminal import OK
from inspect_cost.values.conventions import CONVENTIONS


def conventions(*, writing: Annotated[OutputOptions | None, Parameter(name="*")] = None) -> int:
    """Print what each number means."""
    wanted = writing or OutputOptions()
    wanted.check()

    from inspect_cost.reports.results import Conventions

    wanted.write(Conventions(CONVENTIONS))
    return OK
