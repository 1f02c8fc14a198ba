"""Each peer's known faults, provoked: named, and with the amounts that they make."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest
import torch
from torch import nn

from inspect_cost import CrossCheck, OpCost, crosscheck
from inspect_cost.counting.report import CostReport
from inspect_cost.counting.tally import Storage, Tally
from inspect_cost.crosschecking.comparison import compare
from inspect_cost.crosschecking.explanation import explain
from inspect_cost.crosschecking.peers import PEERS
from inspect_cost.crosschecking.results import Amount, Entry, PeerCount, PeerResult
from inspect_cost.values.notes import codes
from tests.crosschecking.models import Crowded, Custom, Faulty, Generator, Odd, Projected, Shared

Only = Callable[[str], None]
B, T = 2, 20  # of what the transposed convolution makes of ten inputs
E = 12


def reasons(check: CrossCheck, peer: str) -> Mapping[str, Amount]:
    """Reason -> MACs, of a peer that counted."""
    result = check.by_peer[peer]
    assert result.failure == ""
    assert result.unexplained is None
    return {part.reason: part.macs for part in result.explanations}


def note_codes(check: CrossCheck, peer: str) -> tuple[str, ...]:
    """Return the codes of a peer's notes."""
    count = check.by_peer[peer].count
    assert count is not None
    return codes(count.notes)


def adds_up(result: PeerResult, ours: int) -> bool:
    """Whether reasons and rest make the difference of the totals, and of the reported number."""
    if result.count is None or result.difference is None:
        return False
    rest = result.unexplained.macs if result.unexplained else 0
    per_mac = 2 if result.name == "FlopCounterMode" else 1
    total = sum(part.macs for part in result.explanations) + rest
    return total == result.difference == result.count.reported / per_mac - ours


@pytest.fixture(scope="module")
def faulty() -> CrossCheck:
    return crosscheck(Faulty(), torch.rand(B, 4, 10), gain=2.0)


LSTM = B * T * 2 * 4 * 6 * (8 + 6)
SCORES = 2 * B * T * T * E  # of one attention: with the keys, and with the values
ATTENTION = B * T * 4 * E * E + SCORES
OWN = B * (T - 2) * 5 * E * 3 + T * E  # the functional convolution and the matrix-vector product


def test_fvcore(faulty: CrossCheck) -> None:
    assert reasons(faulty, "fvcore") == {
        "aten::lstm counted 0: it has no rule for that": -LSTM,
        "aten::scaled_dot_product_attention counted 0: it has no rule for that": -SCORES,
        "element-wise work of aten::layer_norm counted as MACs": 5 * 3 * B * T * E,
        "aten.linear absent from its trace, where nothing that is returned depends on it": (
            -B * T * E * 7
        ),
        "aten::mv counted 0: it has no rule for that": -T * E,
    }


def test_thop(faulty: CrossCheck) -> None:
    assert reasons(faulty, "thop") == {
        "MultiheadAttention counted 0: it has no rule for that": -2 * ATTENTION,
        "Faulty counted 0: it has no rule for that": -OWN,
        "ParametrizedConv1d counted 0: it has no rule for that": -B * 10 * 8 * 4 * 3,
        "transposed convolution x2 (stride 2)": B * 10 * 8 * 8 * 4,
        "element-wise work of LSTM counted as MACs": B * T * 2 * 16 * 6,
        "element-wise work of LayerNorm counted as MACs": 4 * 3 * B * T * E,
        "aten.linear run without calling the module itself, so that its hook saw nothing": (
            -B * T * E * E
        ),
    }


def test_flop_counter_mode_on_a_cpu(faulty: CrossCheck) -> None:
    assert reasons(faulty, "FlopCounterMode") == {
        "aten.mkldnn_rnn_layer counted 0: it has no rule for that": -LSTM,
        "aten._scaled_dot_product_flash_attention_for_cpu counted 0: it has no rule for that": (
            -SCORES
        ),
        "aten.mv counted 0: it has no rule for that": -T * E,
    }


