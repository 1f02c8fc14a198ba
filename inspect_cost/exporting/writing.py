"""torch.onnx.export, called in the one way that keeps what a model computes as it is."""

import inspect
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from onnxscript import opset18
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten_with_path

from inspect_cost.calls.call import Call, tensors_in, unwrap_compiled
from inspect_cost.calls.function import FunctionModule
from inspect_cost.calls.positional import Positional, move_to_cpu, undecorate
from inspect_cost.values.errors import CountError, UsageError, one_line

#: ONNX files hold up to 2 GB; weights beyond this go into a file beside it.
MOST_INLINE_BYTES = 1_500_000_000


@dataclass(frozen=True)
class Traceable:
    """A call in the form that torch's exporter takes: a module's forward of tensors.

    Attributes:
        module: its forward is exported.
        args: positional tensors.
        kwargs: tensors by the name of the forward's parameter.
        input_names: names of the graph's inputs, in the order of the tensors; None for those of
            the forward's parameters.
    """

    module: nn.Module
    args: tuple[Tensor, ...]
    kwargs: Mapping[str, Tensor] = field(default_factory=dict)
    input_names: tuple[str, ...] | None = None

    def run(self) -> Any:
        """Call the module."""
        return self.module(*self.args, **self.kwargs)


def make_traceable(call: Call, input_names: Sequence[str] | None = None) -> Traceable:
    """Return a call as a forward of tensors; the caller's module is not changed.

    A forward that takes tensors alone is exported as it is, under its own module paths. All else,
    a method such as ``generate`` or arguments that are not tensors, is wrapped.

    Raises:
        UsageError: something is on the meta device, and has no values to compare.
    """
    if not call.has_values:
        raise UsageError(
            "a model or an input on the meta device has no values, and cannot be exported",
            "Build the model on a real device.",
        )
    named = tuple(input_names) if input_names is not None else name_inputs(call)
    here = move_to_cpu(call.as_module())
    forward = here.function is here.module
    if forward and input_names is None and _takes_tensors_alone(here):
        return Traceable(here.function, here.args, here.kwargs)  # type: ignore[arg-type]  # a module
    # Without its no_grad, which would hide from the exporter which module does what.
    bare = here if forward else undecorate(here)
    return Traceable(
        Positional(bare),
        tensors_in((bare.args, dict(bare.kwargs))),
        input_names=named,
    )


def _takes_tensors_alone(call: Call) -> bool:
    given = (*call.args, *call.kwargs.values())
    return not isinstance(call.module, FunctionModule) and all(
        isinstance(value, Tensor) for value in given
    )


def name_inputs(call: Call) -> tuple[str, ...]:
    """Return a name for each tensor among a call's arguments: that of the parameter it is in.

    Several tensors in one argument are numbered: "states_0", "states_1".
    """
    entries, _ = tree_flatten_with_path((call.args, dict(call.kwargs)))
    parameters = _list_parameters(call)
    names = []
    for path, leaf in entries:
        if isinstance(leaf, Tensor):
            place, *inner = (_key(step) for step in path[1:])
            named = parameters[place] if isinstance(place, int) else place
            names.append("_".join(map(str, (named, *inner))))
    return tuple(names)


def _list_parameters(call: Call) -> list[str]:
    """Return a name for each positional argument."""
    function = call.function
    signed = unwrap_compiled(function).forward if isinstance(function, nn.Module) else function
    try:
        parameters = inspect.signature(signed).parameters.values()
    except (TypeError, ValueError):  # built-in functions have none
        parameters = ()  # type: ignore[assignment]  # an empty view
    names = [p.name for p in parameters if p.kind in {p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD}]
    return names + [f"input_{number}" for number in range(len(names), len(call.args))]


def _key(step: Any) -> Any:
    """Return the index or the name in one step of a path of torch's pytrees."""
    return next(getattr(step, kind) for kind in ("idx", "key", "name") if hasattr(step, kind))


def write_onnx(traceable: Traceable, path: Path) -> None:
    """Write a call as an ONNX file; weights beyond 1.5 GB go into a file beside it.

    Raises:
        CountError: torch's exporter cannot do it, and why.
    """
    module = traceable.module
    size = sum(t.numel() * t.element_size() for t in (*module.parameters(), *module.buffers()))
    try:
        with torch.no_grad(), quiet():
            program = torch.onnx.export(
                module,
                traceable.args,
                kwargs=dict(traceable.kwargs),
                input_names=traceable.input_names,
                dynamo=True,
                verbose=False,
                optimize=False,  # it drops biases that are still 0, and takes minutes
                custom_translation_table={torch.ops.aten.searchsorted.Tensor: _searchsorted},
            )
            assert program is not None  # noqa: S101 - it is where dynamo=True
            program.save(path, external_data=size > MOST_INLINE_BYTES)
    except Exception as error:
        raise CountError(
            f"torch.onnx.export cannot export it: {_find_cause(error)}",
            "Replace what it names, or export by hand and count the file.",
        ) from error


def _find_cause(error: BaseException) -> str:
    """Return the innermost reason: the exporter's own message is its instructions."""
    while error.__cause__ is not None:
        error = error.__cause__
    return one_line(error)


def _searchsorted(
    sorted_sequence: Any,
    values: Any,
    out_int32: bool = False,
    right: bool = False,
    side: str | None = None,
    sorter: Any = None,
) -> Any:
    """Count how many numbers are smaller: torch's exporter has no translation of its own."""
    del side, sorter
    op: Any = opset18  # annotated for its own scripts, not for tracing
    row, each = op.Unsqueeze(sorted_sequence, [-2]), op.Unsqueeze(values, [-1])
    before = op.LessOrEqual(row, each) if right else op.Less(row, each)
    counts = op.ReduceSum(op.Cast(before, to=7), [-1], keepdims=0)
    return op.Cast(counts, to=6) if out_int32 else counts


@contextmanager
def quiet() -> Iterator[None]:
    """Suppress the exporter's remarks on what is not installed."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
