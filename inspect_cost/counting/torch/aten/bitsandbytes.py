"""Rules of the operators of bitsandbytes, by their names: products of eight and four bits.

Numbers of four bits are looked up in a table and multiplied by the scale of their block.
"""

from collections.abc import Sequence
from math import prod
from typing import Any

from torch import Tensor

from inspect_cost.counting.torch.aten.rule import Rule
from inspect_cost.formulas import contraction as formula
from inspect_cost.formulas.pointwise import COMPARE, DIV, MUL
from inspect_cost.formulas.quantization import (
    SCALE_AND_ZERO,
    choose_scale,
    dynamic_quantization,
)
from inspect_cost.values.cost import FREE, OpCost


def _biased(out: Tensor, bias: Tensor | None) -> OpCost:
    return FREE if bias is None else formula.bias(out.numel())


def quantize_rows(out: Any, x: Tensor, *_options: Any, **_named: Any) -> OpCost:
    """Count quantising each row by its range."""
    n = x.shape[-1]
    return dynamic_quantization(n) * (x.numel() // n) if n else FREE


def quantize_rows_and_columns(out: Any, x: Tensor, *_options: Any, **_named: Any) -> OpCost:
    """Count quantising a matrix twice, by the ranges of its rows and of its columns."""
    return quantize_rows(out, x) + quantize_rows(out, x.reshape(-1, x.shape[-1]).t())


def integer_product(out: Tensor, a: Tensor, b: Tensor, *_rest: Any, **_named: Any) -> OpCost:
    """Count (..., k) by (n, k), both of integers."""
    return formula.dot_products(out.numel(), a.shape[-1])


def scaled_product(
    out: Tensor,
    a: Tensor,
    b: Tensor,
    row_stats: Tensor,
    col_stats: Tensor,
    bias: Tensor | None = None,
    dtype: Any = None,
) -> OpCost:
    """Count (..., k) by (n, k) of integers, with a scale for each row and each column."""
    return integer_product(out, a, b) + 2 * MUL * out.numel() + _biased(out, bias)


def mixed_product(
    out: Sequence[Tensor],
    x: Tensor,
    a: Tensor,
    b: Tensor,
    row_stats: Tensor,
    col_stats: Tensor,
    outlier_cols: Tensor | None = None,
    bias: Tensor | None = None,
) -> OpCost:
    """Count `scaled_product`, and the product of columns that are left real."""
    result = out[0]
    columns = 0 if outlier_cols is None else outlier_cols.numel()
    left = formula.dot_products(result.numel(), columns) if columns else FREE
    return scaled_product(result, a, b, row_stats, col_stats, bias) + left


def rescale(
    out: Tensor, sums: Tensor, row_stats: Tensor, col_stats: Tensor, *rest: Any, **named: Any
) -> OpCost:
    """Count multiplying integers by a scale for each row and each column."""
    bias = rest[1] if len(rest) > 1 else named.get("bias")
    return 2 * MUL * out.numel() + _biased(out, bias)


def look_up(out: Tensor, *_packed: Any, **_named: Any) -> OpCost:
    """Count numbers that are looked up and multiplied by the scale of their block."""
    return MUL * out.numel()


def product_of_four_bits(
    out: Tensor,
    x: Tensor,
    packed: Tensor,
    shape: Sequence[int],
    absmax: Tensor,
    blocksize: Any = None,
    quant_type: Any = None,
    bias: Tensor | None = None,
    absmax_8bit: Tensor | None = None,
    *_tables: Any,
    **_more: Any,
) -> OpCost:
    """Count (..., k) by n k numbers of four bits; their scales may have been quantised too."""
    scales = FREE if absmax_8bit is None else SCALE_AND_ZERO * absmax_8bit.numel()
    unpacking = MUL * prod(shape) + scales
    return unpacking + formula.dot_products(out.numel(), x.shape[-1]) + _biased(out, bias)


def quantize_by_table(comparisons: int) -> Rule:
    """Make the rule of quantising blocks to the entries of a table, by as many comparisons."""

    def rule(out: Any, x: Tensor, *_options: Any, **_named: Any) -> OpCost:
        return choose_scale(x.numel()) + (DIV + COMPARE * comparisons) * x.numel()

    return rule


_RULES: dict[str, Rule] = {
    "int8_vectorwise_quant": quantize_rows,
    "int8_double_quant": quantize_rows_and_columns,
    "int8_vectorwise_dequant": look_up,
    "int8_linear_matmul": integer_product,
    "int8_scaled_mm": scaled_product,
    "int8_mixed_scaled_mm": mixed_product,
    "int8_mm_dequant": rescale,
    "gemm_4bit": product_of_four_bits,
    "gemv_4bit": product_of_four_bits,
    "dequantize_4bit": look_up,
    "dequantize_blockwise": look_up,
    "quantize_4bit": quantize_by_table(4),
    "quantize_blockwise": quantize_by_table(8),
}

BITSANDBYTES: dict[str, Rule] = {f"bitsandbytes.{name}": rule for name, rule in _RULES.items()}