def test_the_exported_graph(faulty: CrossCheck) -> None:
    """What nothing reads is not in it; the rest is the same, module by module."""
    (part,) = faulty.by_peer["ONNX"].explanations
    assert part.reason.startswith("aten.linear absent from the exported graph")
    assert (part.macs, part.modules) == (-B * T * E * 7, ("unread",))
    assert faulty.unexplained == {}


def test_the_exported_graph_of_a_module_in_two_places() -> None:
    check = crosscheck(Shared(), torch.rand(2, 4))
    assert (check.by_peer["ONNX"].difference, reasons(check, "ONNX")) == (0, {})


@pytest.mark.parametrize("peer", ["fvcore", "thop", "FlopCounterMode", "ONNX"])
def test_parts_add_up_to_the_difference(faulty: CrossCheck, peer: str) -> None:
    assert adds_up(faulty.by_peer[peer], faulty.report.macs)


def test_reasons_name_their_modules(faulty: CrossCheck) -> None:
    parts = {part.reason.split(" ")[0]: part for part in faulty.by_peer["thop"].explanations}
    assert parts["MultiheadAttention"].modules == ("attention", "encoder.self_attn")
    assert parts["Faulty"].modules == ("",)
    assert parts["transposed"].modules == ("up",)


def test_without_weights_peers_that_need_them_get_random_ones() -> None:
    check = crosscheck(Faulty().to("meta"), torch.rand(B, 4, 10))
    assert note_codes(check, "fvcore") == ("random-weights",)
    assert "aten::lstm counted 0: it has no rule for that" in reasons(check, "fvcore")
    # On meta torch takes recurrent layers and attention apart, and its counter knows the parts.
    torchs = reasons(check, "FlopCounterMode")
    assert torchs == {"aten.mv counted 0: it has no rule for that": -T * E}
    assert note_codes(check, "FlopCounterMode") == ()


def test_an_encoders_fast_path(only: Only) -> None:
    only("FlopCounterMode")
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval()
    check = crosscheck(layer, torch.rand(2, 5, 8))
    assert adds_up(check.by_peer["FlopCounterMode"], check.report.macs)
    assert set(check.unexplained) == set()


def test_a_function_of_the_users_own_is_opaque_to_a_tracer(only: Only) -> None:
    only("fvcore")
    check = crosscheck(Custom(), torch.rand(2, 4))
    assert reasons(check, "fvcore") == {
        "prim::PythonOp.Product counted 0: it has no rule for that": -32
    }


def test_reasons_in_one_module_are_told_apart(only: Only) -> None:
    only("fvcore")
    check = crosscheck(Crowded(), torch.rand(5, 4))
    assert reasons(check, "fvcore") == {
        "aten::mv counted 0: it has no rule for that": -5 * 6,
        "aten.linear absent from its trace, where nothing that is returned depends on it": (
            -5 * 4 * 6
        ),
    }


@pytest.fixture(scope="module")
def odd() -> CrossCheck:
    return crosscheck(Odd(), torch.zeros(2, 5, dtype=torch.int64), torch.rand(2, 6))


BAG, TENSORDOT, BILINEAR = 2 * 5 * 4, 2 * 4 * 6, 2 * 3 * (6 * 4 + 4)


def test_contractions_by_other_names(odd: CrossCheck) -> None:
    assert reasons(odd, "fvcore") == {
        "aten::embedding_bag counted 0: it has no rule for that": -BAG,
        "aten::tensordot counted 0: it has no rule for that": -TENSORDOT,
        "aten::bilinear counted 0: it has no rule for that": -BILINEAR,
    }
    assert reasons(odd, "FlopCounterMode") == {
        "aten._embedding_bag counted 0: it has no rule for that": -BAG,
        "aten._trilinear counted 0: it has no rule for that": -BILINEAR,
    }


