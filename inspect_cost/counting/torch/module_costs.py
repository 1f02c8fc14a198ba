"""Modules that cost what their user says, instead of the sum of their operators."""

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
    """Enter, for each forward of the modules that have a rule, what the rule says.

    The modules are changed, so this is for a stand-in, never for the caller's model.

    Args:
        model: the stand-in.
        ledger: where costs are entered.
        rules: by class, which holds for its subclasses too, or by path, which goes first.
    """
    for path, module in model.named_modules() if rules else ():
        rule = rules.get(path) or _find_rule(type(module), rules)
        if rule:
            vars(module)["forward"] = _wrap_forward(module, ledger, rule)


def _find_rule(
    kind: type[nn.Module], rules: Mapping[type[nn.Module] | str, ModuleRule]
) -> ModuleRule | None:
    """That of the nearest class in the order of inheritance."""
    return next((rules[base] for base in kind.__mro__ if base in rules), None)


def _wrap_forward(module: nn.Module, ledger: Ledger, rule: ModuleRule) -> Callable[..., Any]:
    forward = module.forward

    @functools.wraps(forward)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        with ledger.redirect() as inside:
            out = forward(*args, **kwargs)
        moved = sum(tally.bytes_moved for tally in inside.collect_tallies())
        cost = rule(module, (*args, *kwargs.values()), out)
        ledger.enter(f"module.{type(module).__name__}", cost, moved)
        return out

    return wrapper


def windowed_convolution(window: Literal["per call", "folded"] = "per call") -> ModuleRule:
    """The cost of a (transposed) convolution whose kernel is multiplied by a window.

    For ``module_costs=``, whatever the layer computes it by.

    Args:
        window: "per call": a product for each weight at each call; "folded": multiplied once,
            before, so that nothing is left of it.

    Returns:
        A rule for modules with the attributes of `torch.nn.Conv1d` or `torch.nn.ConvTranspose1d`,
        in any number of dimensions.
    """
    if window not in ("per call", "folded"):
        raise ValueError(f"{window!r} is neither 'per call' nor 'folded'")

    def rule(module: Any, inputs: tuple[Any, ...], out: Tensor) -> OpCost:
        weight, biased = module.weight, module.bias is not None
        if module.transposed:
            x = inputs[0].shape
            cost = formula.transposed_convolution(x, weight.shape, out.shape, biased=biased)
        else:
            cost = formula.convolution(weight.shape, out.shape, biased=biased)
        return cost + MUL * weight.numel() if window == "per call" else cost

    return rule
