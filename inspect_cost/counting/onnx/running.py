"""One run of a graph by onnxruntime, which reports every node that it executed."""

import json
from collections.abc import Mapping
from math import prod
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Timer
from typing import Any

from onnx import ModelProto, TensorProto

from inspect_cost.counting.onnx.call import STANDARD
from inspect_cost.counting.onnx.executed import Executed, read_profile
from inspect_cost.counting.onnx.loading import iterate_nodes, iterate_tensors
from inspect_cost.counting.onnx.marking import make_executable
from inspect_cost.counting.onnx.value import Array, count_stored_bytes
from inspect_cost.values.errors import MeasurementError, one_line

#: Bytes of a model, weights included, beyond which it is not run to complete a count.
LARGEST_MODEL_BYTES = 2**31 - 2**20
#: Seconds after which such a run is given up.
RUN_LIMIT_S = 60.0
#: Domains beside ONNX's own whose operators onnxruntime has.
OWN_DOMAINS = frozenset({"ai.onnx.ml", "com.microsoft", "com.microsoft.nchwc"})
_FOLDER = "session.model_external_initializers_file_folder_path"


def has_foreign_operators(model: ModelProto) -> bool:
    """Return whether a model has operators that neither it defines nor onnxruntime comes with."""
    known = {*STANDARD, *OWN_DOMAINS, *(function.domain for function in model.functions)}
    return any(node.domain not in known for node in iterate_nodes(model))


def run_graph(
    marked: ModelProto, feed: Mapping[str, Array], folder: Path | None, limit_s: float = RUN_LIMIT_S
) -> Executed:
    """Run a graph once on the CPU, without optimisation, and return what was executed.

    Args:
        marked: a model that `mark_nodes` made.
        feed: values of its inputs.
        folder: where weights in other files are; None if nobody knows.
        limit_s: seconds that the run may take.

    Raises:
        MeasurementError: onnxruntime cannot load it or run it, it is too large, or takes too long.
    """
    # Whoever only counts does not need onnxruntime.
    import onnxruntime  # type: ignore[import-untyped]  # noqa: PLC0415 - it has no stubs

    _check_weights(marked, folder)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4  # fatal errors only
    options.enable_profiling = True
    if folder is not None:
        options.add_session_config_entry(_FOLDER, str(folder.resolve()))
    with TemporaryDirectory(prefix="inspect-cost-") as scratch:
        options.profile_file_prefix = str(Path(scratch, "run"))
        try:
            profile = _run(onnxruntime, make_executable(marked), options, feed, limit_s)
        except Exception as error:
            raise MeasurementError(f"onnxruntime cannot run it: {one_line(error)}") from error
        return read_profile(json.loads(Path(profile).read_text()))


def _check_weights(model: ModelProto, folder: Path | None) -> None:
    """Refuse a model that is too large to be run, or whose weights nobody can find."""
    tensors = list(iterate_tensors(model))
    size = sum(count_stored_bytes(t.data_type, prod(t.dims)) for t in tensors)
    if size > LARGEST_MODEL_BYTES:
        raise MeasurementError(f"its weights of {size / 1e9:.1f} GB are too large for that")
    if folder is None and any(t.data_location == TensorProto.EXTERNAL for t in tensors):
        raise MeasurementError("its weights are in other files, and only the graph was given")


def _run(
    onnxruntime: Any,
    model: ModelProto,
    options: Any,
    feed: Mapping[str, Array],
    limit_s: float,
) -> str:
    """Run a model, and return the path of its profile."""
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    wanted = {entry.name for entry in session.get_inputs()}
    run_options = onnxruntime.RunOptions()
    timer = Timer(limit_s, lambda: setattr(run_options, "terminate", True))
    timer.daemon = True
    timer.start()
    try:
        session.run(None, {n: a for n, a in feed.items() if n in wanted}, run_options)
    finally:
        timer.cancel()
        profile: str = session.end_profiling()
    return profile
