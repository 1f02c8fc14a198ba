"""``inspect-cost export``: a model as an ONNX file."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from inspect_cost.cli.arguments import Whole, named_preset, parsed_option, parsed_setting
from inspect_cost.cli.terminal import FAILED, OK, check_writable, complain, ended, say
from inspect_cost.values.errors import MismatchError, UsageError


def export(
    model: str,
    /,
    *,
    output: Annotated[Path, Parameter(name=["--output", "-o"])],
    input_len: Annotated[str | None, Parameter(name="--input-len")] = None,
    inputs: Annotated[list[str] | None, Parameter(name="--input", negative="")] = None,
    settings: Annotated[list[str] | None, Parameter(name="--set", negative="")] = None,
    weights: Path | None = None,
    seed: Annotated[int, Whole] = 0,
) -> int:
    """Write a model as an ONNX file, after comparing its outputs with torch's in onnxruntime.

    Parameters
    ----------
    model
        A preset's name, package.module:ClassOrFactory, or path/to/file.py:ClassOrFactory.
    output
        The ONNX file to write; weights beyond 1.5 GB go into a file beside it.
    input_len
        Samples that the exported graph generates, or the L in a shape.
    inputs
        [name=]SHAPE[:dtype] of an input of your own model; repeat it for several.
    settings
        NAME=VALUE: a preset's setting to differ from the published one; repeat it for several.
    weights
        A preset's checkpoint, as for generate; random unless given.
    seed
        Of the random weights, and of the inputs that the comparison runs on.
    """
    length = parsed_option("--input-len", input_len)
    own = ":" in model
    preset = None if own else named_preset(model)
    overrides = dict(map(parsed_setting, settings or []))
    if own and (settings or weights):
        raise UsageError(
            "--set and --weights are for presets of the zoo", "Do it in your factory instead."
        )
    if not own and inputs:
        raise UsageError(f"{model} makes its own inputs", "Give --input-len, and no --input.")
    check_writable(output)

    from inspect_cost.calls import inputs as specs
    from inspect_cost.exporting import onnx as exporting

    say(f"exporting {model}: half a minute, or two for thousands of operators (flowavenet).")
    try:
        if preset:
            done = exporting.export_preset(
                preset, output, length, weights=weights, settings=overrides, seed=seed
            )
        else:
            shapes = [specs.parsed_input(text) for text in inputs or []]
            done = exporting.export_model(model, output, shapes, length)
    except MismatchError as error:
        complain(ended(str(error)), error.advice)
        return FAILED
    files = " and ".join(map(str, done.files))
    say(f"wrote {files}: {done.note}.")
    say(f"onnxruntime's outputs differ from torch's by {done.difference:.1e} of the largest.")
    return OK
