"""``inspect-cost zoo``: the presets."""

from inspect_cost.cli.output import OutputOptions
from inspect_cost.cli.terminal import OK


def zoo(*, output: OutputOptions = OutputOptions()) -> int:
    """List the presets of the model zoo."""
    output.check()

    import model_zoo
    from inspect_cost.reports.results import Catalogue

    output.write(Catalogue(tuple(model_zoo.PRESETS.values())))
    return OK
