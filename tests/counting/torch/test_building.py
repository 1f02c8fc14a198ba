"""Building without values: constants stay known, parameters have shapes only."""

import threading
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from inspect_cost import UsageError, build, count, inspect
from inspect_cost.values.notes import codes

X = torch.zeros(2, 8)


class Net(nn.Module):
    """A layer that its constructor made, among others."""

    def __init__(self, **parts: Any) -> None:
        super().__init__()
        self.layers: Any = nn.ModuleList()
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return x


def chain(*widths: int, **parts: Any) -> Net:
    net = Net(**parts)
    net.layers.extend(nn.Linear(m, n) for m, n in pairwise(widths))
    return net


def buffered(buffer: Tensor) -> Net:
    net = chain(8, 8)
    net.register_buffer("table", buffer)
    return net


def tied() -> Net:
    net = chain(8, 8, 8)
    net.layers[1].weight = net.layers[0].weight
    return net


def kept_elsewhere() -> Net:
    """A parameter that a plain list holds too."""
    gain = nn.Parameter(torch.ones(8))
    return chain(8, 8, gain=gain, gains=[gain])


def initialised() -> Net:
    net = chain(8, 8)
    weight, bias = net.layers[0].weight, net.layers[0].bias
    for fill in (
        nn.init.kaiming_normal_,
        nn.init.xavier_uniform_,
        nn.init.orthogonal_,
        nn.init.trunc_normal_,
        nn.init.eye_,
        lambda w: nn.init.sparse_(w, 0.5),
        lambda w: w.data.normal_(0, 0.02),
    ):
        fill(weight)
    nn.init.zeros_(bias)
    with torch.no_grad():
        weight.mul_(0.5).add_(torch.eye(8))
        weight.copy_(torch.randn(8, 8))
    return net


def loaded() -> Net:
    net = chain(8, 8)
    net.load_state_dict(chain(8, 8).state_dict(), assign=True)
    return net


def normed() -> Net:
    net = chain(8, 8)
    nn.utils.parametrizations.weight_norm(net.layers[0])
    return net


def legacy() -> Net:
    return chain(8, 8, scale=nn.Parameter(torch.FloatTensor(3).fill_(2)))


def from_direct() -> Net:
    net = chain(8, 8)
    vars(net)["_parameters"]["direct"] = nn.Parameter(torch.ones(8))
    return net


def named_device() -> Net:
    return chain(8, 8, token=nn.Parameter(torch.zeros(1, 8, device="cpu")))


