"""``inspect-cost export``: a model as an ONNX file."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from inspect_cost.cli.arguments import Seed
from inspect_cost.cli.subjects import SubjectOptions
from inspect_cost.cli.terminal import FAILED, OK, check_writable, end_sentence, log, warn
from inspect_cost.values.errors import MismatchError


def export(
    model: str,
    /,
    *,
    output: Annotated[Path, Parameter(name=["--output", "-o"])],
    subject: SubjectOptions = SubjectOptions(),
    weights: Path | None = None,
    seed: Annotated[int, Seed] = 0,
) -> int:
    """Export a model as an ONNX file, checked in onnxruntime against torch.

    Parameters
    ----------
    model
        Preset, package.module:ClassOrFactory, or path/to/file.py:ClassOrFactory.
    output
        ONNX file to write; weights of more than 1.5 GB go into a file beside it.
    weights
        Checkpoint of a preset, as for generate; random weights unless given.
    seed
        Seed of the random weights and of the inputs that outputs are compared for.
    """
    check_writable(output)
    target = subject.resolve(model)

    log(f"exporting {model}: half a minute, or two for thousands of operators (flowavenet).")
    try:
        done = target.export(target.phases[0], output, weights=weights, seed=seed)
    except MismatchError as error:
        warn(end_sentence(str(error)), error.advice)
        return FAILED
    files = " and ".join(map(str, done.files))
    log(f"wrote {files}: {done.note}.")
    log(f"onnxruntime's outputs differ from torch's by {done.difference:.1e} of the largest.")
    return OK
