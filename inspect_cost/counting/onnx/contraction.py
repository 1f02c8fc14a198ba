"""Rules for matrix products and convolutions. MACs of integers (quantised layers) are MACs."""

from inspect_cost.counting.onnx.call import NodeCall, Rule
from inspect_cost.counting.onnx.einsum import einsum
from inspect_cost.counting.onnx.fused_shapes import transpose_factor
from inspect_cost.formulas import contraction as formula
from inspect_cost.formulas import pointwise
from inspect_cost.formulas.pointwise import ADD, MUL
from inspect_cost.formulas.resampling import deformed_convolution
from inspect_cost.values.cost import FREE, OpCost

ACTIVATIONS = {
    b"": FREE,
    b"Relu": pointwise.RELU,
    b"LeakyRelu": pointwise.LEAKY_RELU,
    b"Clip": pointwise.CLAMP,
    b"Tanh": pointwise.SPECIAL,
    b"Sigmoid": pointwise.SPECIAL,
    b"HardSigmoid": pointwise.HARD_SIGMOID,
    b"HardSwish": pointwise.HARD_SWISH,
    b"Elu": pointwise.ELU,
    b"Softplus": pointwise.SOFTPLUS,
}


def matmul(call: NodeCall) -> OpCost | None:
    """Count (..., m, k) @ (..., k, n), either of which may be a vector: k MACs per result."""
    return formula.dot_products(call.out.size, call.x.sizes[-1])


def gemm(call: NodeCall) -> OpCost | None:
    """Count `alpha * a @ b + beta * c`."""
    k = call.x.sizes[0 if call.get("transA", 0) else 1]
    added = call.optional(2)
    beta = call.get("beta", 1.0) if added else 0.0
    scaled: int = call.out.size * (abs(call.get("alpha", 1.0)) != 1)
    if added and beta not in (0, 1):
        scaled += added.size
    summed = ADD * call.out.size if beta else FREE
    return formula.dot_products(call.out.size, k) + MUL * scaled + summed


def conv(call: NodeCall) -> OpCost | None:
    """Count a convolution in any number of dimensions, grouped or not."""
    return formula.convolution(call.operand(1).sizes, call.out.sizes, biased=call.has(2))


def conv_transpose(call: NodeCall) -> OpCost | None:
    """Count a transposed convolution."""
    weight = call.operand(1).sizes
    return formula.transposed_convolution(call.x.sizes, weight, call.out.sizes, biased=call.has(2))


def integer_conv(call: NodeCall) -> OpCost | None:
    """Count ConvInteger, which has neither bias nor scaling."""
    return formula.convolution(call.operand(1).sizes, call.out.sizes, biased=False)


def deform_conv(call: NodeCall) -> OpCost | None:
    """Count a convolution whose taps are interpolated between four neighbours and masked."""
    return deformed_convolution(
        call.x.sizes[1],
        call.operand(1).sizes,
        call.out.sizes,
        call.operand(2).size // 2,
        masked=call.has(4),
        biased=call.has(3),
    )


def causal_conv_with_state(call: NodeCall) -> OpCost | None:
    """Count a depthwise causal convolution over the state and the input, then SiLU if asked for."""
    silu = pointwise.SILU if call.get("activation", b"none") in {b"silu", b"swish"} else FREE
    weight = call.operand(1).sizes
    return formula.convolution(weight, call.out.sizes, biased=call.has(2)) + silu * call.out.size


def affine_grid(call: NodeCall) -> OpCost | None:
    """Count applying a d x (d + 1) matrix to each position."""
    return formula.dot_products(call.out.size, call.x.sizes[-1])


# --- as onnxruntime's optimiser fuses them ---


def fused_matmul(call: NodeCall) -> OpCost | None:
    """Count `alpha * a @ b`, each operand transposed if its attributes say so."""
    k = transpose_factor(call, 0, "A")[-1]
    scaled: int = call.out.size * (call.get("alpha", 1.0) != 1)
    return formula.dot_products(call.out.size, k) + MUL * scaled


def fused_matmul_activation(call: NodeCall) -> OpCost | None:
    """Count FusedMatMul followed by an activation."""
    return _add_activation(call, fused_matmul(call))


def fused_gemm(call: NodeCall) -> OpCost | None:
    """Count Gemm followed by an activation."""
    return _add_activation(call, gemm(call))


def fused_conv(call: NodeCall) -> OpCost | None:
    """Count a convolution, the sum with an optional fourth operand, and an activation."""
    added = ADD * call.out.size if call.has(3) else FREE
    whole = conv(call)
    return None if whole is None else _add_activation(call, whole + added)


def _add_activation(call: NodeCall, cost: OpCost | None) -> OpCost | None:
    activation = ACTIVATIONS.get(call.get("activation", b""))
    return None if activation is None or cost is None else cost + activation * call.out.size


def matmul_n_bits(call: NodeCall) -> OpCost | None:
    """Count x times an N x K weight stored in blocks of few bits.

    Each weight is first dequantised, `(q - zero) * scale`. Zero points are integers, so that only
    the product is arithmetic on floats: one MUL per weight.
    """
    K: int = call.get("K")
    N: int = call.get("N")
    products = formula.dot_products(call.out.size, K) + MUL * (K * N)
    return products + (formula.bias(call.out.size) if call.has(5) else FREE)


CONTRACTIONS: dict[str, Rule] = {
    "onnx.MatMul": matmul,
    "onnx.MatMulInteger": matmul,
    "onnx.Gemm": gemm,
    "onnx.Einsum": einsum,
    "onnx.Conv": conv,
    "onnx.ConvInteger": integer_conv,
    "onnx.ConvTranspose": conv_transpose,
    "onnx.DeformConv": deform_conv,
    "onnx.CausalConvWithState": causal_conv_with_state,
    "onnx.AffineGrid": affine_grid,
    "com.microsoft.FusedMatMul": fused_matmul,
    "com.microsoft.FusedMatMulActivation": fused_matmul_activation,
    "com.microsoft.TransposeMatMul": fused_matmul,
    "com.microsoft.FusedGemm": fused_gemm,
    "com.microsoft.GemmFloat8": gemm,
    "com.microsoft.FusedConv": fused_conv,
    "com.microsoft.NhwcFusedConv": fused_conv,
    "com.microsoft.NhwcConv": fused_conv,
    "com.microsoft.nchwc.Conv": fused_conv,
    "com.microsoft.MatMulBnb4": matmul_n_bits,
    "com.microsoft.MatMulNBits": matmul_n_bits,
}
