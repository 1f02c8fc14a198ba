"""``inspect-cost zoo``: what models there are."""

import textwrap

from inspect_cost.cli.terminal import OK, write


def zoo() -> int:
    """List the presets of the model zoo."""
    import model_zoo

    for preset in model_zoo.PRESETS.values():
        lines = (
            f"{preset.title}: {preset.paper}",
            f"generates {preset.generates}, at {preset.sample_rate:,} Hz",
            f"{preset.params:,} parameters; published: {preset.reported_params}",
            f"deviations: {preset.deviations}",
        )
        indented = (
            textwrap.fill(line, 96, initial_indent="    ", subsequent_indent="        ")
            for line in lines
        )
        write("\n".join((preset.name, *indented)))
    return OK
