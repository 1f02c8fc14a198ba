"""``inspect-cost export``: a model as an ONNX file."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from inspect_cost.cli.arguments import Whole
from inspect_cost.cli.subjects import SubjectOptions
from inspect_cost.cli.terminal import FAILED, OK, check_writable, complain, ended, say
from inspect_cost.values.errors import MismatchError


def export(
    model: str,
    /,
    *,
    output: Annotated[Path, Parameter(name=["--output", "-o"])],
    subject: Annotated[SubjectOptions | None, Parameter(name="*")] = None,
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
    weights
        A preset's checkpoint, as for generate; random unless given.
    seed
        Of the random weights, and of the inputs that the comparison runs on.
    """
    check_writable(output)
    named = (subject or SubjectOptions()).resolve(model)

    say(f"exporting {model}: half a minute, or two for thousands of operators (flowavenet).")
    try:
        done = named.export(named.phases[0], output, weights=weights, seed=seed)
    except MismatchError as error:
        complain(ended(str(error)), error.advice)
        return FAILED
    files = " and ".join(map(str, done.files))
    say(f"wrote {files}: {done.note}.")
    say(f"onnxruntime's outputs differ from torch's by {done.difference:.1e} of the largest.")
    return OK
