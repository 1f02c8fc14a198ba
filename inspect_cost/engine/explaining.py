"""`explain`: what one module or one operator of a subject costs, and by which formulas."""

from collections.abc import Callable, Mapping
from typing import Any

from inspect_cost.calls.arguments import share_keywords
from inspect_cost.calls.call import Call
from inspect_cost.counting.explanation import CostExplanation
from inspect_cost.counting.options import Cost, CountOptions
from inspect_cost.counting.torch.explaining import explain_call
from inspect_cost.subjects import Request, Subject, open_request
from inspect_cost.values.errors import UsageError
from inspect_cost.values.policy import DENSE, Policy


@share_keywords
def explain(
    target: "str | Subject | Call | Callable[..., Any]",
    path: str,
    /,
    *args: Any,
    op_costs: Mapping[str, Cost] | None = None,
    module_costs: Mapping[Any, Cost] | None = None,
    policy: Policy | str = DENSE,
    backward: bool = False,
    **kwargs: Any,
) -> CostExplanation:
    """Explain what one module, or one operator, costs in a call of a model.

    Every call behind the cost is shown with the shapes that went in and came out, the operations
    of each class with the formula that they follow by, the bytes that it moves, and what the
    policy "valid" leaves of it.

        >>> print(inspect_cost.explain(model, "layer1.0.conv1", x))

    Args:
        target: what `inspect_cost.count` takes; or the name of a model, or what
            `inspect_cost.resolve` made of one, which have their own inputs.
        path: of a module, "" for the whole model; or the name of an operator: "aten.conv2d".
        *args: the call's arguments.
        op_costs: as of `inspect_cost.count`.
        module_costs: as of `inspect_cost.count`.
        policy: as of `inspect_cost.count`.
        backward: as of `inspect_cost.count`.
        **kwargs: the call's keyword arguments.

    Returns:
        The explanation, whose calls add up to its cost; it prints as the command line shows it.

    Raises:
        UsageError: no module and no operator of the call is called that, or as of
            `inspect_cost.count`.
        Unsupported: the target is no PyTorch model.
        CountError: the call fails.
    """
    if not isinstance(path, str):
        raise UsageError(
            f"`path` is a {type(path).__name__}, not the name of a module or an operator",
            'Write explain(model, "layer.0", x), with "" for the whole model.',
            field="path",
        )
    options = CountOptions.of(
        policy=policy, op_costs=op_costs, module_costs=module_costs, backward=backward
    )
    subject = open_request(Request(target)) if isinstance(target, str) else target
    if isinstance(subject, Call):
        return explain_call(subject, path, options)
    if hasattr(subject, "phases"):
        return explain_subject(subject, path, options)  # type: ignore[arg-type]  # only they have
    return explain_call(Call.of(subject, *args, **kwargs), path, options)


def explain_subject(subject: Subject, path: str, options: CountOptions) -> CostExplanation:
    """Explain a module or an operator in the call of a subject's first phase.

    Raises:
        UsageError: nothing is called that.
        Unsupported: the subject is no PyTorch model.
        CountError: the call fails.
    """
    return explain_call(subject.peer_call(subject.phases[0]), path, options)
