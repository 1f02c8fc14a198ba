"""``inspect-cost zoo``: what models there are."""

from typing import Annotated

from cyclopts import Parameter

from inspect_cost.cli.output import OutputOptions
from inspect_cost.cli.terminal import OK


def zoo(*, writing: Annotated[OutputOptions | None, Parameter(name="*")] = None) -> int:
    """List the presets of the model zoo."""
    wanted = writing or OutputOptions()
    wanted.check()

    import model_zoo
    from inspect_cost.reports.results import Catalogue

    wanted.write(Catalogue(tuple(model_zoo.PRESETS.values())))
    return OK