#: How a constructor computes.
CONSTRUCTORS: dict[str, Callable[[], Any]] = {
    "plain": lambda: chain(8, 8),
    "arange to list": lambda: chain(8, *torch.arange(4, 8).tolist(), 8),
    "linspace to maximum": lambda: chain(8, int(torch.linspace(0, 5, 3).max().item())),
    "linspace by item": lambda: chain(8, 8, rates=[r.item() for r in torch.linspace(0, 0.1, 5)]),
    "rounded": lambda: chain(8, *(torch.arange(3) * 2.3 + 4).div(2).round().mul(2).int().tolist()),
    "unique": lambda: chain(8, *torch.tensor([4, 4, 8, 8]).unique().tolist()),
    "array": lambda: chain(8, *torch.arange(4, 6).numpy().tolist()),
    "from array": lambda: chain(8, int(torch.from_numpy(np.arange(5)).sum())),
    "condition": lambda: chain(8, 8 if torch.ones(2).sum() > 1 else 4),
    "cumulated": lambda: chain(8, *np.cumsum(torch.ones(3).numpy()).astype(int).tolist()),
    "strides": lambda: chain(8, X.shape[1] // int(torch.tensor([2.0, 4.0]).prod())),
    "buffer": lambda: buffered(torch.hann_window(16).outer(torch.arange(4.0))),
    "tied": tied,
    "kept elsewhere": kept_elsewhere,
    "initialised": initialised,
    "loaded": loaded,
    "normed": normed,
    "legacy": legacy,
    "direct": from_direct,
    "device": named_device,
    "list": lambda: chain(8, 8, more=nn.ParameterList([torch.ones(2), torch.ones(3)])),
    "attention": lambda: chain(8, 8, attend=nn.MultiheadAttention(8, 2)),
    "recurrent": lambda: chain(8, 8, cell=nn.LSTM(8, 8)),
    "random": lambda: chain(8, 8, position=nn.Parameter(torch.randn(1, 5, 8) * 0.02)),
}


@pytest.mark.parametrize("make", CONSTRUCTORS.values(), ids=CONSTRUCTORS)
def test_constructors_compute_without_weights(make: Callable[[], Any]) -> None:
    built, real = build(make), make()
    assert all(parameter.is_meta for parameter in built.parameters())
    assert {n: p.shape for n, p in built.named_parameters()} == {
        n: p.shape for n, p in real.named_parameters()
    }
    for (name, buffer), (other, expected) in zip(
        built.named_buffers(), real.named_buffers(), strict=True
    ):
        assert name == other
        assert torch.equal(buffer, expected)
    report = count(built.eval(), X)
    assert report.params == sum(p.numel() for p in real.parameters())
    assert report.flops == count(real.eval(), X).flops


def test_arguments_are_passed_on() -> None:
    assert build(nn.Linear, 3, 5, bias=False).weight.shape == (5, 3)


def test_constants_are_those_of_the_factory() -> None:
    built = build(CONSTRUCTORS["linspace by item"])
    assert built.rates == [r.item() for r in torch.linspace(0, 0.1, 5)]


def test_a_list_holds_the_registered_parameter() -> None:
    built: Any = build(kept_elsewhere)
    assert built.gains[0] is built.gain


def test_kinds_of_parameters_remain() -> None:
    class Marked(nn.Parameter):
        pass

    def make() -> nn.Module:
        weight: Any = Marked(torch.ones(3), requires_grad=False)
        weight.mark = 7
        return Net(weight=weight)

    weight: Any = build(make).weight
    assert (type(weight), weight.mark, weight.requires_grad) == (Marked, 7, False)
    assert weight.is_meta


def test_large_tensors_have_no_values() -> None:
    built = build(lambda: buffered(torch.ones(2**20 + 1)))
    assert built.get_buffer("table").is_meta


def test_buffers_computed_from_parameters_have_no_values() -> None:
    def make() -> nn.Module:
        net = buffered(torch.zeros(8))
        net.get_buffer("table").copy_(net.layers[0].bias.detach())
        return net

    assert build(make).get_buffer("table").is_meta


def test_lazy_modules_remain_lazy() -> None:
    assert nn.parameter.is_lazy(build(nn.LazyLinear, 3).weight)


READERS: dict[str, Callable[[Tensor], Any]] = {
    "item": lambda weight: float(weight.abs().max()),
    "array": lambda weight: weight.detach().numpy().sum(),
    "list": lambda weight: weight.tolist(),
    "condition": lambda weight: 1 if (weight > 0).any() else 2,
    "shape": lambda weight: weight[weight > 0].numel(),
}


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_parameters_cannot_be_read(read: Callable[[Tensor], Any]) -> None:
    def make() -> nn.Module:
        net = chain(8, 8)
        net.scale = read(net.layers[0].weight)
        return net

    with pytest.raises(UsageError, match="without values") as raised:
        build(make)
    assert raised.value.advice


def test_errors_of_the_factory_are_its_own() -> None:
    with pytest.raises(ZeroDivisionError):
        build(lambda: nn.Linear(1 // 0, 1))
    assert not nn.Linear(2, 2).weight.is_meta


def test_other_threads_keep_their_weights() -> None:
    made: list[nn.Linear] = []

    def make() -> nn.Module:
        thread = threading.Thread(target=lambda: made.append(nn.Linear(2, 2)))
        thread.start()
        thread.join()
        return nn.Linear(2, 2)

    assert build(make).weight.is_meta
    assert not made[0].weight.is_meta


SOURCE = """
import torch
from torch import nn

def computed():
    return nn.Sequential(*(nn.Linear(8, int(n)) for n in torch.linspace(4, 4, 1).tolist()))

def reading():
    net = computed()
    net.scale = float(net[0].weight.abs().max())
    return net
"""


def test_a_name_is_built_without_values_where_its_factory_allows(tmp_path: Path) -> None:
    file = tmp_path / "constructors.py"
    file.write_text(SOURCE)
    notes = {
        name: inspect(f"{file}:{name}", inputs=["2,8"], measure=False).count.notes
        for name in ("computed", "reading")
    }
    assert codes(notes["computed"]) == ()
    assert codes(notes["reading"]) == ("real-weights",)
