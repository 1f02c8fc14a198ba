"""Writing calls as ONNX files, each run beside the model itself before it is kept."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from inspect_cost.calls.call import Call, eval_mode
from inspect_cost.exporting.verify import check_against_torch, run_by_torch
from inspect_cost.exporting.writing import make_traceable, write_onnx


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        files: the ONNX file, and that of its weights if they are apart.
        difference: largest difference between the outputs of torch and of onnxruntime, relative to
            the largest output.
        note: contents of the file, in words.
    """

    files: tuple[Path, ...]
    difference: float
    note: str


def export_call(
    call: Call, output: Path, note: str = "", input_names: Sequence[str] | None = None
) -> Exported:
    """Export a call, compare the graph's outputs with torch's, and only then put it in its place.

    Args:
        call: what is exported; its tensors become the graph's inputs, all else is fixed.
        output: the file to write.
        note: contents of the file, in words.
        input_names: names of the graph's inputs, in the order of the call's tensors; those of the
            parameters unless given.

    Raises:
        UsageError: something in the call has no values.
        CountError: the call fails, or the exporter cannot do it.
        MismatchError: the graph computes something else, and was not kept.
    """
    traceable = make_traceable(call, input_names)
    with (
        eval_mode(traceable.module),
        tempfile.TemporaryDirectory(dir=output.resolve().parent, prefix=".export-") as folder,
    ):
        expected = run_by_torch(traceable)
        draft = Path(folder) / output.name
        write_onnx(traceable, draft)
        difference = check_against_torch(draft, traceable, expected)
        files = _move_files(Path(folder), output.parent)
    return Exported(files, difference, note)


def _move_files(source: Path, target: Path) -> tuple[Path, ...]:
    names = sorted(path.name for path in source.iterdir())
    return tuple((source / name).replace(target / name) for name in names)
