"""Autocast: its casts are operators of the count, and those of weights live until it ends.

The model of all comparisons is torch itself: run on real values, where torch casts without help.
"""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from textwrap import dedent
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

import inspect_cost.counting.torch.run as counting
from inspect_cost import CostReport, count
from inspect_cost.values.notes import codes


class Cast(nn.Module):
    """A model within autocast."""

    def __init__(self, model: nn.Module, dtype: torch.dtype = torch.bfloat16) -> None:
        super().__init__()
        self.model, self.dtype = model, dtype

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast("cpu", dtype=self.dtype):
            y: Tensor = self.model(x)
        return y


class OnValues(nn.Module):
    """A model that cannot be counted without values."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.model(x)
        assert y.sum().item() is not None
        return y


def two_layers() -> nn.Module:
    return nn.Sequential(nn.Linear(64, 64, bias=False), nn.Linear(64, 64, bias=False))


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_an_inference(device: str) -> None:
    """Copies of both weights live beside two results; each cast and each product moves its own."""
    model, x = two_layers().to(device).eval(), torch.zeros(32, 64, device=device)
    plain = count(model, x)
    for _ in range(3):
        report = count(Cast(model), x)
        assert report.peak_activation_bytes == 2 * 8192 + 2 * 4096
        assert report.bytes_moved == 8192 + 4096 + 2 * (16384 + 8192 + 4096 + 8192 + 4096)
        assert (report.macs, report.flops) == (plain.macs, plain.flops)


def test_a_context_around_the_count() -> None:
    model, x = two_layers().eval(), torch.zeros(32, 64)
    inside = count(Cast(model), x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        for _ in range(3):
            report = count(model, x)
            assert report.peak_activation_bytes == inside.peak_activation_bytes
            assert report.bytes_moved == inside.bytes_moved
    assert count(model, x).bytes_moved == 2 * (8192 + 16384 + 8192)


def count_casts(report: CostReport) -> int:
    return sum(t.calls for t in report.tallies if t.operator in {"aten.to", "aten._to_copy"})


class Rounds(nn.Module):
    """One layer, run several times, in one context or in one each."""

    def __init__(self, *, together: bool, cache: bool = True, trained: bool = True) -> None:
        super().__init__()
        self.layer = nn.Linear(16, 16, bias=False).requires_grad_(trained)
        self.together, self.cache = together, cache

    def forward(self, x: Tensor) -> Tensor:
        with self.context() if self.together else nullcontext():
            for _ in range(3):
                with nullcontext() if self.together else self.context():
                    x = self.layer(x)
        return x

    @contextmanager
    def context(self) -> Iterator[None]:
        with torch.autocast("cpu", dtype=torch.bfloat16, cache_enabled=self.cache):
            yield


@pytest.mark.parametrize(
    ("model", "casts"),
    [
        (Rounds(together=True), 1),
        (Rounds(together=False), 3),
        (Rounds(together=True, cache=False), 3),
        (Rounds(together=True, trained=False), 3),
    ],
)
def test_a_weight_is_cast_once_in_a_context(model: nn.Module, casts: int) -> None:
    assert count_casts(count(model.eval(), torch.zeros(2, 16))) == casts + 1


def test_casts_are_freed_when_the_context_ends() -> None:
    together, apart = Rounds(together=True), Rounds(together=False)
    apart.layer = nn.Linear(16, 16, bias=False)
    x = torch.zeros(2, 16)
    copy, result = 2 * 256, 2 * 32
    assert count(together.eval(), x).peak_activation_bytes == copy + 2 * result
    assert count(apart.eval(), x).peak_activation_bytes == copy + 2 * result
    both = nn.Sequential(Cast(nn.Linear(16, 16, bias=False)), Cast(nn.Linear(16, 16, bias=False)))
    assert count(both.eval(), x).peak_activation_bytes == copy + 2 * result


class Classifier(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.act, self.last = nn.PReLU(), nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        h = self.act(self.norm(self.conv(x))).mean((2, 3))
        loss: Tensor = F.cross_entropy(self.last(h), torch.zeros(len(x), dtype=torch.int64))
        return loss


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm, self.qkv, self.out = nn.LayerNorm(16), nn.Linear(16, 48), nn.Linear(16, 16)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(self.norm(x)).unflatten(-1, (3, 2, 8)).unbind(-3)
        heads = (t.transpose(1, 2) for t in (q, k, v))
        y = F.scaled_dot_product_attention(*heads).transpose(1, 2).flatten(-2)
        return x + self.out(y)


class Island(nn.Module):
    """A part in single precision, whose result meets others: of both types, and joined."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.outer = nn.Linear(16, 16), nn.Linear(32, 4)

    def forward(self, x: Tensor) -> Tensor:
        low = self.inner(x)
        with torch.autocast("cpu", enabled=False):
            high = self.inner(x) * low.float()
        joined: Tensor = self.outer(torch.cat([low, high], -1))
        return F.mse_loss(joined, torch.zeros_like(joined)) + torch.stack([low, low]).float().sum()


