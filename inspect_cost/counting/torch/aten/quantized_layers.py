"""Rules of layers that are quantised throughout: operands, weights and results are integers.

Products of integers are MACs, as of the layer that was quantised. Sums are requantised to the
scale of the result, and what is not linear is computed on real numbers: dequantised, quantised.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from inspect_cost.counting.torch.aten import contraction, normalization
from inspect_cost.counting.torch.aten.rule import Rule
from inspect_cost.counting.torch.contents import unpack_weights
from inspect_cost.formulas import contraction as formula
from inspect_cost.formulas import pointwise as activation
from inspect_cost.formulas.pointwise import ADD, MUL, RELU, SPECIAL
from inspect_cost.formulas.quantization import (
    DEQUANTIZE,
    QUANTIZE,
    REQUANTIZE,
    RESCALE,
    SCALE_AND_ZERO,
    dynamic_quantization,
)
from inspect_cost.formulas.reduction import softmax
from inspect_cost.values.cost import FREE, OpCost

#: From result, operand, weight, bias, stride, padding and dilation to the cost of the products.
Products = Callable[..., OpCost]


def make_layer(products: Products, each_result: OpCost, *, quantizes_input: bool = False) -> Rule:
    """Make the rule of a layer whose weight and bias are packed.

    Args:
        products: cost of its products and its bias.
        each_result: what is done to each result.
        quantizes_input: whether the operand is real and is quantised by its range.
    """

    def rule(out: Tensor, x: Tensor, *rest: Any, **_options: Any) -> OpCost:
        packed = next(value for value in rest if isinstance(value, torch.ScriptObject))
        quantization = dynamic_quantization(x.numel()) if quantizes_input else FREE
        return quantization + products(out, x, packed) + each_result * out.numel()

    return rule


def linear(out: Tensor, x: Tensor, packed: torch.ScriptObject) -> OpCost:
    """Count the products and the bias of a packed linear layer."""
    weight, *bias = unpack_weights(packed)
    products = formula.dot_products(out.numel(), x.shape[-1] if x.dim() else weight.shape[-1])
    return products + (formula.bias(out.numel()) if bias else FREE)


def make_convolution(rule: Callable[..., OpCost]) -> Products:
    """Make the products of a packed convolution from the rule of a plain one.

    In one dimension, kernels and sizes are packed as those of an image of height 1.
    """

    def products(out: Tensor, x: Tensor, packed: Any) -> OpCost:
        weight, *bias = unpack_weights(packed)
        sizes = {name: getattr(packed, name)() for name in ("stride", "padding", "dilation")}
        if weight.dim() > x.dim():
            weight = weight.squeeze(2)
            sizes = {name: size[-1:] for name, size in sizes.items()}
        return rule(out, x, weight, bias[0] if bias else None, **sizes)

    return products


def _convolution(out: Tensor, x: Tensor, weight: Tensor, bias: Tensor | None, **_: Any) -> OpCost:
    return contraction.conv(out, x, weight, bias)


def _transposed(out: Tensor, x: Tensor, weight: Tensor, bias: Tensor | None, **_: Any) -> OpCost:
    return contraction.conv_transpose(out, x, weight, bias)


def make_convolutions(
    conv: Callable[..., OpCost], transposed: Callable[..., OpCost]
) -> dict[str, Rule]:
    """Make the rules of all packed convolutions from those of plain ones, dense or valid."""
    rules: dict[str, Rule] = {}
    for n in (1, 2, 3):
        plain, across = make_convolution(conv), make_convolution(transposed)
        name, transposed_name = f"quantized.conv{n}d", f"quantized.conv_transpose{n}d"
        rules |= {
            name: make_layer(plain, REQUANTIZE),
            f"{name}_relu": make_layer(plain, REQUANTIZE + RELU),
            f"{name}_dynamic": make_layer(plain, RESCALE, quantizes_input=True),
            transposed_name: make_layer(across, REQUANTIZE),
            f"{transposed_name}_dynamic": make_layer(across, RESCALE, quantizes_input=True),
        }
    images = make_convolution(conv)
    sum_of_two = REQUANTIZE + DEQUANTIZE + ADD
    return rules | {
        "quantized.conv2d_add": make_layer(images, sum_of_two),
        "quantized.conv2d_add_relu": make_layer(images, sum_of_two + RELU),
    }


def pointwise(cost: OpCost, operands: int = 1) -> Rule:
    """Make the rule of an element-wise operator: dequantise, compute, quantise."""
    each = cost + DEQUANTIZE * operands + QUANTIZE
    return lambda out, *_args, **_options: each * out.numel()


def binary(cost: OpCost) -> Rule:
    """Make the rule of an operator of two operands, of which one may be a number."""

    def rule(out: Tensor, *operands: Any, **_options: Any) -> OpCost:
        tensors = sum(isinstance(operand, Tensor) for operand in operands[:2])
        return (cost + DEQUANTIZE * tensors + QUANTIZE) * out.numel()

    return rule


def on_integers(cost: OpCost) -> Rule:
    """Make the rule of what compares integers, and needs no scale."""
    return lambda out, *_args, **_options: cost * out.numel()


def matmul(out: Tensor, a: Tensor, *_rest: Any) -> OpCost:
    """Count a product of integers, requantised to the result's scale."""
    return formula.dot_products(out.numel(), a.shape[-1]) + REQUANTIZE * out.numel()


