"""Attention against loops over its scores."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from inspect_cost.counting.torch.aten import ATEN_RULES
from inspect_cost.formulas import attention as formula
from inspect_cost.values.cost import OpCost
from tests.formulas.naive import attention as naive
from tests.formulas.proof import EXACT, SIZE, count_cost, draw_normal, prove

attend = F.scaled_dot_product_attention


@dataclass(frozen=True)
class Sizes:
    """Sizes of a batch of heads."""

    batch: int
    heads: int
    L: int
    S: int
    E: int
    Ev: int

    def operands(self, key_heads: int | None = None) -> list[Tensor]:
        """Draw queries, keys and values."""
        kv = (self.batch, key_heads or self.heads, self.S)
        return draw_normal((self.batch, self.heads, self.L, self.E), (*kv, self.E), (*kv, self.Ev))

    def cost(self, *, masked: bool) -> OpCost:
        """Return the formula's cost."""
        heads = self.batch * self.heads
        return formula.scaled_dot_product_attention(
            heads, self.L, self.S, self.E, self.Ev, masked=masked
        )


SIZES = st.builds(Sizes, st.integers(1, 2), st.integers(1, 3), SIZE, SIZE, SIZE, SIZE)


@EXACT
@given(sizes=SIZES)
def test_attention(sizes: Sizes) -> None:
    prove(attend, naive.attention, *sizes.operands(), formula=sizes.cost(masked=False))


@EXACT
@given(sizes=SIZES)
def test_an_added_mask_is_one_addition_a_score(sizes: Sizes) -> None:
    (mask,) = draw_normal((sizes.L, sizes.S))
    prove(attend, naive.attention, *sizes.operands(), mask, formula=sizes.cost(masked=True))


@EXACT
@given(sizes=SIZES)
def test_masked_scores_are_computed(sizes: Sizes) -> None:
    seen = torch.ones(sizes.L, sizes.S, dtype=torch.bool).tril()
    mask = np.where(seen.numpy(), 0.0, -math.inf)
    prove(
        lambda q, k, v: attend(q, k, v, attn_mask=seen),
        lambda q, k, v: naive.attention(q, k, v, mask),
        *sizes.operands(),
        formula=sizes.cost(masked=True),
    )


@EXACT
@given(sizes=SIZES)
def test_causal_attention_computes_both_halves(sizes: Sizes) -> None:
    prove(
        lambda q, k, v: attend(q, k, v, is_causal=True),
        lambda q, k, v: naive.attention(q, k, v, naive.causal_mask(sizes.L, sizes.S)),
        *sizes.operands(),
        formula=sizes.cost(masked=True),
    )


@EXACT
@given(sizes=SIZES, queries_per_key=st.integers(1, 3))
def test_grouped_queries_cost_by_the_heads_of_the_queries(
    sizes: Sizes, queries_per_key: int
) -> None:
    grouped = Sizes(sizes.batch, sizes.heads * queries_per_key, sizes.L, sizes.S, sizes.E, sizes.Ev)
    prove(
        lambda q, k, v: attend(q, k, v, enable_gqa=True),
        naive.attention,
        *grouped.operands(key_heads=sizes.heads),
        formula=grouped.cost(masked=False),
    )


@EXACT
@given(sizes=SIZES, copies=st.integers(2, 3))
def test_queries_broadcast_over_the_batch_are_used_in_each_entry(sizes: Sizes, copies: int) -> None:
    _, k, v = replace(sizes, batch=copies).operands()
    (q,) = draw_normal((1, sizes.heads, sizes.L, sizes.E))
    prove(
        attend,
        lambda q, k, v: naive.attention(q.repeat(copies, axis=0), k, v),
        q,
        k,
        v,
    )


KERNELS: dict[str, tuple[torch._ops.OpOverloadPacket, tuple[Any, ...]]] = {
    "_scaled_dot_product_flash_attention_for_cpu": (
        torch.ops.aten._scaled_dot_product_flash_attention_for_cpu,  # noqa: SLF001
        (0.0,),
    ),
    "_scaled_dot_product_flash_attention": (
        torch.ops.aten._scaled_dot_product_flash_attention,  # noqa: SLF001
        (0.0,),
    ),
    "_scaled_dot_product_efficient_attention": (
        torch.ops.aten._scaled_dot_product_efficient_attention,  # noqa: SLF001
        (None, False, 0.0),
    ),
    "_scaled_dot_product_cudnn_attention": (
        torch.ops.aten._scaled_dot_product_cudnn_attention,  # noqa: SLF001
        (None, False, 0.0),
    ),
    "_scaled_dot_product_fused_attention_overrideable": (
        torch.ops.aten._scaled_dot_product_fused_attention_overrideable,  # noqa: SLF001
        (None, 0.0),
    ),
    "_scaled_dot_product_attention_math": (
        torch.ops.aten._scaled_dot_product_attention_math,  # noqa: SLF001
        (None, 0.0),
    ),
}


@pytest.mark.parametrize("causal", [False, True], ids=["all keys", "causal"])
@pytest.mark.parametrize("name", KERNELS)
def test_fused_kernels_cost_what_they_fuse(name: str, causal: bool) -> None:
    """Rules are called with arguments in schema order, since most kernels do not run on a CPU."""
    operator, options = KERNELS[name]
    sizes = Sizes(2, 3, 4, 4, 5, 5)
    rule = ATEN_RULES[f"aten.{name}"]
    assert operator.default._schema.arguments[2 + len(options)].name == "dropout_p"  # noqa: SLF001
    assert operator.default._schema.arguments[3 + len(options)].name == "is_causal"  # noqa: SLF001
    query, key, value = sizes.operands()
    out = query.new_empty((*query.shape[:-1], value.shape[-1]))
    for result in (out, (out, None)):
        assert rule(result, query, key, value, *options, causal) == sizes.cost(masked=causal)


def test_the_kernel_for_the_cpu_is_counted_as_it_is_called() -> None:
    sizes = Sizes(1, 2, 3, 3, 4, 4)
    kernel = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu  # noqa: SLF001
    assert count_cost(kernel, *sizes.operands()) == sizes.cost(masked=False)
