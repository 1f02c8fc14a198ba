"""Flex attention counts, under `valid`, the scores that its mask keeps, one by one."""

from collections.abc import Callable
from itertools import product
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torch.nn.attention.flex_attention import BlockMask, create_block_mask, flex_attention

from inspect_cost import CostReport, count
from inspect_cost.values.cost import OpCost
from inspect_cost.values.notes import codes

# torch warns of the memory that flex attention takes where it is not compiled
# and of `torch.jit`, which it imports where it is compiled
pytestmark = [
    pytest.mark.filterwarnings("ignore:flex_attention called without:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning"),
]

DOCUMENTS = torch.tensor([[0] * 9 + [1] * 12 + [2] * 16, [0] * 30 + [1] * 7])


class Case(NamedTuple):
    """A mask of (heads, L, S) scores, and the sizes of its blocks."""

    keeps: Callable[..., Any]
    batch: int | None = None
    heads: int | None = None
    L: int = 37
    S: int = 37
    block: int | tuple[int, int] = 16


CASES = {
    "causal": Case(lambda _b, _h, i, j: i >= j),
    "whole blocks": Case(lambda _b, _h, i, j: i >= j, L=64, S=64),
    "one block": Case(lambda _b, _h, i, j: i >= j, block=128),
    "blocks of 32 by 16": Case(lambda _b, _h, i, j: i >= j, block=(32, 16)),
    "more keys": Case(lambda _b, _h, i, j: i + 20 >= j, L=17, S=50),
    "more queries": Case(lambda _b, _h, i, j: i >= j + 20, L=50, S=17),
    "a window": Case(lambda _b, _h, i, j: (i - j).abs() <= 5),
    "a causal window": Case(lambda _b, _h, i, j: (i >= j) & (i - j < 4)),
    "a prefix": Case(lambda _b, _h, i, j: (j < 10) | (i >= j)),
    "documents": Case(lambda b, _h, i, j: DOCUMENTS[b, i] == DOCUMENTS[b, j], batch=2),
    "causal documents": Case(
        lambda b, _h, i, j: (DOCUMENTS[b, i] == DOCUMENTS[b, j]) & (i >= j), batch=2
    ),
    "by heads": Case(lambda _b, h, i, j: (i - j).abs() <= h * 7, heads=4),
    "by batch and heads": Case(lambda b, h, i, j: i >= j * (b + 1) + h, batch=2, heads=4),
    "everything": Case(lambda _b, _h, i, j: (i >= 0) & (j >= 0)),
    "nothing": Case(lambda _b, _h, i, j: (i < 0) & (j < 0)),
    "every other key": Case(lambda _b, _h, _i, j: j % 2 == 0),
}


def make_mask(case: Case) -> BlockMask:
    sizes = (case.batch, case.heads, case.L, case.S)
    return create_block_mask(case.keeps, *sizes, device="cpu", BLOCK_SIZE=case.block)


def count_by_hand(case: Case) -> int:
    """Ask of every score of 2 x 4 heads, in Python, whether it is kept."""
    return sum(
        bool(case.keeps(*map(torch.tensor, indices)))
        for indices in product(range(2), range(4), range(case.L), range(case.S))
    )


class Attention(nn.Module):
    """Flex attention of parameters, 4 heads of queries that share 2 of keys, 2 in a batch."""

    def __init__(self, L: int, S: int, **options: Any) -> None:
        super().__init__()
        self.q = nn.Parameter(torch.zeros(2, 4, L, 8))
        self.k = nn.Parameter(torch.zeros(2, 2, S, 8))
        self.v = nn.Parameter(torch.zeros(2, 2, S, 6))
        self.options = options

    def forward(self, x: Tensor) -> Any:
        del x
        return flex_attention(self.q, self.k, self.v, enable_gqa=True, **self.options)


def run(case: Case, policy: str, *, backward: bool = False, **options: Any) -> CostReport:
    model = Attention(case.L, case.S, block_mask=make_mask(case), **options)
    report = count(model, torch.zeros(1), policy=policy, backward=backward)
    assert report.complete
    assert "real-run" not in codes(report.notes)
    return report


@pytest.mark.parametrize("name", CASES)
def test_scores_that_a_mask_keeps(name: str) -> None:
    case = CASES[name]
    kept, scores = count_by_hand(case), 8 * case.L * case.S
    assert run(case, "valid").macs == kept * (8 + 6)
    assert run(case, "valid", backward=True).macs == 3 * kept * (8 + 6)
    assert run(case, "dense").macs == scores * (8 + 6)
    assert run(case, "dense", backward=True).macs == 3 * scores * (8 + 6)


@pytest.mark.parametrize("name", CASES)
def test_it_costs_what_fused_attention_costs_under_the_same_mask(name: str) -> None:
    case = CASES[name]
    indices = [torch.tensor(i) for i in product(range(2), range(4), range(case.L), range(case.S))]
    b, h, i, j = torch.stack(indices).unbind(1)
    mask = torch.as_tensor(case.keeps(b, h, i, j)).reshape(2, 4, case.L, case.S)

    class Fused(Attention):
        def forward(self, x: Tensor) -> Any:
            del x
            attend = nn.functional.scaled_dot_product_attention
            return attend(self.q, self.k, self.v, attn_mask=mask, enable_gqa=True)

    fused = count(Fused(case.L, case.S), torch.zeros(1), policy="valid")
    assert run(case, "valid").cost == fused.cost