def softmax_by_rows(out: Tensor, x: Tensor, dim: int, *_rest: Any) -> OpCost:
    """Count dequantising, softmax along a dimension, and quantising."""
    n = x.shape[dim] if x.dim() else 1
    rows = x.numel() // n if n else 0
    return softmax(rows, n) + (DEQUANTIZE + QUANTIZE) * out.numel()


def between_scales(rule: Callable[..., OpCost | None], after: OpCost = FREE) -> Rule:
    """Make a rule of the plain operator's, on numbers that are dequantised and then quantised."""

    def wrapped(out: Tensor, *args: Any, **kwargs: Any) -> OpCost | None:
        cost = rule(out, *args, **kwargs)
        return cost and cost + (DEQUANTIZE + after + QUANTIZE) * out.numel()

    return wrapped


def _instance_norm(out: Tensor, x: Tensor, weight: Any, bias: Any, *_rest: Any) -> OpCost | None:
    return normalization.instance_norm(out, x, weight, bias, None, None, True)


def embedding_bag(
    out: Tensor,
    _table: Any,
    indices: Tensor,
    _offsets: Tensor | None = None,
    _scale_grad_by_freq: bool = False,
    mode: int = 0,
    *_rest: Any,
    **_options: Any,
) -> OpCost:
    """Count unpacking the rows that are looked up, and their sum in each bag, or their mean."""
    features = out.shape[-1]
    sums = formula.dot_products(features, indices.numel())
    mean = activation.DIV * out.numel() if mode else FREE
    return SCALE_AND_ZERO * (features * indices.numel()) + sums + mean


_BATCH_NORM = normalization.batch_norm_without_training


_RANKS = ("", "1d", "2d", "3d")

STATIC_LAYERS: dict[str, Rule] = make_convolutions(_convolution, _transposed) | {
    "quantized.linear": make_layer(linear, REQUANTIZE),
    "quantized.linear_relu": make_layer(linear, REQUANTIZE + RELU),
    "quantized.linear_leaky_relu": make_layer(linear, REQUANTIZE + activation.LEAKY_RELU),
    "quantized.linear_tanh": make_layer(linear, REQUANTIZE + SPECIAL),
    "quantized.matmul": matmul,
    "quantized.softmax": softmax_by_rows,
    "quantized.add": binary(ADD),
    "quantized.add_relu": binary(ADD + RELU),
    "quantized.add_scalar": binary(ADD),
    "quantized.add_scalar_relu": binary(ADD + RELU),
    "quantized.mul": binary(MUL),
    "quantized.mul_relu": binary(MUL + RELU),
    "quantized.mul_scalar": binary(MUL),
    "quantized.mul_scalar_relu": binary(MUL + RELU),
    "quantized.hardswish": pointwise(activation.HARD_SWISH),
    "quantized.sigmoid": pointwise(SPECIAL),
    "quantized.leaky_relu": pointwise(activation.LEAKY_RELU),
    "quantized.prelu": pointwise(activation.LEAKY_RELU),
    "quantized.elu": pointwise(activation.ELU),
    "quantized.celu": pointwise(activation.ELU + activation.DIV),
    "quantized.relu6": on_integers(activation.CLAMP),
    "quantized.clamp": on_integers(activation.CLAMP),
    "quantized.threshold": on_integers(activation.COMPARE),
    "quantized.cat": pointwise(FREE),
    "quantized.cat_relu": pointwise(RELU),
    "quantized.layer_norm": between_scales(normalization.layer_norm),
    "quantized.group_norm": between_scales(normalization.group_norm),
    "quantized.instance_norm": between_scales(_instance_norm),
    "quantized.embedding_byte": on_integers(SCALE_AND_ZERO),
    "quantized.embedding_4bit": on_integers(SCALE_AND_ZERO),
    "quantized.embedding_bag_byte": embedding_bag,
    "quantized.embedding_bag_4bit": embedding_bag,
    "quantized.embedding_bag_byte_rowwise_offsets": embedding_bag,
    "quantized.embedding_bag_4bit_rowwise_offsets": embedding_bag,
    "quantized.dropout": lambda *_args, **_options: FREE,
}
STATIC_LAYERS |= {f"quantized.batch_norm{n}": between_scales(_BATCH_NORM) for n in _RANKS}
STATIC_LAYERS |= {
    f"quantized.batch_norm{n}_relu": between_scales(_BATCH_NORM, RELU) for n in _RANKS
}
