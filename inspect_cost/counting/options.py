"""How a call is counted: the options of `count`, checked once. Nothing here needs torch."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from inspect_cost.values.cost import OpCost
from inspect_cost.values.errors import CountError, UsageError
from inspect_cost.values.naming import name_some
from inspect_cost.values.policy import DENSE, Policy, named_policy

#: A cost for each call, or a function that works it out; None from it says that it is unknown.
Cost = OpCost | Callable[..., OpCost | None]

#: Names that an error suggests in place of one that matches nothing.
MOST_SUGGESTIONS = 5
SIMILARITY = 0.5

#: Names of optimizers.
OPTIMIZERS = (
    "sgd",
    "sgd-momentum",
    "sgd-nesterov",
    "adam",
    "adamw",
    "adafactor",
    "muon",
    "adadelta",
    "adagrad",
    "adamax",
    "asgd",
    "nadam",
    "radam",
    "rmsprop",
    "rprop",
)


@dataclass(frozen=True)
class CountOptions:
    """Options of a count; `CountOptions.of` checks them.

    Attributes:
        policy: what counts of the arithmetic that padding and masks make pointless.
        op_costs: costs of operators that stand before the tables', by name.
        module_costs: costs of modules as a whole, by class or by path.
        backward: whether gradients are computed after the call, as in a training step.
        optimizer: what makes a step with the gradients: a name, a function from parameters to a
            `torch.optim.Optimizer`, one of the call's model, or a list of these; None for no step.
        dtype: type of floating parameters and float32 inputs, by name; as they are unless given.
    """

    policy: Policy = DENSE
    op_costs: Mapping[str, Cost] = field(default_factory=dict)
    module_costs: Mapping[Any, Cost] = field(default_factory=dict)
    backward: bool = False
    optimizer: Any = None
    dtype: str | None = None

    @classmethod
    def of(
        cls,
        *,
        policy: Policy | str = DENSE,
        op_costs: Mapping[str, Cost] | None = None,
        module_costs: Mapping[Any, Cost] | None = None,
        backward: bool = False,
        optimizer: Any = None,
        dtype: str | None = None,
    ) -> "CountOptions":
        """Check the options of `inspect_cost.count`, which describes them.

        Raises:
            UsageError: there is no such policy or optimizer, an optimizer has no gradients, or a
                cost is neither an `OpCost` nor a function.
        """
        try:
            chosen = named_policy(policy)
        except (ValueError, TypeError) as error:
            advice = "Pass one of these, or an inspect_cost.Policy."
            raise UsageError(f"`policy`: {error}", advice, field="policy") from None
        named = {_dotted(name): cost for name, cost in (op_costs or {}).items()}
        check_costs("op_costs", named, (str,))
        check_costs("module_costs", module_costs or {}, (str, type))
        check_optimizer(optimizer, backward=backward)
        return cls(chosen, named, dict(module_costs or {}), backward, optimizer, dtype)


def check_optimizer(optimizer: Any, *, backward: bool) -> None:
    """Refuse an optimizer without gradients, and what cannot be one.

    Raises:
        UsageError: it is.
    """
    if optimizer is None:
        return
    if not backward:
        raise UsageError(
            "`optimizer` makes a step with gradients, and none are computed",
            "Give `backward` as well.",
            field="optimizer",
        )
    for given in optimizer if isinstance(optimizer, (list, tuple)) else [optimizer]:
        _check_one_optimizer(given)


def _check_one_optimizer(given: Any) -> None:
    if isinstance(given, str):
        if given in OPTIMIZERS:
            return
        near = get_close_matches(given.lower(), OPTIMIZERS, MOST_SUGGESTIONS, SIMILARITY)
        question = f"Did you mean {near[0]}? " if near else ""
        raise UsageError(
            f"`optimizer`: no optimizer is called {given!r}",
            f"{question}There are {', '.join(OPTIMIZERS)}.",
            field="optimizer",
        )
    if not (callable(given) or hasattr(given, "param_groups")):
        raise UsageError(
            f"`optimizer`: {given!r} makes no step",
            "Give a name such as 'adamw', a torch.optim.Optimizer, or a function that makes one.",
            field="optimizer",
        )


def as_rule(
    option: str, name: str, cost: Cost, used: set[str] | None = None
) -> Callable[..., OpCost | None]:
    """Return a user's cost as a function that checks what it yields.

    Args:
        option: the parameter that it was given by.
        name: of the operator or the module.
        cost: a function, or what each call costs.
        used: where the name is added when the cost is asked for.
    """

    def rule(*args: Any, **kwargs: Any) -> OpCost | None:
        if used is not None:
            used.add(name)
        if isinstance(cost, OpCost):
            return cost
        try:
            given = cost(*args, **kwargs)
        except Exception as error:
            raise CountError(
                f"the function in `{option}` for {name} failed: {type(error).__name__}: {error}",
                field=option,
            ) from error
        return check_cost(option, name, given)

    return rule


def check_costs(option: str, costs: Mapping[Any, Any], kinds: tuple[type, ...]) -> None:
    """Refuse costs that are neither an `OpCost` nor a function, and keys of other kinds.

    Raises:
        UsageError: one is.
    """
    for key, cost in costs.items():
        if not isinstance(key, kinds):
            wanted = "a name" if kinds == (str,) else "a class or a path"
            raise UsageError(
                f"the key {key!r} of `{option}` is not {wanted}",
                'Write an operator as "aten.linear".' if kinds == (str,) else "",
                field=option,
            )
        if not (isinstance(cost, OpCost) or callable(cost)):
            raise UsageError(
                f"`{option}` has {cost!r} for {key!r}, which is not a cost",
                "Give an inspect_cost.OpCost, or a function that returns one.",
                field=option,
            )


def check_cost(option: str, name: str, given: Any) -> OpCost | None:
    """Return what a user's function gave for an operator or a module.

    Raises:
        UsageError: it is neither an `OpCost` nor None.
    """
    if given is None or isinstance(given, OpCost):
        return given
    raise UsageError(
        f"the function in `{option}` for {name} returned {given!r}, which is not an OpCost",
        "Return an inspect_cost.OpCost, such as OpCost(macs=..., add=...), or None if it is "
        "unknown.",
        field=option,
    )


def make_unused_error(option: str, key: str, known: Iterable[str], kind: str) -> UsageError:
    """Return the error that a key of an option matches nothing; it suggests similar names.

    Args:
        option: the parameter.
        key: what matches nothing.
        known: what there is instead, the most important first.
        kind: what these are: "operators", "modules".
    """
    advice = suggest_names(key, known, kind)
    return UsageError(f"{key!r} in `{option}` matches nothing in this call", advice, field=option)


def suggest_names(key: str, known: Iterable[str], kind: str) -> str:
    """Return an advice that lists names, those first that are similar to what was given."""
    names = [name for name in known if name]
    near = get_close_matches(key, names, MOST_SUGGESTIONS, SIMILARITY)
    ranked = list(dict.fromkeys([*near, *names]))
    listed = name_some(ranked, MOST_SUGGESTIONS) or "none"
    question = f"Did you mean {near[0]}? " if near else ""
    return f"{question}The {kind} of this call are {listed}."


def _dotted(name: Any) -> Any:
    """Return an operator's name as reports have it, where torch writes "aten::linear"."""
    return name.replace("::", ".") if isinstance(name, str) else name
