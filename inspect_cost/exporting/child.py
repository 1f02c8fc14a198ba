"""The fresh process that exports one call to ONNX: ``python -m ... JOB ANSWER``."""

import json
import pickle
import sys
from collections.abc import Sequence
from pathlib import Path

from inspect_cost.calls.call import Call, eval_mode
from inspect_cost.exporting.writing import make_traceable, write_onnx
from inspect_cost.values.errors import InspectCostError, one_line


def try_export(call: Call, path: Path, input_names: Sequence[str]) -> str:
    """Write a call as an ONNX file; return why that cannot be done, or ""."""
    try:
        traceable = make_traceable(call, input_names)
        with eval_mode(traceable.module):
            write_onnx(traceable, path)
    except InspectCostError as error:
        return one_line(error)
    return ""


def main() -> None:
    """Read the job, do it, write the answer."""
    job, answer = map(Path, sys.argv[1:])
    # Made by the process that started this one, in a folder that only its user can write.
    make, path, input_names = pickle.loads(job.read_bytes())  # noqa: S301
    error = try_export(make(), path, input_names)
    answer.write_text(json.dumps({"error": error}, allow_nan=False))


if __name__ == "__main__":
    main()
