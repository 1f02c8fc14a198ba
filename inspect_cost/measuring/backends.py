"""The same call by other means: compiled by torch, or exported and run by onnxruntime."""

import logging
import os
import shutil
import warnings
from collections.abc import Callable, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from inspect_cost.calls.target import Target
from inspect_cost.measuring.memory.fresh import Make, ask_fresh_process
from inspect_cost.measuring.protocol.time_limit import time_limit
from inspect_cost.values.errors import MeasurementError

if TYPE_CHECKING:
    from collections.abc import Iterator

CPP_COMPILERS = ("g++", "clang++", "c++", "cl")


#: Compiling or exporting may take so long at least, and as long as the measurement itself.
LEAST_LIMIT_S = 60.0


@dataclass(frozen=True)
class Setup:
    """What a backend needs to know beside the call.

    Attributes:
        make: makes the call anew in a fresh process; it can be pickled.
        threads: of the CPU, or None for torch's choice.
        budget_s: the time for measuring.
    """

    make: Make
    threads: int | None = None
    budget_s: float = 30.0

    @property
    def limit_s(self) -> float:
        """What compiling or exporting may take."""
        return max(LEAST_LIMIT_S, self.budget_s)


def eager(target: Target, setup: Setup) -> Target:
    """As it is written."""
    del setup
    return target


def compiled(target: Target, setup: Setup) -> Target:
    """By `torch.compile`; the compiling itself happens here, not in the windows.

    Raises:
        MeasurementError: there is no C++ compiler, or it cannot be compiled, not in this time.
    """
    if target.device.type == "cpu" and not _cpp_compiler():
        raise MeasurementError("torch.compile needs a C++ compiler, and none is here: install g++")
    with _quiet():
        torch.compiler.reset()
        ready = replace(target, function=torch.compile(target.function))
        try:
            with ready.inference(setup.threads), time_limit(setup.limit_s):
                _tried(ready, "torch.compile")
        except TimeoutError:
            torch.compiler.reset()
            raise _too_slow("torch.compile", setup) from None
    return ready


def with_onnxruntime(target: Target, setup: Setup) -> Target:
    """Exported to ONNX by a fresh process, then run by onnxruntime on its CPU or CUDA provider.

    Raises:
        MeasurementError: it cannot be exported, not in this time, or onnxruntime has no provider
            for the device.
    """
    tensors = [leaf for leaf in tree_leaves((target.args, target.kwargs)) if is_tensor(leaf)]
    feed = {input_name(number): tensor for number, tensor in enumerate(tensors)}
    with TemporaryDirectory(prefix="inspect-cost-") as folder:
        path = Path(folder, "model.onnx")
        answer, reason = ask_fresh_process("exporting.child", (setup.make, path), setup.limit_s)
        if answer is None and "was not done after" in reason:
            raise _too_slow("the export to ONNX", setup)
        if failure := reason if answer is None else answer["error"]:
            raise MeasurementError(f"the export to ONNX failed: {failure}")
        return onnx_target(path, feed, target.device, setup.threads)


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
    ready = Target(session.run, (None, arrays), {}, device, by_torch=False)
    _tried(ready, "onnxruntime")
    return ready


#: Name -> from a call as written to the same call by that backend.
BACKENDS: Mapping[str, Callable[[Target, Setup], Target]] = MappingProxyType(
    {"eager": eager, "compile": compiled, "onnxruntime": with_onnxruntime}
)


def input_name(number: int) -> str:
    """Of an exported graph's input, by its place among the call's tensors."""
    return f"input_{number}"


def is_tensor(leaf: Any) -> bool:
    """Whether a leaf of a call's arguments is an input of its graph."""
    return isinstance(leaf, Tensor)


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


def _too_slow(what: str, setup: Setup) -> MeasurementError:
    return MeasurementError(
        f"{what} took longer than {setup.limit_s:.3g} s: give it more with --measure-time, or a "
        "shorter input"
    )


def _tried(target: Target, what: str) -> None:
    try:
        target.call()
    except Exception as error:
        raise MeasurementError(f"{what} failed: {_first_line(error)}") from error


def _cpp_compiler() -> bool:
    named = os.environ.get("CXX")
    return any(shutil.which(name) for name in ((named,) if named else CPP_COMPILERS))


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
