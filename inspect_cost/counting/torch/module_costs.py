"""Costs that a user gives for whole modules, replacing the sum of their operators."""

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

from torch import Tensor, nn

from inspect_cost.counting.options import Cost, as_rule, make_unused_error
from inspect_cost.counting.torch.ledger import Ledger
from inspect_cost.formulas import contraction as formula
from inspect_cost.formulas.pointwise import MUL
from inspect_cost.values.cost import OpCost
from inspect_cost.values.errors import UsageError

#: From a module, its inputs and its output to its cost; None if the rule does not know.
ModuleRule = Callable[..., OpCost | None]


def apply_module_costs(model: nn.Module, ledger: Ledger, costs: Mapping[Any, Cost]) -> None:
    """Make each forward of a module that has a cost enter that cost.

    This changes the modules, so it is for a stand-in, never for the caller's model.

    Args:
        model: the stand-in.
        ledger: where costs are entered.
        costs: costs by class, which also hold for subclasses, or by path; a path takes precedence.

    Raises:
        UsageError: no module has such a path or is of such a class.
    """
    for module, rule in find_module_rules(model, costs):
        vars(module)["forward"] = _wrap_forward(module, ledger, rule)


def find_module_rules(
    model: nn.Module, costs: Mapping[Any, Cost]
) -> Iterator[tuple[nn.Module, ModuleRule]]:
    """Yield the modules that have a cost of their own, with it; arguments as above.

    Raises:
        UsageError: no module has such a path or is of such a class.
    """
    if not costs:
        return
    modules: dict[str, nn.Module] = dict(model.named_modules())
    _check_keys(modules, costs)
    for path, module in modules.items():
        cost = costs[path] if path in costs else _find_cost(type(module), costs)
        if cost is not None:
            name = f"{path or 'the model'} ({type(module).__name__})"
            yield module, as_rule("module_costs", name, cost)


def _check_keys(modules: Mapping[str, nn.Module], costs: Mapping[Any, Cost]) -> None:
    for key in costs:
        if isinstance(key, str):
            if key not in modules:
                raise make_unused_error("module_costs", key, modules, "paths")
        elif not any(isinstance(module, key) for module in modules.values()):
            classes = dict.fromkeys(type(module).__name__ for module in modules.values())
            raise make_unused_error("module_costs", key.__name__, classes, "classes")


def _find_cost(kind: type[nn.Module], costs: Mapping[Any, Cost]) -> Cost | None:
    """Find the cost of the nearest class in the method resolution order."""
    return next((costs[base] for base in kind.__mro__ if base in costs), None)


def _wrap_forward(module: nn.Module, ledger: Ledger, rule: ModuleRule) -> Callable[..., Any]:
    """Wrap a forward so that its rule's cost is entered instead of its operators' costs."""
    forward = module.forward

    @functools.wraps(forward)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        with ledger.redirect() as inside:
            out = forward(*args, **kwargs)
        enter_module_cost(ledger, inside, module, rule(module, (*args, *kwargs.values()), out))
        return out

    return wrapper


def enter_module_cost(
    ledger: Ledger, inside: Ledger, module: nn.Module, cost: OpCost | None
) -> None:
    """Enter the cost of a module's forward, whose operators are in the ledger ``inside``."""
    # It replaces the arithmetic only: bytes are those of the operators that ran.
    moved = sum(tally.bytes_moved for tally in inside.collect_tallies())
    ledger.enter(f"module.{type(module).__name__}", cost, moved)


def windowed_convolution(window: Literal["per call", "folded"] = "per call") -> ModuleRule:
    """Return a rule for a (transposed) convolution whose kernel is multiplied by a window.

    It is for ``module_costs=``, and holds however the layer computes the product.

    Args:
        window: "per call" counts one product for each weight in each call; "folded" assumes that
            the window was multiplied into the weights beforehand and costs nothing.

    Returns:
        A rule for modules with the attributes of `torch.nn.Conv1d` or `torch.nn.ConvTranspose1d`,
        in any number of dimensions.

    Raises:
        UsageError: ``window`` is something else.
    """
    if window not in ("per call", "folded"):
        raise UsageError(
            f"`window` {window!r} is neither 'per call' nor 'folded'",
            "Choose one of these.",
            field="window",
        )

    def rule(module: Any, inputs: tuple[Any, ...], out: Tensor) -> OpCost:
        weight, biased = module.weight, module.bias is not None
        if module.transposed:
            x = inputs[0].shape
            cost = formula.transposed_convolution(x, weight.shape, out.shape, biased=biased)
        else:
            cost = formula.convolution(weight.shape, out.shape, biased=biased)
        return cost + MUL * weight.numel() if window == "per call" else cost

    return rule
