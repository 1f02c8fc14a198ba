"""Indexed additions, and sums of looked-up rows."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from inspect_cost import count
from inspect_cost.values.cost import FREE, OpCost
from tests.formulas.naive.reduction import largest, over
from tests.formulas.proof import EXACT, SIZE, count_cost, draw_normal, prove
from tests.formulas.scalars import Real, mac, maximum, minimum

STEPS: dict[str, Callable[[Real, Real], Real]] = {
    "sum": lambda a, b: a + b,
    "prod": lambda a, b: a * b,
    "amax": maximum,
    "amin": minimum,
}


def scatter(x: np.ndarray, index: np.ndarray, source: np.ndarray, reduce: str) -> np.ndarray:
    """Combine along the first dimension."""
    out = x.copy()
    for i, c in np.ndindex(index.shape):
        place = (int(index[i, c]), c)
        there: Any = out[place]
        coming: Any = source[i, c]
        out[place] = STEPS[reduce](there, coming)
    return out


@pytest.mark.parametrize("reduce", STEPS)
@EXACT
@given(rows=SIZE, m=SIZE, n=SIZE)
def test_scattering(reduce: str, rows: int, m: int, n: int) -> None:
    x, source = draw_normal((rows, n), (m, n))
    index = torch.arange(m * n).reshape(m, n) % rows
    prove(
        lambda x, i, s: x.scatter_reduce(0, i, s, reduce),
        lambda x, i, s: scatter(x, i, s, reduce),
        x,
        index,
        source,
    )
    if reduce == "sum":
        prove(
            lambda x, i, s: x.scatter_add(0, i, s),
            lambda x, i, s: scatter(x, i, s, reduce),
            x,
            index,
            source,
        )


def test_a_scattered_mean_divides_every_result() -> None:
    x, source, index = *draw_normal((4, 3), (5, 3)), torch.zeros(5, 3, dtype=torch.int64)
    spent = count_cost(lambda x, i, s: x.scatter_reduce(0, i, s, "mean"), x, index, source)
    assert spent == OpCost(add=15, div=12)
    spent = count_cost(lambda x, i, s: x.index_reduce(0, i, s, "mean"), x, index[:, 0], source)
    assert spent == OpCost(add=15, div=12)


@pytest.mark.parametrize("alpha", [1, 2.5])
@EXACT
@given(rows=SIZE, m=SIZE, n=SIZE)
def test_adding_slices(alpha: float, rows: int, m: int, n: int) -> None:
    def reference(x: np.ndarray, index: np.ndarray, source: np.ndarray) -> np.ndarray:
        out = x.copy()
        for i, c in np.ndindex(source.shape):
            more = source[i, c] if alpha == 1 else alpha * source[i, c]
            out[int(index[i]), c] = out[int(index[i]), c] + more
        return out

    x, source = draw_normal((rows, n), (m, n))
    prove(
        lambda x, i, s: x.index_add(0, i, s, alpha=alpha),
        reference,
        x,
        torch.arange(m) % rows,
        source,
    )


@EXACT
@given(rows=SIZE, m=SIZE, n=SIZE)
def test_putting_accumulates_only_where_asked_to(rows: int, m: int, n: int) -> None:
    x, source = draw_normal((rows, n), (m, n))
    index = torch.arange(m) % rows
    prove(
        lambda x, i, s: x.index_put((i,), s, accumulate=True),
        lambda x, i, s: scatter(x, np.repeat(i[:, None], n, 1), s, "sum"),
        x,
        index,
        source,
    )
    assert count_cost(lambda x, i, s: x.index_put((i,), s), x, index, source) == FREE
    number = source[0, 0]
    whole = count_cost(lambda x, i, s: x.index_put((i,), s, accumulate=True), x, index, number)
    assert whole == OpCost(add=m * n)


def bag_sum(rows: list[np.ndarray], weights: Any) -> np.ndarray:
    """Sum each bag as a product with its weights, or with ones."""
    total = np.full(rows[0].shape, 0.0, dtype=object)
    for row, weight in zip(rows, weights, strict=True):
        for c, x in enumerate(row):
            total[c] = mac(total[c], weight, x)
    return total


@pytest.mark.parametrize("weighted", [False, True])
@EXACT
@given(first=SIZE, second=SIZE, features=SIZE)
def test_sums_of_bags_are_contractions(
    weighted: bool, first: int, second: int, features: int
) -> None:
    def reference(indices: np.ndarray, table: np.ndarray, weights: Any) -> np.ndarray:
        weights = [1.0] * len(indices) if weights is None else weights
        rows = [table[int(i)] for i in indices]
        bags = slice(0, first), slice(first, None)
        return np.stack([bag_sum(rows[b], weights[b]) for b in bags])

    table, weights = draw_normal((5, features), (first + second,))
    prove(
        lambda i, t, w: F.embedding_bag(
            i, t, torch.tensor([0, first]), mode="sum", per_sample_weights=w
        ),
        reference,
        torch.arange(first + second) % 5,
        table,
        weights if weighted else None,
    )


@EXACT
@given(bags=SIZE, each=SIZE, features=SIZE)
def test_means_and_maxima_of_bags(bags: int, each: int, features: int) -> None:
    (table,) = draw_normal((5, features))
    indices = torch.arange(bags * each).reshape(bags, each) % 5
    mean = count_cost(lambda i, t: F.embedding_bag(i, t, mode="mean"), indices, table)
    assert mean == OpCost(macs=bags * each * features, div=bags * features)
    prove(
        lambda i, t: F.embedding_bag(i, t, mode="max"),
        lambda i, t: over(1, largest)(t[i.astype(int)]),
        indices,
        table,
    )


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta:UserWarning")
@EXACT
@given(entries=st.integers(0, 6))
def test_sparse_products_take_what_is_stored(entries: int) -> None:
    dense = torch.zeros(3, 4, dtype=torch.float64)
    dense.view(-1)[:entries] = 1.0
    (b,) = draw_normal((4, 5))
    for a in (dense.to_sparse(), dense.to_sparse_csr()):
        assert count_cost(torch.mm, a, b) == OpCost(macs=entries * 5)
        assert count_cost(torch.mv, a, b[:, 0]) == OpCost(macs=entries)
        added = count_cost(lambda a, b: torch.sparse.addmm(torch.ones(3, 5).double(), a, b), a, b)
        assert added == OpCost(macs=entries * 5, add=15)


def test_of_two_sparse_matrices_entries_meet_entries() -> None:
    a = torch.tensor([[1.0, 2.0, 0.0], [0.0, 3.0, 0.0]])
    b = torch.tensor([[0.0, 1.0], [4.0, 5.0], [6.0, 0.0]])
    meet = sum(bool(a[i, k] * b[k, j]) for i in range(2) for k in range(3) for j in range(2))
    assert count_cost(torch.sparse.mm, a.to_sparse(), b.to_sparse()) == OpCost(macs=meet)


def test_sparse_parameters_are_what_they_store() -> None:
    class Masked(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.eye(8).to_sparse())
            self.linear = torch.nn.Linear(5, 5, bias=False)

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = torch.sparse.mm(self.weight, self.linear(x))
            return out

    report = count(Masked().eval(), torch.ones(8, 5))
    assert not report.notes
    assert report.params == 8 + 25
    assert report.param_bytes == 8 * (4 + 2 * 8) + 25 * 4
    assert report.macs == 8 * 5 + 8 * 5 * 5


def test_weights_are_added_to_their_bins() -> None:
    def reference(places: np.ndarray, weights: np.ndarray) -> np.ndarray:
        bins = np.full(3, 0.0, dtype=object)
        for place, weight in zip(places, weights, strict=True):
            bins[int(place)] = bins[int(place)] + weight
        return bins

    (weights,) = draw_normal((7,))
    prove(torch.bincount, reference, torch.arange(7) % 3, weights)
    assert count_cost(torch.bincount, torch.arange(7)) == FREE
