"""`count` on the usual kinds of models, against closed forms and torch's own counter."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from inspect_cost import CountError, OpCost, count
from inspect_cost.values.notes import codes
from tests.counting.torch.models import ResNet50, Routed, TiedLanguageModel


def torch_macs(model: nn.Module, *inputs: Tensor) -> int:
    """Count MACs by torch's own counter, which has 2 FLOPs a MAC and nothing else."""
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        model(*inputs)
    flops: int = counter.get_total_flops()
    assert flops % 2 == 0
    return flops // 2


def encoder() -> nn.Module:
    layer = nn.TransformerEncoderLayer(16, 4, 32, batch_first=True)
    return nn.TransformerEncoder(layer, 2, enable_nested_tensor=False).eval()


def test_resnet50_is_counted_exactly() -> None:
    with torch.device("meta"):
        model, image = ResNet50().eval(), torch.empty(2, 3, 224, 224)
    report = count(model, image)
    assert report.complete
    assert report.params == 25_557_032
    assert report.macs == 2 * 4_089_184_256 == torch_macs(model, image)
    assert report.by_operator["aten.batch_norm"].calls == 53
    assert report.flops == 2 * report.macs + sum(report.flops_by_class.values())


def test_resnet50_is_the_same_on_real_and_on_meta_tensors() -> None:
    torch.manual_seed(0)
    real = ResNet50().eval()
    with torch.device("meta"):
        meta = ResNet50().eval()
    on_cpu = count(real, torch.zeros(1, 3, 32, 32))
    on_meta = count(meta, torch.empty(1, 3, 32, 32, device="meta"))
    assert on_cpu.tallies == on_meta.tallies


@pytest.mark.parametrize(
    ("layer", "step"),
    [
        (nn.LSTM(5, 7, 2, bidirectional=True), (4, 21)),
        (nn.GRU(5, 7, 2, bidirectional=True), (3, 17)),
        (nn.LSTM(5, 7, 2, bidirectional=True, bias=False), (4, 13)),
        (nn.GRU(5, 7, 2, bidirectional=True, bias=False), (3, 11)),
        (nn.RNN(5, 7, 2, bidirectional=True), (1, 4)),
    ],
    ids=lambda value: f"{value}",
)
def test_recurrent_layers_follow_the_textbook(layer: nn.Module, step: tuple[int, int]) -> None:
    gates, other = step
    steps = 2 * 3 * 2  # T x B x directions
    report = count(layer, torch.zeros(3, 2, 5))
    assert report.macs == steps * gates * 7 * ((5 + 7) + (14 + 7))
    assert report.flops - 2 * report.macs == steps * 2 * other * 7
    assert report.complete


def test_an_lstm_gets_its_packed_sequences() -> None:
    lengths = torch.tensor([5, 2, 1])
    packed = nn.utils.rnn.pack_padded_sequence(torch.zeros(5, 3, 4), lengths)
    assert count(nn.LSTM(4, 6), packed).macs == 8 * 4 * 6 * (4 + 6)


def test_an_lstm_without_values_returns_the_shapes_that_it_has_with_them() -> None:
    class Shapes(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(4, 6, 2, bidirectional=True, proj_size=3, batch_first=True)
            self.shapes: list[tuple[int, ...]] = []

        def forward(self, x: Tensor) -> Any:
            out, (h, c) = self.lstm(x)
            shapes = [tuple(t.shape) for t in (out, h, c)]
            if shapes != [(2, 5, 6), (4, 2, 3), (4, 2, 6)]:
                raise AssertionError(shapes)
            return out

    assert count(Shapes(), torch.zeros(2, 5, 4)).complete


def test_a_transformer_encoder_is_counted_exactly() -> None:
    B, T, D, H, F = 2, 10, 16, 4, 32
    report = count(encoder(), torch.zeros(B, T, D))
    assert report.complete
    projections, attention, mlp = 4 * B * T * D * D, 2 * B * T * T * D, 2 * B * T * D * F
    assert report.macs == 2 * (projections + attention + mlp)
    scores = B * H * T * T
    softmax, scaling = 5 * scores - 2 * B * H * T, scores
    biases, relu, residuals = B * T * (4 * D + F + D), B * T * F, 2 * B * T * D
    norms = 2 * B * T * (7 * D + 2)
    other = 2 * (softmax + scaling + biases + relu + residuals + norms)
    assert report.flops - 2 * report.macs == other


@pytest.mark.parametrize("need_weights", [True, False])
def test_attention_without_a_fused_kernel_has_the_same_macs(need_weights: bool) -> None:
    attention = nn.MultiheadAttention(16, 4, batch_first=True).eval()
    x = torch.zeros(2, 10, 16)
    report = count(attention, x, x, x, need_weights=need_weights)
    assert report.macs == 4 * 2 * 10 * 16 * 16 + 2 * 2 * 10 * 10 * 16
    assert report.complete


def test_functional_code_is_seen() -> None:
    class Windowed(nn.Module):
        """A convolution whose kernel is multiplied by a window in each call."""

        window: Tensor

        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(8, 4, 5))
            self.register_buffer("window", torch.hann_window(5))

        def forward(self, x: Tensor) -> Tensor:
            return nn.functional.conv_transpose1d(x, self.weight * self.window, stride=2)

    report = count(Windowed(), torch.zeros(1, 8, 10))
    assert report.macs == 10 * 8 * 4 * 5
    assert report.flops_by_class["mul"] == 8 * 4 * 5
    assert report.complete


def test_tied_weights_are_counted_once() -> None:
    report = count(TiedLanguageModel(), torch.zeros(2, 3, dtype=torch.int64))
    assert report.params == 50 * 16 + 4 * 16 * (16 + 16) + 2 * 4 * 16
    assert report.param_bytes == 4 * report.params
    assert report.by_module["embedding"].params == report.by_module["output"].params == 800
    assert report.by_module["output"].macs == 2 * 3 * 16 * 50


