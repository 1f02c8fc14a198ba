"""Less common forms of operators cost what the common forms do, or are unknown."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inspect_cost import count
from inspect_cost.counting.torch.aten.table import ATEN_RULES
from inspect_cost.formulas.reduction import renormalisation
from inspect_cost.values.cost import OpCost
from tests.formulas.proof import FunctionModule, count_cost, draw_normal

MATRIX, RIGHT = draw_normal((4, 4), (4, 3))
MATRIX = MATRIX @ MATRIX.T + 4 * torch.eye(4, dtype=torch.float64)

#: Name -> an operator of matrices.
OF_MATRICES: dict[str, Callable[[Tensor, Tensor], Any]] = {
    "det": lambda a, _: torch.linalg.det(a),
    "slogdet": lambda a, _: torch.linalg.slogdet(a)[1],
    "inverse": lambda a, _: torch.linalg.inv(a),
    "cholesky": lambda a, _: torch.linalg.cholesky(a),
    "solve": torch.linalg.solve,
    "triangular": lambda a, b: torch.linalg.solve_triangular(a, b, upper=False),
    "older triangular": lambda a, b: torch.triangular_solve(b, a)[0],
    "cholesky_solve": lambda a, b: torch.cholesky_solve(b, a),
    "lu_solve": lambda a, b: torch.linalg.lu_solve(*torch.linalg.lu_factor(a), b),
    "cdist": lambda a, b: torch.cdist(b.mT, a),
}


@pytest.mark.filterwarnings("ignore:torch.triangular_solve is deprecated")
@pytest.mark.parametrize("name", OF_MATRICES)
def test_a_batch_costs_what_its_matrices_do(name: str) -> None:
    call = OF_MATRICES[name]
    one = count_cost(call, MATRIX, RIGHT)
    assert one.flops
    assert count_cost(call, MATRIX.expand(2, 5, 4, 4), RIGHT.expand(2, 5, 4, 3)) == 10 * one


def test_matrices_of_complex_numbers_or_that_are_not_square_are_not_known() -> None:
    for a in (MATRIX.to(torch.complex128), RIGHT):
        assert not count(FunctionModule(lambda a: torch.linalg.lu_factor(a)[0]), a).complete


@pytest.mark.parametrize(
    "call",
    [
        lambda x: F.grid_sample(x, x.new_zeros(1, 3, 3, 2), mode="bicubic", align_corners=False),
        lambda x: F.grid_sample(
            x, x.new_zeros(1, 3, 3, 2), padding_mode="reflection", align_corners=False
        ),
        lambda x: F.interpolate(x, (3, 3), mode="bilinear", antialias=True, align_corners=True),
        lambda x: torch.renorm(x, 3, 0, 1.0),
    ],
    ids=["cubic", "reflecting", "aligned", "cubes"],
)
def test_what_has_no_settled_definition_is_not_known(call: Callable[[Tensor], Tensor]) -> None:
    assert not count(FunctionModule(call), torch.ones(1, 2, 5, 5)).complete


def test_traces() -> None:
    assert count_cost(torch.trace, torch.ones(3, 5)) == OpCost(add=2)
    assert count_cost(torch.trace, torch.ones(5, 3, dtype=torch.complex64)) == OpCost(add=4)
    assert count_cost(torch.trace, torch.ones(3, 5, dtype=torch.int64)) == OpCost()


def test_complex_layers_take_four_real_macs_and_two_sums() -> None:
    x, W, b = (t.to(torch.complex64) for t in draw_normal((3, 4), (5, 4), (5,)))
    assert count_cost(F.linear, x, W, b) == OpCost(macs=4 * 60, add=2 * 15)
    assert count_cost(F.linear, x, W) == OpCost(macs=4 * 60)


def test_a_bilinear_layer_without_bias() -> None:
    a, b, W, offset = draw_normal((2, 3), (2, 4), (5, 3, 4), (5,))
    biased = count_cost(F.bilinear, a, b, W, offset)
    assert biased == count_cost(F.bilinear, a, b, W) + OpCost(add=10)


@pytest.mark.parametrize("kind", [nn.Conv1d, nn.ConvTranspose1d])
@pytest.mark.parametrize("biased", [False, True])
def test_convolutions_add_their_bias_under_every_policy(biased: bool, kind: Any) -> None:
    layer, x = kind(2, 3, 4, padding=1, bias=biased).eval(), torch.ones(1, 2, 5)
    for policy in ("dense", "valid"):
        report = count(layer, x, policy=policy)
        assert report.flops_by_class["add"] == (layer(x).numel() if biased else 0)


def test_a_complex_signal_takes_twice_as_much_to_be_put_together() -> None:
    window = torch.hann_window(8, periodic=False) + 0.5
    spectrum = torch.ones(8, 5, dtype=torch.complex64)
    call = lambda z, w: torch.istft(  # noqa: E731
        z, 8, 4, window=w, onesided=False, return_complex=True
    )
    frames, outputs = 5, 16
    spent = count_cost(call, spectrum, window)
    transforms = count_cost(torch.fft.ifft, torch.ones(frames, 8, dtype=torch.complex64))
    windowed = OpCost(mul=2 * frames * 8, add=2 * frames * 8, div=2 * outputs)
    assert spent == transforms + windowed


def test_what_is_empty_or_single_takes_no_sums() -> None:
    assert count_cost(torch.linalg.slogdet, torch.empty(0, 0)) == OpCost()
    one = torch.log_softmax(torch.ones(1, 1, 5), 2)
    report = count(FunctionModule(F.ctc_loss), one, torch.tensor([[1]]), (1,), (1,))
    joined = report.by_operator["aten._ctc_loss"].cost
    assert joined.special == 2 + 1  # the two last states, and nothing before them


def test_one_sample_is_a_batch_of_one() -> None:
    scores, label = draw_normal((6,))[0], torch.tensor(2)
    one = count_cost(F.multi_margin_loss, scores, label)
    assert one == count_cost(F.multi_margin_loss, scores[None], label[None])
    signal, labels = torch.log_softmax(draw_normal((7, 5))[0], 1), torch.tensor([1, 2, 3])
    lengths = torch.tensor(7), torch.tensor(3)
    batched_lengths = [length[None] for length in lengths]
    batch = count_cost(F.ctc_loss, signal[:, None], labels[None], *batched_lengths)
    assert count_cost(F.ctc_loss, signal, labels, *lengths) == batch
    listed = count(FunctionModule(F.ctc_loss), signal[:, None], labels[None], (7,), (3,))
    tensors = count(FunctionModule(F.ctc_loss), signal, labels, *lengths)
    name = "aten._ctc_loss"
    assert listed.by_operator[name].cost == tensors.by_operator[name].cost


def test_dropout_in_training_chooses_and_scales() -> None:
    x = torch.ones(3, 4)
    assert count_cost(lambda x: F.dropout(x, 0.5, True), x) == OpCost(compare=12, mul=12)
    assert count_cost(lambda x: F.dropout(x, 0.0, True), x) == OpCost()
    rule = ATEN_RULES["aten.native_dropout"]
    assert rule((x, x > 0), x, 0.5, True) == OpCost(compare=12, mul=12)


def test_rows_of_a_table_are_renormalised_where_they_are_looked_up() -> None:
    table, rows = torch.ones(5, 3), torch.tensor([0, 2, 2, 4])
    call = lambda i, t: F.embedding(i, t.clone(), max_norm=1.0)  # noqa: E731
    assert count_cost(call, rows, table) == renormalisation(4, 3)


def test_writing_accumulates_in_every_form() -> None:
    x, source = torch.zeros(6), torch.ones(4)
    index = torch.tensor([0, 1, 1, 5])
    assert count_cost(lambda x, i, s: x.put(i, s, accumulate=True), x, index, source).add == 4
    assert count_cost(lambda x, i, s: x.put(i, s), x, index, source) == OpCost()
    multiplied = count_cost(lambda x, i, s: x.scatter(0, i, s, reduce="multiply"), x, index, source)
    assert multiplied == OpCost(mul=4)
    z, more = (t.to(torch.complex64) for t in (x, source))
    spent = count_cost(lambda z, i, s: z.index_put((i,), s, accumulate=True), z, index, more)
    assert spent == OpCost(add=8)


# --- sparse ---


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta:UserWarning")
def test_sparse_operands_on_either_side() -> None:
    sparse = torch.tensor([[1.0, 0, 2], [0, 0, 3]])
    dense = torch.ones(5, 2)
    assert count_cost(torch.mm, dense, sparse.to_sparse_csr()) == OpCost(macs=3 * 5)
    sampled = count_cost(
        torch.sparse.sampled_addmm, sparse.to_sparse_csr(), dense.mT, torch.ones(5, 3)
    )
    assert sampled == OpCost(macs=3 * 5, add=3)
    scaled = count_cost(
        lambda s, a, b: torch.sparse.sampled_addmm(s, a, b, beta=0.5, alpha=2),
        sparse.to_sparse_csr(),
        dense.mT,
        torch.ones(5, 3),
    )
    assert scaled == sampled + OpCost(mul=6)


def test_entries_of_the_same_place_are_added_up() -> None:
    places, values = torch.tensor([[0, 0, 1, 0]]), torch.ones(4)
    for dtype, sums in ((torch.float32, 2), (torch.complex64, 4), (torch.int64, 0)):
        entries = torch.sparse_coo_tensor(places, values.to(dtype), (3,), check_invariants=False)
        assert count_cost(lambda x: x.coalesce(), entries) == OpCost(add=sums)


# --- fused kernels: what their parts cost ---


def test_products_with_an_activation() -> None:
    offset, a, b = draw_normal((5,), (3, 4), (4, 5))
    for use_gelu in (False, True):
        parts = lambda o, a, b: (  # noqa: E731
            F.gelu(torch.addmm(o, a, b), approximate="tanh")
            if use_gelu  # noqa: B023 - called within the round
            else F.relu(torch.addmm(o, a, b))
        )
        rule = ATEN_RULES["aten._addmm_activation"]
        spent = rule(torch.empty(3, 5), offset, a, b, use_gelu=use_gelu)
        assert spent == count_cost(parts, offset, a, b)


def test_scaled_and_biased_queries_keys_and_values() -> None:
    qkv, offset = torch.ones(2, 5, 24), torch.ones(24)
    spent = ATEN_RULES["aten._transform_bias_rescale_qkv"]((), qkv, offset, 2)
    assert spent == OpCost(add=qkv.numel(), mul=qkv.numel() // 3)


@pytest.mark.parametrize("averaged", [False, True])
def test_attention_weights_are_averaged_over_the_heads_where_asked_for(averaged: bool) -> None:
    layer, x = nn.MultiheadAttention(8, 4, batch_first=True).eval(), torch.ones(2, 5, 8)
    without = count(layer, x, x, x, need_weights=False).cost
    given = count(layer, x, x, x, average_attn_weights=averaged).cost
    scores, queries = 2 * 5 * 5, 2 * 5 * 8
    assert given.mul - without.mul == queries - 4 * scores
    assert given.add - without.add == (3 * scores if averaged else 0)
    assert given.div - without.div == (scores if averaged else 0)


@pytest.mark.parametrize(("kind", "cell"), [("lstm", nn.LSTMCell), ("gru", nn.GRUCell)])
def test_fused_cells_are_cells_after_their_products(kind: str, cell: type[nn.Module]) -> None:
    x, state = torch.ones(3, 5), torch.ones(3, 4)
    rule = ATEN_RULES[f"aten._thnn_fused_{kind}_cell"]
    for biased in (False, True):
        whole = count(cell(5, 4, bias=biased).eval(), x).cost
        offset = torch.ones(16) if biased else None
        assert rule((state,), x, x, state, offset, offset) == replace(whole, macs=0)


def test_cudnn_has_all_layers_in_all_directions() -> None:
    layer = nn.LSTM(5, 4, num_layers=3, bidirectional=True).eval()
    x, weights = torch.ones(7, 2, 5), [w.detach() for w in layer.parameters()]
    rule = ATEN_RULES["aten._cudnn_rnn"]
    options = (4, None, x, None, 2, 4, 0, 3, False, 0.0, False, True)
    assert rule((x,), x, weights, *options) == count(layer, x).cost


def test_products_of_eight_bit_floats_are_scaled() -> None:
    out, a, b = torch.empty(3, 5), torch.empty(3, 4), torch.empty(4, 5)
    rule, one = ATEN_RULES["aten._scaled_mm"], torch.ones(())
    assert rule(out, a, b, one, one) == OpCost(macs=60, mul=15 + 1)
    by_row = rule(out, a, b, torch.ones(3, 1), torch.ones(1, 5), torch.ones(5))
    assert by_row == OpCost(macs=60, mul=2 * 15, add=15)
