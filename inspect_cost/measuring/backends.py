"""The same call by other means: compiled by torch, or exported and run by onnxruntime."""

import logging
import os
import shutil
import warnings
from collections.abc import Callable, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_leaves, tree_unflatten

from inspect_cost.errors import MeasurementError
from inspect_cost.measuring.target import Target

if TYPE_CHECKING:
    from collections.abc import Iterator

CPP_COMPILERS = ("g++", "clang++", "c++", "cl")


def eager(target: Target, threads: int | None) -> Target:
    """As it is written."""
    del threads
    return target


def compiled(target: Target, threads: int | None) -> Target:
    """By `torch.compile`; the compiling itself happens here, not in the windows.

    Raises:
        MeasurementError: there is no C++ compiler, or it cannot be compiled.
    """
    if target.device.type == "cpu" and not _cpp_compiler():
        raise MeasurementError("torch.compile needs a C++ compiler, and none is here: install g++")
    with _quiet():
        torch.compiler.reset()
        ready = replace(target, function=torch.compile(target.function))
        with ready.inference(threads):
            _tried(ready, "torch.compile")
    return ready


def with_onnxruntime(target: Target, threads: int | None) -> Target:
    """Exported to ONNX, then run by onnxruntime on its CPU or CUDA provider.

    Raises:
        MeasurementError: it cannot be exported, or onnxruntime has no provider for the device.
    """
    with TemporaryDirectory(prefix="inspect-cost-") as folder:
        path = Path(folder, "model.onnx")
        names = exported(target, path)
        tensors = [leaf for leaf in tree_leaves((target.args, target.kwargs)) if _is_tensor(leaf)]
        feed = dict(zip(names, tensors, strict=True))
        return onnx_target(path, feed, target.device, threads)


def exported(target: Target, path: Path) -> list[str]:
    """Write the call as an ONNX file, and name its inputs in the order of its tensors."""
    leaves, structure = tree_flatten((target.args, target.kwargs))
    tensors = tuple(leaf for leaf in leaves if _is_tensor(leaf))
    names = [f"input_{i}" for i in range(len(tensors))]
    call = _Call(target, leaves, structure).eval()
    try:
        with _quiet(), torch.no_grad():
            torch.onnx.export(call, tensors, path, input_names=names, dynamo=True, verbose=False)
    except Exception as error:
        raise MeasurementError(f"the export to ONNX failed: {_first_line(error)}") from error
    return names


def onnx_target(
    path: Path, feed: Mapping[str, Tensor], device: torch.device, threads: int | None
) -> Target:
    """A call of an ONNX file through onnxruntime.

    Args:
        path: the file.
        feed: its inputs by name.
        device: to run on.
        threads: of the CPU; torch's number unless given, so that backends compare.

    Raises:
        MeasurementError: onnxruntime has no provider for the device, or refuses the file.
    """
    import onnxruntime  # type: ignore[import-untyped]  # noqa: PLC0415 - only here

    provider = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}[device.type]
    if provider not in onnxruntime.get_available_providers():
        raise MeasurementError(f"this onnxruntime has no {provider}: install onnxruntime-gpu")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or torch.get_num_threads()
    options.log_severity_level = 3  # errors only
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=[provider])
        wanted = {entry.name for entry in session.get_inputs()}
        arrays = {name: t.cpu().numpy() for name, t in feed.items() if name in wanted}
    except Exception as error:
        raise MeasurementError(f"onnxruntime refuses it: {_first_line(error)}") from error
    ready = Target(session.run, (None, arrays), {}, device)
    _tried(ready, "onnxruntime")
    return ready


#: Name -> from a call as written, and the number of threads, to the same call by that backend.
BACKENDS: Mapping[str, Callable[[Target, int | None], Target]] = MappingProxyType(
    {"eager": eager, "compile": compiled, "onnxruntime": with_onnxruntime}
)


def outputs(target: Target, threads: int | None = None) -> list[Tensor]:
    """What one call gives, as tensors of the CPU; random states are as before afterwards."""
    with target.inference(threads):
        torch.manual_seed(0)
        leaves = tree_leaves(target.call())
    return [torch.as_tensor(leaf).detach().cpu() for leaf in leaves if not _is_plain(leaf)]


def max_relative_difference(reference: list[Tensor], other: list[Tensor]) -> float | None:
    """The largest difference of any element, relative to the largest of its tensor.

    None where the outputs do not have the same shapes.
    """
    if [t.shape for t in reference] != [t.shape for t in other]:
        return None
    worst = 0.0
    for expected, given in zip(reference, other, strict=True):
        if expected.numel():
            scale = expected.double().abs().max().item() or 1.0
            worst = max(worst, (expected.double() - given.double()).abs().max().item() / scale)
    return worst


class _Call(nn.Module):
    """One call as a module whose forward takes its tensors, as the exporter wants it."""

    def __init__(self, target: Target, leaves: list[Any], structure: Any) -> None:
        super().__init__()
        self.model = target.module
        self._function, self._leaves, self._structure = target.function, leaves, structure

    def forward(self, *tensors: Tensor) -> Any:
        """The call, with these in the tensors' places."""
        given = iter(tensors)
        leaves = [next(given) if _is_tensor(leaf) else leaf for leaf in self._leaves]
        args, kwargs = tree_unflatten(leaves, self._structure)
        return self._function(*args, **kwargs)


def _tried(target: Target, what: str) -> None:
    try:
        target.call()
    except Exception as error:
        raise MeasurementError(f"{what} failed: {_first_line(error)}") from error


def _cpp_compiler() -> bool:
    named = os.environ.get("CXX")
    return any(shutil.which(name) for name in ((named,) if named else CPP_COMPILERS))


def _is_tensor(leaf: Any) -> bool:
    return isinstance(leaf, Tensor)


def _is_plain(leaf: Any) -> bool:
    return leaf is None or isinstance(leaf, str)


def _first_line(error: Exception) -> str:
    first = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {first[:200]}"


@contextmanager
def _quiet() -> "Iterator[None]":
    """Without the compilers' warnings and prints: what matters is raised."""
    with warnings.catch_warnings(), redirect_stdout(StringIO()):
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(logging.NOTSET)
