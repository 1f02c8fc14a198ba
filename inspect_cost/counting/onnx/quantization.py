"""Rules for quantised operators: contractions of integers are MACs, scaling is arithmetic.

Quantising and dequantising cost the same as in PyTorch: `inspect_cost.formulas.quantization`.
"""

from math import prod

from inspect_cost.counting.onnx.call import NodeCall, Rule
from inspect_cost.formulas import contraction
from inspect_cost.formulas.pointwise import ADD, COMPARE, LEAKY_RELU, MUL, SPECIAL
from inspect_cost.formulas.quantization import (
    DEQUANTIZE,
    QUANTIZE,
    REQUANTIZE,
    RESCALE,
    dynamic_quantization,
)
from inspect_cost.formulas.reduction import mean, softmax
from inspect_cost.values.cost import FREE, OpCost


def quantize(call: NodeCall) -> OpCost | None:
    """Count `clamp(round(x / scale) + zero)`."""
    return QUANTIZE * call.out.size


def dequantize(call: NodeCall) -> OpCost | None:
    """Count `(x - zero) * scale`."""
    return DEQUANTIZE * call.out.size


def dequantize_blocks(call: NodeCall) -> OpCost | None:
    """Count `(q - zero) * scale` of weights of few bits, whose zero points are integers."""
    return MUL * call.out.size


def dynamic_quantize(call: NodeCall) -> OpCost | None:
    """Count finding both extremes of x, then quantising it."""
    return dynamic_quantization(call.x.size)


def conv(call: NodeCall) -> OpCost | None:
    """Count QLinearConv; operands: x, scale, zero, w, scale, zero, y's scale, zero, bias."""
    products = contraction.convolution(call.operand(3).sizes, call.out.sizes, biased=call.has(8))
    return products + REQUANTIZE * call.out.size


def matmul(call: NodeCall) -> OpCost | None:
    """Count QLinearMatMul: a product of integers, requantised to the result's scale."""
    return contraction.dot_products(call.out.size, call.x.sizes[-1]) + REQUANTIZE * call.out.size


def gemm(call: NodeCall) -> OpCost | None:
    """Count QGemm of a, b and c with scales; it returns floats unless the result has a scale."""
    k = call.x.sizes[0 if call.get("transA", 0) else 1]
    scaling = REQUANTIZE if call.has(7) else RESCALE
    biased = contraction.bias(call.out.size) if call.has(6) else FREE
    return contraction.dot_products(call.out.size, k) + scaling * call.out.size + biased


def scaled_matmul(bias_at: int) -> Rule:
    """Return the rule of a product of integers that returns floats: rescaled, plus a bias."""

    def rule(call: NodeCall) -> OpCost | None:
        out = call.out.size
        biased = contraction.bias(out) if call.has(bias_at) else FREE
        return contraction.dot_products(out, call.x.sizes[-1]) + RESCALE * out + biased

    return rule


def dynamic_matmul(call: NodeCall) -> OpCost | None:
    """Count DynamicQuantizeMatMul, which quantises its first operand."""
    product = scaled_matmul(4)(call)
    quantisation = dynamic_quantize(call)
    return product + quantisation if product and quantisation else None


def pointwise(cost: OpCost, operands: int = 1) -> Rule:
    """Return the rule of an element-wise operator: dequantise, compute, quantise."""
    return lambda call: (cost + DEQUANTIZE * operands + QUANTIZE) * call.out.size


def average_pool(call: NodeCall) -> OpCost | None:
    """Count means of integers, requantised; over the whole plane if there is no window."""
    window = call.get("kernel_shape")
    n = prod(window) if window else call.x.size // max(1, call.out.size)
    return mean(call.out.size, n) + REQUANTIZE * call.out.size


def qlinear_softmax(call: NodeCall) -> OpCost | None:
    """Count dequantising, softmax by rows, and quantising."""
    n = call.x.sizes[call.get("axis", -1)]
    return softmax(call.x.size // max(1, n), n) + (DEQUANTIZE + QUANTIZE) * call.out.size


QUANTIZATION: dict[str, Rule] = {
    "onnx.QuantizeLinear": quantize,
    "onnx.DequantizeLinear": dequantize,
    "onnx.DynamicQuantizeLinear": dynamic_quantize,
    "onnx.QLinearConv": conv,
    "onnx.QLinearMatMul": matmul,
    "com.microsoft.QuantizeLinear": quantize,
    "com.microsoft.DequantizeLinear": dequantize,
    "com.microsoft.GatherBlockQuantized": dequantize_blocks,
    "com.microsoft.QLinearConv": conv,
    "com.microsoft.QGemm": gemm,
    "com.microsoft.MatMulIntegerToFloat": scaled_matmul(6),
    "com.microsoft.DynamicQuantizeMatMul": dynamic_matmul,
    "com.microsoft.QLinearAdd": pointwise(ADD, 2),
    "com.microsoft.QLinearMul": pointwise(MUL, 2),
    "com.microsoft.QLinearWhere": pointwise(COMPARE, 2),
    "com.microsoft.QLinearSigmoid": pointwise(SPECIAL),
    "com.microsoft.QLinearLeakyRelu": pointwise(LEAKY_RELU),
    "com.microsoft.QLinearAveragePool": average_pool,
    "com.microsoft.QLinearGlobalAveragePool": average_pool,
    "com.microsoft.QLinearSoftmax": qlinear_softmax,
    "com.microsoft.QLinearConcat": lambda call: (DEQUANTIZE + QUANTIZE) * call.out.size,
}
