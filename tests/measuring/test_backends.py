"""The same call by other means gives the same outputs, or says why it cannot."""

import pytest
import torch
from torch import nn

from inspect_cost.errors import MeasurementError
from inspect_cost.measuring.backends import BACKENDS, max_relative_difference, outputs
from inspect_cost.measuring.target import target


class Net(nn.Module):
    """With a named input, a plain argument and two outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 8)

    def generate(self, x: torch.Tensor, *, bias: torch.Tensor, times: int) -> list[torch.Tensor]:
        y = torch.tanh(self.linear(x)) + bias
        return [y * times, y.sum()]


@pytest.mark.parametrize("backend", ["eager", "compile", "onnxruntime"])
def test_outputs_are_equal(backend: str) -> None:
    model = Net().eval()
    kwargs = {"bias": torch.randn(8), "times": 3}
    call = target(model.generate, (torch.randn(2, 8),), kwargs)
    ready = BACKENDS[backend](call, 1)
    reference = outputs(call, 1)
    assert [t.shape for t in reference] == [(2, 8), ()]
    difference = max_relative_difference(reference, outputs(ready, 1))
    assert difference is not None
    assert difference < 1e-5


def test_differences_are_relative_to_the_largest_element() -> None:
    expected = [torch.tensor([1.0, -4.0]), torch.tensor([0.1])]
    given = [torch.tensor([1.2, -4.0]), torch.tensor([0.1])]
    assert max_relative_difference(expected, given) == pytest.approx(0.05)
    assert max_relative_difference(expected, given[:1]) is None
    assert max_relative_difference([torch.tensor([0.0])], [torch.tensor([0.5])]) == 0.5


def test_compile_without_a_compiler_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(MeasurementError, match=r"needs a C\+\+ compiler, and none is here"):
        BACKENDS["compile"](target(nn.Linear(2, 2), (torch.ones(1, 2),), {}), 1)


class Deciding(nn.Module):
    """Its course depends on values, which no export follows."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + 1 if x.sum().item() > 0 else x


def test_what_cannot_be_exported_says_so() -> None:
    with pytest.raises(MeasurementError, match="the export to ONNX failed"):
        BACKENDS["onnxruntime"](target(Deciding(), (torch.ones(2),), {}), 1)
