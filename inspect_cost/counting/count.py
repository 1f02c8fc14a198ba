"""`count`: the cost of one call of a model, or of one run of an ONNX graph."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inspect_cost.calls.arguments import share_keywords
from inspect_cost.calls.call import Call
from inspect_cost.counting.options import Cost, CountOptions
from inspect_cost.counting.report import CostReport
from inspect_cost.counting.torch.count import count_call
from inspect_cost.counting.torch.surroundings import refuse_depth
from inspect_cost.values.errors import UsageError
from inspect_cost.values.policy import DENSE, Policy

if TYPE_CHECKING:
    from onnx import ModelProto

    from inspect_cost.counting.onnx.binding import InputShapes


@refuse_depth()
@share_keywords
def count(
    target: "Callable[..., Any] | Call | str | Path | ModelProto",
    /,
    *args: Any,
    op_costs: Mapping[str, Cost] | None = None,
    module_costs: Mapping[Any, Cost] | None = None,
    policy: Policy | str = DENSE,
    backward: bool = False,
    optimizer: Any = None,
    input_shapes: "InputShapes | None" = None,
    trip_counts: Mapping[str, int] | None = None,
    **kwargs: Any,
) -> CostReport:
    """Count what one call costs: parameters, MACs, FLOPs and bytes, exactly.

    The call is followed operator by operator on tensors that have shapes and no values, as an
    inference (`eval`, no gradients). The model is neither run nor changed; if its course depends
    on values computed from its parameters, a copy is run for real, which the report's notes say.
    `inspect_cost.values.conventions` defines each number.

    Where the model takes a keyword argument that has the name of an option below, say whose it
    is: ``count(inspect_cost.Call.of(model, x, policy="greedy"), policy="valid")`` passes the
    first to the model and keeps the second.

    Args:
        target: a module, whose forward is counted; a bound method of one, such as
            ``model.generate``; any function, such as ``lambda x: decoder(encoder(x))``, with the
            modules that it refers to; a `Call` of one of these, which holds the arguments; or an
            .onnx file or a loaded ONNX model. A module may be on any device, "meta" included, or
            `torch.compile`d.
        *args: the call's arguments: tensors on any device, nested or not, and anything else.
        op_costs: costs of operators that have none, or to be used instead: from names such as
            "mylib.scan" to an `OpCost` for each call, or to a function that returns one, or None
            if it does not know. The function gets the operator's result and then its arguments;
            of ONNX's, a `inspect_cost.counting.onnx.call.NodeCall`.
        module_costs: costs of modules as a whole, instead of the sums of their operators: from a
            class, or from a module's path, to an `OpCost` or to a function of the module, its
            inputs (a tuple) and its output.
        policy: "dense", "valid" (no taps on padding, no masked scores), or a `Policy`.
        backward: count a training step: the call in training mode, and the gradients of its
            outputs with respect to all parameters that require one.
        optimizer: count a step with these gradients, too: a name ("sgd", "adamw", "adafactor",
            "muon" ...), a function from a list of parameters to a `torch.optim.Optimizer` such as
            ``functools.partial(torch.optim.AdamW, amsgrad=True)``, an optimizer of the model's
            parameters, which is neither run nor changed, or a list of these. It needs
            ``backward``.
        input_shapes: for ONNX, sizes of axes that the file leaves open; see `count_onnx`.
        trip_counts: for ONNX, iterations of loops; see `count_onnx`.
        **kwargs: the call's keyword arguments, whatever they are called but for the above. For
            ONNX, ``inputs`` (values) and ``verify``; see `count_onnx`.

    Returns:
        The report; operators without a known cost are in its ``uncounted``.

    Raises:
        UsageError: the target cannot be called, its arguments do not fit, an option could be
            the model's argument too, there is no such policy or optimizer, a key of ``op_costs``
            or ``module_costs`` matches nothing, or there is nothing to compute a gradient of.
        CountError: the call itself fails, or it needs values that a model on "meta" lacks.
    """
    options = CountOptions.of(
        policy=policy,
        op_costs=op_costs,
        module_costs=module_costs,
        backward=backward,
        optimizer=optimizer,
    )
    graph = {"input_shapes": input_shapes, "trip_counts": trip_counts}
    if isinstance(target, (str, Path)) or _is_onnx(target):
        # A module may have arguments of these names, so that they are no parameters.
        graph |= {name: kwargs.pop(name) for name in ("inputs", "verify") if name in kwargs}
        _refuse_call_options(args, kwargs, options)
        return _count_graph(target, op_costs, graph)
    for name, value in graph.items():
        if value is not None:
            advice = "A module's inputs are passed as arguments."
            raise UsageError(f"`{name}` is for ONNX models", advice, field=name)
    call = target if isinstance(target, Call) else Call.of(target, *args, **kwargs)
    return count_call(call, options)


def _is_onnx(target: Any) -> bool:
    """Return whether a target is a loaded ONNX model, without importing onnx."""
    kind = type(target)
    return kind.__name__ == "ModelProto" and kind.__module__.partition(".")[0] == "onnx"


def _count_graph(
    source: Any, op_costs: Mapping[str, Cost] | None, options: Mapping[str, Any]
) -> CostReport:
    if isinstance(source, (str, Path)) and Path(source).suffix.lower() != ".onnx":
        raise UsageError(
            f"{str(source)!r} names neither a module nor an .onnx file",
            "Pass a torch.nn.Module, a function, or the path of an .onnx file.",
        )
    # Whoever counts modules does not need onnx.
    from inspect_cost.counting.onnx.count import count_onnx  # noqa: PLC0415

    return count_onnx(source, op_costs=op_costs, **options)


def _refuse_call_options(
    args: tuple[Any, ...], kwargs: Mapping[str, Any], options: CountOptions
) -> None:
    """Refuse what an ONNX graph cannot be given."""
    named = {
        "module_costs": bool(options.module_costs),
        "policy": options.policy != DENSE,
        "backward": options.backward,
    }
    unfit = [*kwargs, *(name for name, given in named.items() if given)]
    if args or unfit:
        what = f"`{unfit[0]}`" if unfit else "positional arguments"
        raise UsageError(
            f"an ONNX model does not take {what}",
            "Give sizes of its inputs by `input_shapes`, such as {'x': (1, 80, 63)}, and values by "
            "`inputs`.",
            field=unfit[0] if unfit else "",
        )