CAUSAL = CASES["causal"]


def test_a_compiled_function_is_the_function() -> None:
    attend = torch.compile(flex_attention)

    class Compiled(Attention):
        def forward(self, x: Tensor) -> Any:
            del x
            return attend(self.q, self.k, self.v, enable_gqa=True, **self.options)

    for policy, backward in product(("dense", "valid"), (False, True)):
        model = Compiled(CAUSAL.L, CAUSAL.S, block_mask=make_mask(CAUSAL))
        report = count(model, torch.zeros(1), policy=policy, backward=backward)
        assert report.cost == run(CAUSAL, policy, backward=backward).cost


@pytest.mark.parametrize("policy", ["dense", "valid"])
def test_what_changes_scores_does_so_to_those_that_are_kept(policy: str) -> None:
    def decay(score: Tensor, _b: Tensor, h: Tensor, i: Tensor, j: Tensor) -> Tensor:
        return score - 0.5 * h * (i - j)

    scores = 8 * (37 * 38 // 2 if policy == "valid" else 37 * 37)
    more = OpCost(add=scores, mul=scores // 2 + 4)  # 0.5 h (i - j) is the same for all in a batch
    assert run(CAUSAL, policy, score_mod=decay).cost == run(CAUSAL, policy).cost + more
    steps = [run(CAUSAL, policy, backward=True, **o).cost for o in ({"score_mod": decay}, {})]
    assert steps[0] == steps[1] + more


def test_a_bias_of_scores_learns() -> None:
    class Biased(Attention):
        def __init__(self) -> None:
            super().__init__(37, 37, block_mask=make_mask(CAUSAL))
            self.bias = nn.Parameter(torch.zeros(4))

        def forward(self, x: Tensor) -> Any:
            del x
            change = lambda score, _b, h, _i, _j: score + self.bias[h]  # noqa: E731
            return flex_attention(
                self.q, self.k, self.v, score_mod=change, enable_gqa=True, **self.options
            )

    kept = 8 * 37 * 38 // 2
    report = count(Biased(), torch.zeros(1), policy="valid", backward=True)
    plain = run(CAUSAL, "valid", backward=True)
    assert report.complete
    assert report.macs == plain.macs
    assert not report.unread
    # Added to each score; back, summed over scores into one gradient for each head.
    assert report.cost.add - plain.cost.add >= 2 * kept - 4


def test_a_mask_of_unknown_values_removes_nothing() -> None:
    class Gated(Attention):
        def __init__(self) -> None:
            super().__init__(37, 37)
            self.gate = nn.Parameter(torch.zeros(37))

        def forward(self, x: Tensor) -> Any:
            del x
            gate = self.gate.detach() * 2
            mask = BlockMask.from_kv_blocks(
                *(make_mask(CAUSAL).as_tuple()[2:6]),
                BLOCK_SIZE=16,
                mask_mod=lambda _b, _h, i, j: (gate[j] < 1) & (i >= j),
                seq_lengths=(37, 37),
            )
            return flex_attention(self.q, self.k, self.v, block_mask=mask, enable_gqa=True)

    dense, valid = (count(Gated(), torch.zeros(1), policy=p) for p in ("dense", "valid"))
    assert dense.cost == valid.cost


def test_blocks_decide_where_no_function_does() -> None:
    blocks = make_mask(CAUSAL).as_tuple()[2:6]
    mask = BlockMask.from_kv_blocks(*blocks, BLOCK_SIZE=16, seq_lengths=(37, 37))
    report = count(Attention(37, 37, block_mask=mask), torch.zeros(1), policy="valid")
    assert report.macs == 8 * (16 * 16 + 16 * 32 + 5 * 37) * (8 + 6)


@pytest.mark.parametrize("backward", [False, True])
def test_a_mask_may_be_made_in_the_forward(backward: bool) -> None:
    class Made(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(16, 16, bias=False)

        def forward(self, x: Tensor) -> Any:
            mask = create_block_mask(CAUSAL.keeps, None, None, 16, 16, device=x.device)
            q = self.linear(x).unflatten(-1, (2, 8)).transpose(1, 2)
            return flex_attention(q, q, q, block_mask=mask)

    report = count(Made(), torch.zeros(1, 16, 16), policy="valid", backward=backward)
    linear, attention = 16 * 256, 2 * 136 * (8 + 8)
    assert report.macs == (2 * linear + 3 * attention if backward else linear + attention)


def test_torch_is_as_it_was() -> None:
    run(CAUSAL, "valid", backward=True)
    q = torch.zeros(1, 2, 16, 8, requires_grad=True)
    with pytest.raises(NotImplementedError):
        flex_attention(q, q, q)
    with pytest.raises((ValueError, RuntimeError)):
        flex_attention(q.to("meta"), q.to("meta"), q.to("meta"))


def test_the_published_example() -> None:
    case = Case(lambda _b, _h, i, j: i >= j, L=16, S=16, block=128)
    q = torch.zeros(1, 4, 16, 16)
    reports = (
        count(flex_attention, q, q, q, block_mask=make_mask(case), policy=p)
        for p in ("dense", "valid")
    )
    assert [report.macs for report in reports] == [32_768, 17_408]
