"""Whose keyword is it, and what is wrong with these arguments?"""

import inspect
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from torch import nn
from torch.utils._pytree import tree_leaves

from inspect_cost.calls.call import Call, check_arguments, refuse_ambiguous
from inspect_cost.values.errors import UsageError, one_line

P = ParamSpec("P")
T = TypeVar("T")


def share_keywords(verb: Callable[P, T]) -> Callable[P, T]:
    """Let a public function take a model's arguments beside keyword options of its own.

    An option that the model takes under the same name is refused, as nothing says whose it is. A
    `Call` as the first argument holds the model's, so that all that follows are options.

    Raises:
        UsageError: (the function) an option could be the model's argument, or a `Call` was given
            arguments besides its own.
    """
    parameters = inspect.signature(verb).parameters.values()
    own = {p.name for p in parameters if p.kind is p.KEYWORD_ONLY}

    @wraps(verb)
    def checked(*args: P.args, **kwargs: P.kwargs) -> T:
        target: Any = args[0] if args else None
        if isinstance(target, Call):
            _refuse_more(verb.__name__, len(args) - 1, kwargs.keys() - own)
        elif (options := own & kwargs.keys()) and callable(target):
            given = {name: kwargs[name] for name in options}
            refuse_ambiguous(Call.of(target), given, verb.__name__)
        return verb(*args, **kwargs)

    return checked


def _refuse_more(verb: str, positional: int, named: set[str]) -> None:
    if positional or named:
        extra = ", ".join(f"`{name}`" for name in sorted(named)) or f"{positional} positional"
        raise UsageError(
            f"the Call has its arguments already, and {verb}() was given more: {extra}",
            f"Put the model's arguments into the call, and options of {verb}() behind it: "
            f"{verb}(inspect_cost.Call.of(model, x), ...).",
            field=min(named, default=""),
        )


def refuse_mistakes(call: Call, failure: BaseException) -> None:
    """Explain the failure of a call by a usual mistake in its arguments, if there is one.

    Args:
        call: what failed.
        failure: the error that wraps what the call raised.

    Raises:
        UsageError: an argument is missing or unknown, or is a shape in the place of a tensor.
    """
    cause = failure.__cause__
    if not isinstance(cause, (TypeError, AttributeError)):
        return
    if not _takes_more_by_hooks(call):
        check_arguments(call)
    for name, value in _named_arguments(call):
        if (advice := _advice_on(value)) is not None:
            raise UsageError(
                f"`{name}` is {_described(value)}, and the call failed with it: {one_line(cause)}",
                advice,
                field=name,
            ) from failure


def _takes_more_by_hooks(call: Call) -> bool:
    function = call.function
    return isinstance(function, nn.Module) and bool(function._forward_pre_hooks)


def _named_arguments(call: Call) -> Iterator[tuple[str, Any]]:
    """Yield the arguments with the names of their parameters, or their positions."""
    function = call.function.forward if isinstance(call.function, nn.Module) else call.function
    try:
        bound = inspect.signature(function).bind_partial(*call.args, **call.kwargs)
    except (TypeError, ValueError):
        yield from ((f"argument {i}", value) for i, value in enumerate(call.args, start=1))
        yield from call.kwargs.items()
        return
    for name, value in bound.arguments.items():
        kind = bound.signature.parameters[name].kind
        if kind is inspect.Parameter.VAR_POSITIONAL:
            yield from ((f"{name}[{i}]", item) for i, item in enumerate(value))
        elif kind is inspect.Parameter.VAR_KEYWORD:
            yield from value.items()
        else:
            yield name, value


def _advice_on(value: Any) -> str | None:
    """Return what to pass instead of a shape or an array; None if it is neither."""
    if type(value).__module__ == "numpy" and hasattr(value, "dtype"):
        return "Pass a tensor, such as torch.from_numpy(...)."
    sizes = list(value) if isinstance(value, (list, tuple)) else []
    if not sizes or not all(type(size) is int for size in sizes):
        return None
    return f"Pass a tensor, such as torch.zeros({', '.join(map(str, sizes))})."


def _described(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return f"the shape ({', '.join(map(str, tree_leaves(value)))})"
    return f"a numpy.{type(value).__name__}"
