"""torch.onnx.export, called in the one way that keeps what a model computes as it is."""

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from onnxscript import opset18
from torch import Tensor, nn

from inspect_cost.subjects.loading import shortened
from inspect_cost.values.errors import CountError

#: ONNX files hold up to 2 GB; weights beyond this go into a file beside it.
MOST_INLINE_BYTES = 1_500_000_000


def write(
    model: nn.Module,
    args: tuple[Tensor, ...],
    kwargs: Mapping[str, Tensor],
    path: Path,
    input_names: Sequence[str] | None = None,
) -> None:
    """Write one call of a model as an ONNX file; weights beyond 1.5 GB go into one beside it.

    Args:
        model: whose call.
        args: of the call.
        kwargs: of the call.
        path: the file.
        input_names: of the graph's inputs, in the order of the call's tensors; torch's own if None.

    Raises:
        CountError: torch's exporter cannot do it, and why.
    """
    size = sum(t.numel() * t.element_size() for t in (*model.parameters(), *model.buffers()))
    try:
        with torch.no_grad(), quiet():
            program = torch.onnx.export(
                model,
                args,
                kwargs=dict(kwargs),
                input_names=input_names,
                dynamo=True,
                verbose=False,
                optimize=False,  # it drops biases that are still 0, and takes minutes
                custom_translation_table={torch.ops.aten.searchsorted.Tensor: _searchsorted},
            )
            assert program is not None  # noqa: S101 - it is where dynamo=True
            program.save(path, external_data=size > MOST_INLINE_BYTES)
    except Exception as error:
        raise CountError(
            f"torch.onnx.export cannot export it: {_cause(error)}",
            "Replace what it names, or export by hand and count the file.",
        ) from error


def _cause(error: BaseException) -> str:
    """The innermost reason: the exporter's own message is its instructions."""
    while error.__cause__ is not None:
        error = error.__cause__
    return shortened(error)


def _searchsorted(
    sorted_sequence: Any,
    values: Any,
    out_int32: bool = False,
    right: bool = False,
    side: str | None = None,
    sorter: Any = None,
) -> Any:
    """How many numbers are smaller, counted: torch's exporter has no translation of its own."""
    del side, sorter
    op: Any = opset18  # annotated for its own scripts, not for tracing
    row, each = op.Unsqueeze(sorted_sequence, [-2]), op.Unsqueeze(values, [-1])
    before = op.LessOrEqual(row, each) if right else op.Less(row, each)
    counts = op.ReduceSum(op.Cast(before, to=7), [-1], keepdims=0)
    return op.Cast(counts, to=6) if out_int32 else counts


@contextmanager
def quiet() -> Iterator[None]:
    """Without the exporter's remarks on what is not installed."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