class Einsum(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(16, 6))
        self.other = nn.Parameter(torch.zeros(6, 16, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        y = torch.einsum("...i,ij->...j", x, self.weight) @ self.weight.t()
        return y + torch.matmul(self.other.t(), self.other)[0]


MODELS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "two layers": (two_layers, (32, 64)),
    "biased": (lambda: nn.Sequential(nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 4)), (3, 16)),
    "shared": (lambda: nn.Sequential(*[nn.Linear(16, 16)] * 3), (3, 16)),
    "classifier": (Classifier, (2, 3, 8, 8)),
    "attention": (Attention, (2, 5, 16)),
    "island": (Island, (3, 16)),
    "einsum": (Einsum, (3, 16)),
    "conv1d": (lambda: nn.Conv1d(4, 6, 3, stride=2), (2, 4, 9)),
    "transposed": (lambda: nn.ConvTranspose2d(4, 6, 3, stride=2), (2, 4, 5, 5)),
    "rounds": (lambda: Rounds(together=True), (2, 16)),
    "contexts": (lambda: Rounds(together=False), (2, 16)),
    "heads": (lambda: nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0), (3, 2, 16)),
    "half": (lambda: nn.Linear(16, 8).bfloat16(), (3, 16)),
    "cells": (lambda: nn.Sequential(nn.Linear(16, 16), nn.Softmax(-1), nn.Linear(16, 2)), (3, 16)),
}


CASTS = ("aten.to", "aten._to_copy", "aten.type_as")
#: On values, a fused kernel of attention runs; from shapes, what it is made of.
FUSED = {"attention", "heads"}


def sum_casts(report: CostReport) -> int:
    return sum(t.bytes_moved for t in report.tallies if t.operator in CASTS)


