"""Rules for element-wise arithmetic. Arithmetic on integers and booleans is free."""

from inspect_cost.counting.onnx.call import NodeCall, Rule
from inspect_cost.formulas import pointwise as formula
from inspect_cost.formulas.pointwise import ADD, COMPARE, DIV, MUL, SPECIAL, SQRT
from inspect_cost.values.cost import FREE, OpCost


def per_element(cost: OpCost) -> Rule:
    """Return the rule of an operator that costs the same for each element of its result."""

    def rule(call: NodeCall) -> OpCost | None:
        operands = [*call.inputs, call.out]
        return cost * call.out.size if any(v and v.floating for v in operands) else FREE

    return rule


def variadic(step: OpCost, last: OpCost = FREE) -> Rule:
    """Return the rule of an operator that folds any number of operands, then takes a last step."""
    return lambda call: per_element(step * (len(call.inputs) - 1) + last)(call)


def power(call: NodeCall) -> OpCost | None:
    """Count `base ** exponent`; a constant exponent may make it products or a root."""
    exponent = call.operand(1)
    return per_element(formula.power(exponent.scalar))(call) if call.x.floating else FREE


def clip(call: NodeCall) -> OpCost | None:
    """Count one comparison per bound; before version 11 the bounds are attributes."""
    bounds = call.has(1) + call.has(2) + ("min" in call.attributes) + ("max" in call.attributes)
    return per_element(COMPARE * bounds)(call)


def gelu(call: NodeCall) -> OpCost | None:
    """Count GELU by erf or, if asked for, its approximation by tanh."""
    approximate = call.get("approximate", b"none") == b"tanh"
    return per_element(formula.GELU_TANH if approximate else formula.GELU_ERF)(call)


def shrink(call: NodeCall) -> OpCost | None:
    """Count a shrinkage; a bias moves what remains towards 0."""
    return per_element(formula.SOFT_SHRINK if call.get("bias", 0.0) else formula.HARD_SHRINK)(call)


def swish(call: NodeCall) -> OpCost | None:
    """Count `x * sigmoid(alpha * x)`; an alpha of 1 takes no product."""
    return per_element(formula.SILU + MUL * (call.get("alpha", 1.0) != 1))(call)


def quick_gelu(call: NodeCall) -> OpCost | None:
    """Count `x * sigmoid(alpha * x)`, where alpha is 1.702 by default."""
    return per_element(formula.SILU + MUL * (call.get("alpha", 1.702) != 1))(call)


def scatter(call: NodeCall) -> OpCost | None:
    """Count one step per update that is reduced with the existing value; writing is free."""
    steps = {b"add": ADD, b"mul": MUL, b"max": COMPARE, b"min": COMPARE}
    step = steps.get(call.get("reduction", b"none"), FREE)
    return step * call.operand(2).size if call.x.floating else FREE


def with_bias(activation: OpCost) -> Rule:
    """Return the rule of an activation of x + bias; the bias is optional."""
    return lambda call: per_element(activation + ADD * call.has(1))(call)


def rotary(call: NodeCall) -> OpCost | None:
    """Count rotary embedding: two products and a sum for each number that is rotated.

    Only the first ``rotary_embedding_dim`` numbers of each head are rotated; 0 means all.
    """
    rotated = call.get("rotary_embedding_dim", 0)
    size, heads = call.x.size, call.get("num_heads", 0)
    head = call.x.sizes[-1] if len(call.x.sizes) == 4 or not heads else call.x.sizes[-1] // heads  # noqa: PLR2004 - (B, heads, T, size)
    return formula.ROTATION * (size * rotated // head if rotated else size)


_ARITHMETIC: dict[str, Rule] = {
    "Add": per_element(ADD),
    "Sub": per_element(ADD),
    "Neg": per_element(ADD),
    "Mul": per_element(MUL),
    "Div": per_element(DIV),
    "Reciprocal": per_element(DIV),
    "Sqrt": per_element(SQRT),
    "Mod": per_element(DIV + SPECIAL + MUL + ADD),
    "Pow": power,
    "Sum": variadic(ADD),
    "Mean": variadic(ADD, DIV),
    "Max": variadic(COMPARE),
    "Min": variadic(COMPARE),
    "RotaryEmbedding": rotary,
    "ScatterElements": scatter,
    "ScatterND": scatter,
    "Scatter": scatter,
}

_SPECIAL_FUNCTIONS: dict[str, Rule] = {
    name: per_element(SPECIAL)
    for name in (
        "Exp Log Sin Cos Tan Asin Acos Atan Sinh Cosh Tanh Asinh Acosh Atanh Sigmoid Erf Floor "
        "Ceil Round"
    ).split()
}

_COMPARISONS: dict[str, Rule] = {
    name: per_element(COMPARE)
    for name in (
        "Abs Sign Equal Greater GreaterOrEqual Less LessOrEqual IsInf IsNaN Where ThresholdedRelu"
    ).split()
} | {"Clip": clip}

_ACTIVATIONS: dict[str, Rule] = {
    "Relu": per_element(formula.RELU),
    "LeakyRelu": per_element(formula.LEAKY_RELU),
    "PRelu": per_element(formula.LEAKY_RELU),
    "Elu": per_element(formula.ELU),
    "Celu": per_element(formula.ELU + DIV),
    "Selu": per_element(formula.SELU),
    "Gelu": gelu,
    "Swish": swish,
    "Mish": per_element(formula.MISH),
    "Softplus": per_element(formula.SOFTPLUS),
    "Softsign": per_element(formula.SOFT_SIGN),
    "HardSigmoid": per_element(formula.HARD_SIGMOID),
    "HardSwish": per_element(formula.HARD_SWISH),
    "Shrink": shrink,
}

_MICROSOFT: dict[str, Rule] = {
    "com.microsoft.Gelu": per_element(formula.GELU_ERF),
    "com.microsoft.BiasGelu": with_bias(formula.GELU_ERF),
    "com.microsoft.FastGelu": with_bias(formula.GELU_TANH),
    "com.microsoft.QuickGelu": quick_gelu,
    "com.microsoft.BiasAdd": per_element(2 * ADD),
    "com.microsoft.BiasSplitGelu": lambda call: (
        formula.GELU_ERF * call.out.size + (ADD * 2 + MUL) * call.out.size
    ),
    "com.microsoft.RotaryEmbedding": rotary,
}

_STANDARD = _ARITHMETIC | _SPECIAL_FUNCTIONS | _COMPARISONS | _ACTIVATIONS
POINTWISE: dict[str, Rule] = {f"onnx.{name}": rule for name, rule in _STANDARD.items()} | _MICROSOFT
