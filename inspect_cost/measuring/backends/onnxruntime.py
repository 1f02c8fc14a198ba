"""The call exported to ONNX, and run by onnxruntime on its CPU or CUDA provider."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import onnxruntime  # type: ignore[import-untyped]  # it has no stubs
import torch
from torch import Tensor

from inspect_cost.calls.call import Call, tensors_in
from inspect_cost.measuring.backends.setup import Setup, SetupTimeoutError, try_call
from inspect_cost.measuring.fresh_process import NoAnswerError, ask_fresh_process
from inspect_cost.values.errors import MeasurementError, one_line

#: Device type -> provider of onnxruntime.
PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


def prepare(call: Call, setup: Setup) -> Call:
    """Return the call through onnxruntime; a fresh process exports it, which can be ended.

    Raises:
        MeasurementError: it cannot be exported, or onnxruntime has no provider for the device.
        SetupTimeoutError: it cannot be exported in the time given.
    """
    tensors = tensors_in((call.args, dict(call.kwargs)))
    names = [f"input_{number}" for number in range(len(tensors))]
    with TemporaryDirectory(prefix="inspect-cost-") as folder:
        path = Path(folder, "model.onnx")
        _export(setup, path, names)
        feed = dict(zip(names, tensors, strict=True))
        return make_onnx_call(path, feed, call.device, setup.threads)


def _export(setup: Setup, path: Path, names: list[str]) -> None:
    try:
        answer = ask_fresh_process("exporting.child", (setup.make, path, names), setup.limit_s)
    except NoAnswerError as error:
        if error.timed_out:
            raise SetupTimeoutError("the export to ONNX", setup.limit_s) from error
        raise MeasurementError(f"the export to ONNX failed: {error}") from error
    if answer["error"]:
        raise MeasurementError(f"the export to ONNX failed: {answer['error']}")


def make_onnx_call(
    path: Path, feed: Mapping[str, Any], device: torch.device, threads: int | None
) -> Call:
    """Return a call of an ONNX file through onnxruntime, tried once.

    Args:
        path: the file.
        feed: its inputs by name, tensors or arrays; those that the graph lacks are left out.
        device: where it runs.
        threads: CPU threads; torch's number unless given, so that backends compare.

    Raises:
        MeasurementError: onnxruntime has no provider for the device, or refuses the file.
    """
    provider = PROVIDERS[device.type]
    if provider not in onnxruntime.get_available_providers():
        raise MeasurementError(f"this onnxruntime has no {provider}: install onnxruntime-gpu")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or torch.get_num_threads()
    options.log_severity_level = 3  # errors only
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=[provider])
        arrays = _select_inputs(session, feed)
    except Exception as error:
        raise MeasurementError(f"onnxruntime refuses it: {one_line(error)}") from error
    call = Call(session.run, (None, arrays), device=device, by_torch=False)
    try_call(call, "onnxruntime")
    return call


def _select_inputs(session: Any, feed: Mapping[str, Any]) -> dict[str, Any]:
    wanted = {entry.name for entry in session.get_inputs()}
    return {name: _as_array(value) for name, value in feed.items() if name in wanted}


def _as_array(value: Any) -> Any:
    return value.cpu().numpy() if isinstance(value, Tensor) else value
