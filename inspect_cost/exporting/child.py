"""The fresh process that exports one call to ONNX: ``python -m ... JOB ANSWER``."""

import json
import pickle
import sys
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_unflatten

from inspect_cost.calls.target import Target
from inspect_cost.exporting.writing import write
from inspect_cost.measuring.backends import input_name, is_tensor
from inspect_cost.values.errors import CountError


class Call(nn.Module):
    """One call as a module whose forward takes its tensors, as the exporter wants it."""

    def __init__(self, target: Target) -> None:
        super().__init__()
        self.model, self._function = target.module, target.function
        self._leaves, self._structure = tree_flatten((target.args, target.kwargs))

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """The call's own."""
        return tuple(leaf for leaf in self._leaves if is_tensor(leaf))

    def forward(self, *tensors: Tensor) -> Any:
        """The call, with these in its tensors' places."""
        given = iter(tensors)
        leaves = [next(given) if is_tensor(leaf) else leaf for leaf in self._leaves]
        args, kwargs = tree_unflatten(leaves, self._structure)
        return self._function(*args, **kwargs)


def export(target: Target, path: Path) -> str:
    """Write the call as an ONNX file; why that cannot be, or ""."""
    call = Call(target).eval()
    names = [input_name(number) for number, _ in enumerate(call.tensors)]
    try:
        write(call, call.tensors, {}, path, names)
    except CountError as error:
        return str(error).partition("\n")[0]
    return ""


def main() -> None:
    """Read the job, do it, write the answer."""
    job, answer = map(Path, sys.argv[1:])
    # Made by the process that started this one, in a folder that only its user can write.
    make, path = pickle.loads(job.read_bytes())  # noqa: S301
    error = export(make(), path)
    answer.write_text(json.dumps({"error": error}))


if __name__ == "__main__":
    main()
