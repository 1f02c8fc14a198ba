"""``inspect-cost crosscheck``: other counters on the same call, and why they differ."""

from collections.abc import Sequence
from typing import Annotated, Any

from cyclopts import Parameter

from inspect_cost.cli.arguments import (
    Flag,
    check_inputs_and_settings,
    named_preset,
    parsed_option,
    parsed_setting,
)
from inspect_cost.cli.output import OutputOptions
from inspect_cost.cli.terminal import FAILED, OK, complain, progress_bar
from inspect_cost.values.errors import UsageError


def crosscheck(
    model: str,
    /,
    *,
    input_len: Annotated[str | None, Parameter(name="--input-len")] = None,
    inputs: Annotated[list[str] | None, Parameter(name="--input", negative="")] = None,
    settings: Annotated[list[str] | None, Parameter(name="--set", negative="")] = None,
    timeout: float = 120.0,
    writing: Annotated[OutputOptions | None, Parameter(name="*")] = None,
    strict: Annotated[bool, Flag] = False,
) -> int:
    """Count with fvcore, thop, FlopCounterMode and through ONNX too, and explain the differences.

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
    timeout
        Seconds that each of the other counters may take.
    strict
        Exit with 1 if any part of a difference has no explanation.
    """
    if not 0 < timeout < float("inf"):
        raise UsageError(f"--timeout {timeout:g} is no time limit", "Give seconds, such as 60.")
    wanted = writing or OutputOptions()
    wanted.check()
    check = checked(model, input_len, inputs or [], settings or [], timeout)

    wanted.write(check)
    if check.unexplained and strict:
        complain(f"unexplained under --strict: {', '.join(check.unexplained)}.")
        return FAILED
    return OK


def checked(
    model: str,
    input_len: str | None,
    inputs: Sequence[str],
    settings: Sequence[str],
    timeout: float,
) -> Any:
    """The cross-check of a preset or of a user's own model."""
    length = parsed_option("--input-len", input_len)
    own = ":" in model
    preset = None if own else named_preset(model)
    check_inputs_and_settings(model, inputs, settings)
    overrides = dict(map(parsed_setting, settings))

    from inspect_cost.calls import inputs as specs
    from inspect_cost.subjects import crossinspection

    with progress_bar(f"counting {model} with others") as progress:
        if preset:
            return crossinspection.crosschecked_preset(preset, length, overrides, timeout, progress)
        parsed = [specs.parsed_input(text) for text in inputs]
        return crossinspection.crosschecked_model(model, parsed, length, timeout, progress)
