"""Rules of products with quantised operands, and of quantisation; MACs of integers are MACs.

Weights are unpacked if the kernel does so: four-bit weights become floating-point numbers with one
product and one addition each, while sums over eight-bit weights are scaled instead.
"""

from typing import Any

from torch import Tensor

from inspect_cost.counting.torch.aten.rule import Rule
from inspect_cost.formulas import contraction as formula
from inspect_cost.formulas.pointwise import MUL, RELU
from inspect_cost.formulas.quantization import (
    DEQUANTIZE,
    FAKE_QUANTIZE,
    QUANTIZE,
    RESCALE,
    SCALE_AND_ZERO,
    choose_scale,
    dynamic_quantization,
)
from inspect_cost.values.cost import FREE, OpCost


def integer_product(out: Tensor, a: Tensor, b: Tensor) -> OpCost:
    """Count (m, k) by (k, n), both of integers."""
    return formula.dot_products(out.numel(), a.shape[-1])


def weight_only_int8(out: Tensor, x: Tensor, weight: Tensor, scales: Tensor) -> OpCost:
    """Count (m, k) by integers of (n, k), with a scale for each of the n outputs."""
    return formula.dot_products(out.numel(), x.shape[-1]) + RESCALE * out.numel()


def weight_only_int4(out: Tensor, x: Tensor, packed: Tensor, *_groups: Any) -> OpCost:
    """Count (m, k) by `k n` four-bit weights, each unpacked once."""
    weights = x.shape[-1] * out.shape[-1]
    return formula.dot_products(out.numel(), x.shape[-1]) + SCALE_AND_ZERO * weights


def scaled_product(
    out: Tensor,
    a: Tensor,
    b: Tensor,
    scale_a: Tensor,
    scale_b: Tensor,
    bias: Tensor | None = None,
    *_options: Any,
    **_more: Any,
) -> OpCost:
    """Count (m, k) by (k, n) of eight-bit floats; two single scales are multiplied once."""
    products = formula.dot_products(out.numel(), a.shape[-1])
    single = scale_a.numel() == scale_b.numel() == 1
    scaling = MUL * (out.numel() + 1) if single else 2 * MUL * out.numel()
    return products + scaling + (FREE if bias is None else formula.bias(out.numel()))


def grouped_product(
    out: Tensor,
    a: Tensor,
    b: Tensor,
    offs: Tensor | None = None,
    bias: Tensor | None = None,
    out_dtype: Any = None,
) -> OpCost:
    """Count a product by groups of rows, of columns or of terms: each number of a meets n of b.

    If a has all its rows in every group (3-D by 2-D), each number of b meets m of a instead.
    """
    by_columns = a.dim() > b.dim()
    macs = a.shape[-2] * b.numel() if by_columns else a.numel() * b.shape[-1]
    return OpCost(macs=macs) + (FREE if bias is None else formula.bias(out.numel()))


def dynamic_linear(out: Tensor, x: Tensor, packed: Any, *_options: Any) -> OpCost:
    """Count quantising x by its range, integer products, their scaling, and the bias."""
    products = formula.dot_products(out.numel(), x.shape[-1])
    biased = formula.bias(out.numel()) if packed.bias() is not None else FREE
    return dynamic_quantization(x.numel()) + products + RESCALE * out.numel() + biased


def dynamic_linear_relu(out: Tensor, x: Tensor, packed: Any, *_options: Any) -> OpCost:
    """Count `dynamic_linear` and a comparison of each result with 0."""
    return dynamic_linear(out, x, packed) + RELU * out.numel()


def half_linear(out: Tensor, x: Tensor, packed: Any, *_options: Any) -> OpCost:
    """Count a linear layer whose weights are stored in half precision and only cast."""
    biased = formula.bias(out.numel()) if packed.bias() is not None else FREE
    return formula.dot_products(out.numel(), x.shape[-1]) + biased


def by_element(cost: OpCost) -> Rule:
    """Make the rule of quantising or dequantising each number."""
    return lambda out, x, *_args, **_options: cost * x.numel()


def scale_of_all(out: Any, x: Tensor, *_options: Any, **_named: Any) -> OpCost:
    """Count choosing the scale of a tensor."""
    return choose_scale(x.numel())


def scale_of_rows(out: Any, x: Tensor, *_options: Any, **_named: Any) -> OpCost:
    """Count choosing a scale for each row."""
    n = x.shape[-1]
    return choose_scale(n) * (x.numel() // n) if n else FREE


_QUANTIZING = "per_tensor per_channel per_token per_channel_group".split()
_BY_ROW = "choose_qparams_per_token choose_qparams_per_token_asymmetric"

#: What quantised graphs of `torch.export` (pt2e) hold between operators on real numbers.
DECOMPOSED: dict[str, Rule] = {
    f"quantized_decomposed.{name}": rule
    for name, rule in (
        *((f"quantize_{kind}", by_element(QUANTIZE)) for kind in _QUANTIZING),
        *((f"dequantize_{kind}", by_element(DEQUANTIZE)) for kind in _QUANTIZING),
        ("fake_quant_per_channel", by_element(FAKE_QUANTIZE)),
        ("choose_qparams", scale_of_all),
        ("choose_qparams_symmetric", scale_of_all),
        ("_choose_qparams_per_token_asymmetric_impl", scale_of_rows),
        *((name, scale_of_rows) for name in _BY_ROW.split()),
        ("convert_element_type", by_element(FREE)),
    )
}

QUANTIZED: dict[str, Rule] = DECOMPOSED | {
    "aten._int_mm": integer_product,
    "aten._weight_int8pack_mm": weight_only_int8,
    "aten._weight_int4pack_mm": weight_only_int4,
    "aten._weight_int4pack_mm_for_cpu": weight_only_int4,
    "aten._weight_int4pack_mm_with_scales_and_zeros": weight_only_int4,
    "aten._scaled_mm": scaled_product,
    "aten._grouped_mm": grouped_product,
    "aten.quantize_per_tensor": by_element(QUANTIZE),
    "aten.quantize_per_channel": by_element(QUANTIZE),
    "aten.quantize_per_tensor_dynamic": lambda out, x, *_: dynamic_quantization(x.numel()),
    "aten.dequantize.self": by_element(DEQUANTIZE),
    "aten.fake_quantize_per_tensor_affine_cachemask": by_element(FAKE_QUANTIZE),
    "aten.fake_quantize_per_channel_affine_cachemask": by_element(FAKE_QUANTIZE),
    "quantized.linear_dynamic": dynamic_linear,
    "quantized.linear_relu_dynamic": dynamic_linear_relu,
    "quantized.linear_dynamic_fp16": half_linear,
}