def summarize(report: CostReport) -> dict[tuple[str, str], tuple[int, int, int]]:
    return {(t.module, t.operator): (t.calls, t.bytes_moved, t.cost.flops) for t in report.tallies}


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", MODELS)
def test_a_training_step_is_cast_as_torch_casts(
    name: str, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, size = MODELS[name]
    model, x = OnValues(Cast(make(), dtype)), torch.zeros(size)
    followed = count(model, x, backward=True)
    bare = count(model.model, x, backward=True)
    monkeypatch.setattr(counting, "follow_autocast", lambda _home: nullcontext())
    own = count(model, x, backward=True)
    assert "real-run" in codes(own.notes)
    assert "real-run" not in codes(bare.notes)
    assert summarize(followed) == summarize(own)
    assert followed.peak_activation_bytes == own.peak_activation_bytes
    if name not in FUSED:
        assert sum_casts(bare) == sum_casts(own)


class Casts(TorchDispatchMode):
    """Adds up the bytes of the casts that are made."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch has no types here
        self.bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if func is torch.ops.aten._to_copy.default:  # noqa: SLF001 - what a cast becomes
            self.bytes += args[0].nbytes + out.nbytes
        return out


@pytest.mark.parametrize("name", MODELS)
def test_an_inference_is_cast_as_torch_casts(name: str) -> None:
    make, size = MODELS[name]
    model, x = Cast(make()).eval(), torch.zeros(size)
    with torch.no_grad(), Casts() as casts:
        model(x)
    assert casts.bytes
    assert sum_casts(count(model, x)) == casts.bytes
    assert sum_casts(count(OnValues(model), x)) == casts.bytes


class Function(nn.Module):
    """A function of a weight and of inputs."""

    def __init__(self, function: Callable[..., Any], *size: int) -> None:
        super().__init__()
        self.function, self.weight = function, nn.Parameter(torch.zeros(size or (16, 16)))

    def forward(self, *inputs: Any) -> Any:
        return self.function(self.weight, *inputs)


class Packed(nn.Module):
    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Any:
        return self.layer(nn.utils.rnn.pack_padded_sequence(x, [5, 4, 2]))[0].data


def after_linear(function: Callable[[Tensor], Any]) -> nn.Module:
    """Return a function of numbers in the lower precision."""
    return Function(lambda w, x: function(x @ w))


FLAT, STEPS, MAPS = torch.zeros(3, 16), torch.zeros(5, 3, 16), torch.zeros(2, 4, 8, 8)
HEADS, LABELS = torch.zeros(2, 4, 6, 8), torch.zeros(3, dtype=torch.int64)
STATES = (torch.zeros(1, 3, 6), torch.zeros(1, 3, 6))
RECURRENT: dict[str, Callable[..., nn.Module]] = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}
LAYERED: dict[str, dict[str, Any]] = {
    "plain": {},
    "deep": {"num_layers": 2, "batch_first": True},
    "both ways": {"bidirectional": True},
    "deep, both ways, unbiased": {"num_layers": 2, "bidirectional": True, "bias": False},
}
LOSSES: dict[str, Callable[[Tensor], Tensor]] = {
    "cross entropy": lambda y: F.cross_entropy(y, LABELS, label_smoothing=0.1),
    "negative log likelihood": lambda y: F.nll_loss(y, LABELS),
    "squared": lambda y: F.mse_loss(y, torch.zeros(3, 16)),
    "huber": lambda y: F.huber_loss(y, torch.zeros(3, 16)),
    "divergence": lambda y: F.kl_div(y, torch.zeros(3, 16), reduction="sum"),
    "logits": lambda y: F.binary_cross_entropy_with_logits(y, torch.zeros(3, 16)),
    "cosine": lambda y: F.cosine_embedding_loss(y, y, torch.ones(3)),
    "margins": lambda y: F.multi_margin_loss(y, LABELS),
}

#: Operators whose operands torch casts as a whole or inside, with inputs.
WITHIN: dict[str, tuple[nn.Module, tuple[Any, ...]]] = {
    **{
        f"{name}, {how}": (make(16, 6, **options), (STEPS,))
        for name, make in RECURRENT.items()
        for how, options in LAYERED.items()
    },
    **{f"packed {name}": (Packed(make(16, 6)), (STEPS,)) for name, make in RECURRENT.items()},
    **{name: (after_linear(loss), (FLAT,)) for name, loss in LOSSES.items()},
    "lstm with states": (nn.LSTM(16, 6), (STEPS, STATES)),
    "lstm cell": (nn.LSTMCell(16, 6), (FLAT,)),
    "gru cell": (nn.GRUCell(16, 6), (FLAT,)),
    "rnn cell": (nn.RNNCell(16, 6, nonlinearity="relu"), (FLAT,)),
    "einsum of three": (Function(lambda w, x: torch.einsum("bi,ij,jk->bk", x, w, w)), (FLAT,)),
    "einsum of scores": (
        Function(lambda w, x: torch.einsum("bhqd,bhkd->bhqk", x, x * w), 8),
        (HEADS,),
    ),
    "tensordot": (Function(lambda w, x: torch.tensordot(x, w, 1)), (FLAT,)),
    "inner": (Function(lambda w, x: torch.inner(x, w)), (FLAT,)),
    "chain": (Function(lambda w, x: torch.linalg.multi_dot([x, w, w])), (FLAT,)),
    "matmul": (Function(lambda w, x: x @ w), (STEPS,)),
    "addmm": (Function(lambda w, x: torch.addmm(w[0], x, w)), (FLAT,)),
    "baddbmm": (Function(lambda w, x: torch.baddbmm(w[:3, :3], x, x.mT)), (STEPS,)),
    "bilinear": (nn.Bilinear(16, 16, 4), (FLAT, FLAT)),
    "heads": (nn.MultiheadAttention(16, 2), (STEPS, STEPS, STEPS)),
    "heads without weights": (
        nn.MultiheadAttention(16, 2),
        (STEPS, STEPS, STEPS, None, False),
    ),
    "attention": (
        Function(lambda _w, q: F.scaled_dot_product_attention(q, q, q, q[0, 0, :, :6])),
        (HEADS,),
    ),
    "causal attention": (
        Function(lambda _w, q: F.scaled_dot_product_attention(q, q, q, is_causal=True)),
        (HEADS,),
    ),
    **{
        f"transposed in {d} dimensions": (make(4, 6, 3), (torch.zeros(2, 4, *[5] * d),))
        for d, make in enumerate(
            (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d), start=1
        )
    },
    "circular": (nn.Conv2d(4, 6, 3, padding=1, padding_mode="circular"), (MAPS,)),
    "reflected": (nn.Conv2d(4, 6, 3, padding=1, padding_mode="reflect"), (MAPS,)),
    "softmax": (after_linear(lambda y: y.softmax(-1)), (FLAT,)),
    "layer norm": (after_linear(lambda y: F.layer_norm(y, (16,))), (FLAT,)),
    "rms norm": (nn.Sequential(nn.Linear(16, 16), nn.RMSNorm(16)), (FLAT,)),
    "distances": (after_linear(lambda y: torch.cdist(y, y)), (FLAT,)),
    "spectrum": (after_linear(lambda y: torch.fft.rfft(y).abs()), (FLAT,)),
    "cat": (Function(lambda w, x: torch.cat([x @ w, x])), (FLAT,)),
    "stack": (Function(lambda w, x: torch.stack([x @ w, x])), (FLAT,)),
    "hstack": (Function(lambda w, x: torch.hstack([x @ w, x])), (FLAT,)),
    "vstack": (Function(lambda w, x: torch.vstack([x @ w, x])), (FLAT,)),
    "sum of both types": (Function(lambda w, x: x @ w + x), (FLAT,)),
}


class CastCall(Cast):
    """A call of any arguments within autocast."""

    def forward(self, *inputs: Any) -> Any:
        with torch.autocast("cpu", dtype=self.dtype):
            return self.model(*inputs)


@pytest.mark.filterwarnings("ignore:Mismatch dtype:UserWarning")
@pytest.mark.parametrize("name", WITHIN)
def test_casts_inside_of_operators_are_followed(name: str) -> None:
    layer, inputs = WITHIN[name]
    model = CastCall(layer).eval()
    with torch.no_grad(), Casts() as casts:
        model(*inputs)
    first, second = count(model, *inputs), count(model, *inputs)
    assert sum_casts(first) == casts.bytes
    assert second == first
    assert first.complete, first.uncounted
    assert "real-run" not in codes(first.notes) or name in {"inner", "chain"}  # as without autocast
    assert first.macs == count(layer.eval(), *inputs).macs


class Recorded(CastCall):
    """A call that autograd records, as the forward of a training step."""

    def forward(self, *inputs: Any) -> Any:
        with torch.enable_grad():
            return super().forward(*inputs)


#: Recorded on shapes alone, torch has no layer of the CPU's, and other parts of attention.
OTHERWISE_RECORDED = {"lstm", "attention", "heads"}


@pytest.mark.parametrize(
    "name", [n for n in WITHIN if not OTHERWISE_RECORDED & set(n.replace(",", "").split())]
)
def test_the_forward_of_a_training_step_casts_alike(name: str) -> None:
    layer, inputs = WITHIN[name]
    inference, recorded = (count(kind(layer).eval(), *inputs) for kind in (CastCall, Recorded))
    assert sum_casts(recorded) == sum_casts(inference)


@pytest.mark.parametrize("name", MODELS)
def test_macs_are_those_without(name: str) -> None:
    make, size = MODELS[name]
    x, model = torch.zeros(size), make().eval()
    without = count(model.float() if name == "half" else model, x)
    assert count(Cast(model), x).macs == without.macs


def test_a_training_step_is_the_same_every_time() -> None:
    model, x = Cast(Classifier()), torch.zeros(2, 3, 8, 8)
    first = count(model, x, backward=True)
    assert all(count(model, x, backward=True) == first for _ in range(2))


def test_models_without_values_train() -> None:
    x = torch.zeros(2, 3, 8, 8)
    real = count(Cast(Classifier()), x, backward=True)
    bare = count(Cast(Classifier()).to("meta"), x.to("meta"), backward=True)
    assert bare.bytes_moved == real.bytes_moved
    assert bare.peak_activation_bytes == real.peak_activation_bytes


NAMESPACE = "inspect_cost_autocast_tests"


@pytest.fixture(scope="module")
def single_on_cpu() -> Any:
    """An operator of a library that runs in single precision under autocast, as torchvision's."""
    library = torch.library.Library(NAMESPACE, "DEF")
    library.define("double(Tensor x) -> Tensor")
    library.impl("double", lambda x: 2 * x, "CPU")
    library.impl("double", torch.empty_like, "Meta")

    def cast(x: Tensor) -> Tensor:
        with torch._C._ExcludeDispatchKeyGuard(AUTOCAST):  # noqa: SLF001 - as torchvision does
            return operator(x.float()).to(x.dtype)

    library.impl("double", cast, "AutocastCPU")
    operator = getattr(torch.ops, NAMESPACE).double
    yield operator
    library._destroy()  # noqa: SLF001 - it has no public form


AUTOCAST = torch._C.DispatchKeySet(torch._C.DispatchKey.AutocastCPU)  # noqa: SLF001


def test_a_library_casts_for_its_own_operators(single_on_cpu: Any) -> None:
    """It is loaded after the first count of the process, and has casts before and after."""

    class Doubled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(8, 8)

        def forward(self, x: Tensor) -> Any:
            return single_on_cpu(self.linear(x))

    x, model = torch.zeros(4, 8), Cast(Doubled()).eval()
    with torch.no_grad(), Casts() as casts:
        model(x)
    assert casts.bytes
    assert sum_casts(count(model, x)) == casts.bytes


def test_a_library_that_casts_is_loaded_before_the_first_count() -> None:
    code = """
        import torch
        from inspect_cost import count
        library = torch.library.Library("mylib", "DEF")
        library.define("double(Tensor x) -> Tensor")
        library.impl("double", lambda x: 2 * x, "AutocastCPU")
        print(count(torch.nn.Linear(3, 4), torch.zeros(2, 3)).macs)
    """
    done = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", dedent(code)], capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["24"], done.stderr


def test_the_process_goes_on_as_before() -> None:
    model, x = two_layers(), torch.rand(32, 64)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        before = model(x)
        count(Cast(model), x)
        after = model(x)
    assert torch.equal(before, after)
    assert before.dtype is torch.bfloat16
    before.float().sum().backward()
    assert model(x).dtype is torch.float32