def test_a_shared_module_is_stored_once_and_counted_at_each_call() -> None:
    layer = nn.Linear(4, 4)
    report = count(nn.Sequential(layer, layer, layer), torch.zeros(1, 4))
    assert (report.params, report.macs) == (20, 3 * 16)


def test_weight_norm_is_seen_in_both_of_torchs_forms() -> None:
    def old(layer: nn.Module) -> nn.Module:
        with pytest.warns(FutureWarning):
            return nn.utils.weight_norm(layer)

    for normed in (old, nn.utils.parametrizations.weight_norm):
        report = count(normed(nn.Conv1d(3, 5, 7)), torch.zeros(1, 3, 10))
        weights, outputs = 3 * 5 * 7, 5 * 4
        assert report.params == weights + 5 + 5
        assert report.storage.folded_params == weights + 5
        assert report.macs == outputs * 3 * 7
        assert report.flops - 2 * report.macs == outputs + 3 * weights + 5


def test_inputs_may_be_nested_named_and_no_tensors() -> None:
    class Picky(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(4, 2)

        def forward(self, batch: dict[str, Any], *, scale: float, name: str | None = None) -> Any:
            first, (second, third) = batch["x"]
            if name != "sum":
                raise AssertionError(name)
            return self.linear(first + second + third) * scale

    x = torch.zeros(3, 4)
    report = count(Picky(), {"x": (x, [x, x])}, scale=2.0, name="sum")
    assert report.macs == 3 * 4 * 2
    assert report.flops_by_class["add"] == 2 * 12 + 6
    assert report.flops_by_class["mul"] == 6


def test_compiled_modules_are_counted_through_the_original() -> None:
    plain = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
    x = torch.zeros(2, 4)
    expected = count(plain, x)
    inner = nn.Sequential(plain[0], plain[1])
    compiled_layer: Any = torch.compile(plain[0], backend="eager")
    inner[0] = compiled_layer
    for compiled in (torch.compile(plain, backend="eager"), inner):
        report = count(compiled, x)
        assert report.tallies == expected.tallies
        assert list(report.by_module) == ["", "0", "1"]
    plain.compile(backend="eager")
    assert count(plain, x).tallies == expected.tallies


def test_a_method_other_than_forward_can_be_counted_and_is_attributed() -> None:
    class Codec(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = Codec.Inner()

        class Inner(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.weight = nn.Parameter(torch.ones(3))

            def inverse(self, x: Tensor) -> Tensor:
                return x / self.weight

        def decode(self, x: Tensor) -> Tensor:
            return self.inner.inverse(x) + 1

    report = count(Codec().decode, torch.zeros(5, 3))
    assert report.by_module["inner"].cost == OpCost(div=15)
    assert report.by_module[""].own_cost == OpCost(add=15)


def test_values_stay_known_until_they_meet_a_parameter() -> None:
    class Masked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(4, 4)

        def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
            longest = int(lengths.max())
            mask = torch.arange(longest, device=self.linear.weight.device) < lengths[:, None]
            if not mask.any().item():
                raise AssertionError
            y = self.linear(x[:, :longest])
            out = torch.zeros(2, 6, 4)
            out[:, :longest] = y
            return out[:, :longest][mask] * 2

    report = count(Masked(), torch.zeros(2, 6, 4), torch.tensor([3, 2]))
    assert codes(report.notes) == ("train-mode",)
    assert report.macs == 2 * 3 * 16
    assert report.flops_by_class["mul"] == 5 * 4


def test_memory_that_was_written_to_without_values_is_no_longer_known() -> None:
    class Buffered(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(2, 2)

        def forward(self, x: Tensor) -> Tensor:
            out = torch.zeros(3, 2)
            out[0] = self.linear(x)
            return x if (out * 2).sum().item() > 0 else self.linear(out)

    model = Buffered().eval()
    nn.init.ones_(model.linear.weight)
    nn.init.zeros_(model.linear.bias)
    report = count(model, torch.full((2,), -1.0))
    assert report.macs == 4 + 3 * 4
    assert codes(report.notes) == ("real-run", "depends-on-values")
    assert count(model, torch.full((2,), 1.0)).macs == 4


def test_a_course_that_depends_on_values_is_run_and_says_so() -> None:
    model = Routed().eval()
    nn.init.zeros_(model.gate.weight)
    nn.init.ones_(model.gate.bias)
    report = count(model, torch.zeros(2, 4))
    assert report.macs == 2 * 4 + 2 * 16
    assert report.by_module["left"].macs == 2 * 16
    assert codes(report.notes) == ("real-run", "depends-on-values")


def test_without_values_such_a_course_is_an_error() -> None:
    with torch.device("meta"):
        model, x = Routed(), torch.empty(2, 4)
    with pytest.raises(CountError, match="meta"):
        count(model, x)


def test_huge_lengths_take_no_memory() -> None:
    x = torch.empty(1, 1, 10**12, device="meta")
    report = count(nn.Conv1d(1, 3, 5, padding=2), x)
    assert report.macs == 10**12 * 15


def test_a_failing_forward_names_its_module() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.Sequential(nn.Linear(5, 6)))
    with pytest.raises(CountError, match="shapes cannot be multiplied") as caught:
        count(model, torch.zeros(2, 3))
    assert caught.value.module_path == "1.0"


def test_lazy_modules_are_refused_with_advice() -> None:
    with pytest.raises(CountError, match="lazy") as caught:
        count(nn.LazyLinear(3), torch.zeros(2, 3))
    assert "once" in caught.value.advice
