"""``inspect-cost MODEL``, the main job."""

import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from inspect_cost.cli.arguments import (
    Flag,
    check_inputs_and_settings,
    named_preset,
    parsed_option,
    parsed_setting,
)
from inspect_cost.cli.terminal import FAILED, OK, check_writable, complain, write


def inspect(
    model: str,
    /,
    *,
    input_len: Annotated[str | None, Parameter(name="--input-len")] = None,
    inputs: Annotated[list[str] | None, Parameter(name="--input", negative="")] = None,
    settings: Annotated[list[str] | None, Parameter(name="--set", negative="")] = None,
    depth: int = 2,
    exact: Annotated[bool, Flag] = False,
    format: Literal["table", "json"] = "table",  # noqa: A002 - the option's name
    output: Annotated[Path | None, Parameter(name=["--output", "-o"])] = None,
    no_measure: Annotated[bool, Flag] = False,
    strict: Annotated[bool, Flag] = False,
) -> int:
    """Count what one inference of a model costs.

    Parameters
    ----------
    model
        A preset's name, package.module:ClassOrFactory, or path/to/file.py:ClassOrFactory.
    input_len
        Samples to generate (a preset: one second unless given), or the L in a shape.
    inputs
        [name=]SHAPE[:dtype] of an input of your own model; repeat it for several.
    settings
        NAME=VALUE: a preset's setting to differ from the published one; repeat it for several.
    depth
        Levels of the module tree to show.
    exact
        Whole numbers in the module tree, instead of SI prefixes.
    format
        What to write: a table to read, or JSON with everything in it.
    output
        File to write to, instead of standard output.
    no_measure
        Only count; never run the model to measure it.
    strict
        Exit with 1 if any operator has no known cost.
    """
    del no_measure  # a promise that already holds: this version only counts
    check_writable(output)
    report = inspected(model, input_len, inputs or [], settings or [])

    from inspect_cost.reports import RENDERERS, View

    to_screen = output is None and sys.stdout.isatty()
    color = to_screen and "NO_COLOR" not in os.environ
    width = shutil.get_terminal_size((100, 24)).columns if to_screen else 100
    view = View(depth=depth, exact=exact, width=width, color=color)
    write(RENDERERS[format](report, view), output)
    if report.count.uncounted and strict:
        complain(f"uncounted under --strict: {', '.join(report.count.uncounted)}.")
        return FAILED
    return OK


def inspected(
    model: str, input_len: str | None, inputs: Sequence[str], settings: Sequence[str]
) -> Any:
    """The report on a preset or on a user's own model."""
    length = parsed_option("--input-len", input_len)
    own = ":" in model
    preset = None if own else named_preset(model)
    check_inputs_and_settings(model, inputs, settings)
    overrides = dict(map(parsed_setting, settings))
    with without_garbage_collection():
        from inspect_cost import inputs as specs
        from inspect_cost import inspection

        if preset:
            return inspection.inspected_preset(preset, length, overrides)
        return inspection.inspected_model(model, [specs.parsed_input(i) for i in inputs], length)


@contextmanager
def without_garbage_collection() -> Iterator[None]:
    """No search for cyclic garbage meanwhile: a count makes next to none, and each walks torch."""
    import gc

    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
