"""From the arguments of a public function to the `Call` that it is about."""

from collections.abc import Callable, Mapping
from typing import Any

from inspect_cost.calls.call import Call, refuse_ambiguous
from inspect_cost.values.errors import UsageError


def resolve_call(
    target: Call | Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    options: Mapping[str, Any],
    verb: str,
) -> Call:
    """Return the call that a public function was given in its short form, or as a `Call`.

    Args:
        target: a module, a bound method, a function, a `functools.partial`, or a call.
        args: arguments of the short form.
        kwargs: keyword arguments of the short form.
        options: the public function's own options; None stands for one that was not passed.
        verb: name of the public function, for messages.

    Raises:
        UsageError: there are arguments beside a call, or an option may be meant for the function.
    """
    if isinstance(target, Call):
        if args or kwargs:
            raise UsageError(
                f"{verb}() was given a Call, which has its arguments, and further ones",
                "Pass all of them to inspect_cost.Call.of().",
            )
        return target
    call = Call.of(target, *args, **kwargs)
    passed = {name: value for name, value in options.items() if value is not None}
    refuse_ambiguous(call, passed, verb)
    return call