def test_a_graph_that_spells_otherwise(odd: CrossCheck) -> None:
    assert reasons(odd, "ONNX") == {
        "aten._embedding_bag spelt out in operators without MACs": -BAG,
    }


def test_a_layer_twice_in_one_list_is_one_place_more(odd: CrossCheck) -> None:
    assert reasons(odd, "thop")["module in 2 places counted x4"] == 3 * 2 * 2 * 16


def test_matrix_products_in_place_of_convolutions_are_no_difference() -> None:
    """With weights FloWaveNet multiplies in one module what without them is convolved in many."""
    wave = tally("net.layers.0.filter", "aten.conv1d", 72)
    unread = replace(
        tally("net.layers.1.residual", "aten.conv1d", 9), dead_calls=1, dead_cost=OpCost(macs=9)
    )
    skip = tally("net.layers.1.skip", "aten.conv1d", 9)
    report = CostReport("m", (("", "M", Storage()),), (wave, unread, skip))
    peer = next(peer for peer in PEERS if peer.name == "ONNX")
    seen = PeerCount(81, (Entry("net", "onnx.MatMul", 81, 3),))
    parts, rest = explain(compare(report, seen, peer), peer, nn.Module())
    assert rest is None
    assert [(part.macs, part.modules) for part in parts] == [(-9, ("net.layers.1.residual",))]
    assert parts[0].reason.endswith("where nothing that is returned depends on it")


def test_more_of_a_contraction_is_never_called_element_wise() -> None:
    report = CostReport("m", (("", "M", Storage()),), ())
    peer = next(peer for peer in PEERS if peer.name == "ONNX")
    seen = PeerCount(81, (Entry("", "onnx.MatMul", 81, 3),))
    parts, rest = explain(compare(report, seen, peer), peer, nn.Module())
    assert parts == ()
    assert rest is not None
    assert rest.macs == 81


def tally(module: str, operator: str, macs: int) -> Tally:
    return Tally(operator, module, 1, OpCost(macs=macs), 0)


def test_a_shared_layer_is_counted_once_more_for_each_place(only: Only) -> None:
    only("thop")
    check = crosscheck(Shared(), torch.rand(2, 4))
    assert check.report.macs == 2 * 32
    assert reasons(check, "thop") == {"module in 2 places counted x4": 3 * 64}


def test_projections_and_cells() -> None:
    check = crosscheck(Projected(), torch.rand(7, 2, 5))
    steps, H, P = 2 * 7, 8, 3
    full = 2 * 4 * H * ((5 + H) + (2 * H + H))
    projected = 2 * (4 * H * ((5 + P) + (2 * P + P)) + 2 * H * P)
    parts = reasons(check, "thop")
    assert parts["LSTM without its projection"] == steps * (full - projected)
    assert parts["element-wise work of LSTMCell counted as MACs"] == 2 * 16 * 4
    assert check.unexplained == {}


def test_a_method_that_overwrites_its_results_is_traced_whole(only: Only) -> None:
    only("fvcore")
    model = Generator()
    check = crosscheck(model.generate, torch.rand(5, 3), steps=2)
    assert check.by_peer["fvcore"].difference == 0
    assert "generate" not in vars(model)


def test_transposed_convolutions_whatever_their_sizes(only: Only) -> None:
    only("thop")
    layer = nn.ConvTranspose2d(4, 6, 3, stride=(2, 3), output_padding=1, groups=2, bias=False)
    check = crosscheck(nn.Sequential(layer), torch.rand(2, 4, 5, 6))
    inputs, outputs = 5 * 6, 12 * 19
    assert check.report.macs == 2 * inputs * 4 * 3 * 9
    assert reasons(check, "thop") == {
        "transposed convolution x7.6 (stride 2 x 3)": 2 * (outputs - inputs) * 4 * 3 * 9
    }
