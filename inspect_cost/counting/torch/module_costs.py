"""Costs that a user gives for whole modules, replacing the sum of their operators."""

import functools
from collections.abc import Callable, Mapping
from typing import Any, Literal

from torch import Tensor, nn

from inspect_cost.counting.torch.ledger import Ledger
from inspect_cost.formulas import contraction as formula
from inspect_cost.formulas.pointwise import MUL
from inspect_cost.values.cost import OpCost

#: From a module, its inputs and its output to its cost; None if the rule does not know.
ModuleRule = Callable[[Any, tuple[Any, ...], Any], OpCost | None]


def apply_module_costs(
    model: nn.Module, ledger: Ledger, rules: Mapping[type[nn.Module] | str, ModuleRule]
) -> None:
    """Make each forward of a module that has a rule enter what the rule returns.

    This changes the modules, so it is for a stand-in, never for the caller's model.

    Args:
        model: the stand-in.
        ledger: where costs are entered.
        rules: rules by class, which also hold for subclasses, or by path; a path takes precedence.
    """
    for path, module in model.named_modules() if rules else ():
        rule = rules.get(path) or _find_rule(type(module), rules)
        if rule:
            vars(module)["forward"] = _wrap_forward(module, ledger, rule)


def _find_rule(
    kind: type[nn.Module], rules: Mapping[type[nn.Module] | str, ModuleRule]
) -> ModuleRule | None:
    """Find the rule of the nearest class in the method resolution order."""
    return next((rules[base] for base in kind.__mro__ if base in rules), None)


def _wrap_forward(module: nn.Module, ledger: Ledger, rule: ModuleRule) -> Callable[..., Any]:
    """Wrap a forward so that its rule's cost is entered instead of its operators' costs."""
    forward = module.forward

    @functools.wraps(forward)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        with ledger.redirect() as inside:
            out = forward(*args, **kwargs)
        # The rule replaces the arithmetic only: bytes are those of the operators that ran.
        moved = sum(tally.bytes_moved for tally in inside.collect_tallies())
        cost = rule(module, (*args, *kwargs.values()), out)
        ledger.enter(f"module.{type(module).__name__}", cost, moved)
        return out

    return wrapper


def windowed_convolution(window: Literal["per call", "folded"] = "per call") -> ModuleRule:
    """Return a rule for a (transposed) convolution whose kernel is multiplied by a window.

    It is for ``module_costs=``, and holds however the layer computes the product.

    Args:
        window: "per call" counts one product for each weight in each call; "folded" assumes that
            the window was multiplied into the weights beforehand and costs nothing.

    Returns:
        A rule for modules with the attributes of `torch.nn.Conv1d` or `torch.nn.ConvTranspose1d`,
        in any number of dimensions.
    """
    if window not in ("per call", "folded"):
        raise ValueError(f"window must be 'per call' or 'folded', not {window!r}")

    def rule(module: Any, inputs: tuple[Any, ...], out: Tensor) -> OpCost:
        weight, biased = module.weight, module.bias is not None
        if module.transposed:
            x = inputs[0].shape
            cost = formula.transposed_convolution(x, weight.shape, out.shape, biased=biased)
        else:
            cost = formula.convolution(weight.shape, out.shape, biased=biased)
        return cost + MUL * weight.numel() if window == "per call" else cost

    return rule
