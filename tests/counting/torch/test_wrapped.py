"""Models that torch wrapped, traced or packed, and forwards that do not simply return a result."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Thread
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from inspect_cost import CountError, UsageError, count
from tests.counting.torch.models import is_real_run

X = torch.ones(4, 8)
PRODUCT = 4 * 8 * 8


class Plain(nn.Module):
    """A linear layer in a profiled range."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Any:
        with torch.profiler.record_function("product"):
            return self.linear(x)


class Threaded(nn.Module):
    """Calls a layer on another thread, and returns whether that succeeds or not."""

    def __init__(self, *, by_pool: bool, patient: bool) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 8)
        self.by_pool, self.patient = by_pool, patient

    def forward(self, x: Tensor) -> Any:
        if self.by_pool:
            with ThreadPoolExecutor(1) as pool:
                return pool.submit(self.linear, x).result()
        results: list[Tensor] = []
        thread = Thread(target=lambda: results.append(self.linear(x)))
        thread.start()
        thread.join()
        return x if self.patient else results[0]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize(("by_pool", "patient"), [(True, False), (False, False), (False, True)])
def test_work_on_other_threads_is_refused_not_missed(by_pool: bool, patient: bool) -> None:
    with pytest.raises(UsageError, match=r"linear .* thread"):
        count(Threaded(by_pool=by_pool, patient=patient), X)


WRAPPED: dict[str, Callable[[], nn.Module]] = {
    "in a profiled range": Plain,
    "traced by fx": lambda: torch.fx.symbolic_trace(nn.Sequential(nn.Linear(8, 8), nn.ReLU())),
    "exported": lambda: torch.export.export(nn.Linear(8, 8), (X,)).module(),
    "in parallel": lambda: nn.DataParallel(nn.Linear(8, 8)),
}


@pytest.mark.parametrize("name", WRAPPED)
def test_wrapped_models_are_counted_from_shapes(name: str) -> None:
    model = WRAPPED[name]()
    report = count(model, X)
    assert report.macs == PRODUCT
    assert report.params == 72
    assert report.complete
    assert not is_real_run(report)
    assert model(X).shape == X.shape


def test_a_generator_does_its_work() -> None:
    class Streaming(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(8, 8)

        def forward(self, x: Tensor) -> Iterator[Tensor]:
            for _ in range(3):
                yield self.linear(x)

    report = count(Streaming().eval(), X)
    assert report.macs == report.by_module["linear"].macs == 3 * PRODUCT
    assert report.waste is not None
    assert report.waste.macs == 0


@pytest.mark.parametrize("below", [False, True])
@pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning")
def test_torchscript_is_refused_with_advice(below: bool) -> None:
    scripted: Any = torch.jit.script(nn.Linear(8, 8))
    with pytest.raises(CountError, match="TorchScript") as caught:
        count(nn.Sequential(scripted) if below else scripted, X)
    assert "scripted from" in caught.value.advice


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors:UserWarning")
def test_padding_that_torch_would_pack_is_counted() -> None:
    """Dense: as many products as without padding, and the mask added to each score."""
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    encoder = nn.TransformerEncoder(layer, 2).eval()
    x, padded = torch.ones(2, 5, 8), torch.zeros(2, 5, dtype=torch.bool)
    padded[1, 3:] = True
    masked, plain = count(encoder, x, src_key_padding_mask=padded), count(encoder, x)
    assert masked.complete
    assert masked.macs == plain.macs
    assert masked.flops_by_class["add"] - plain.flops_by_class["add"] == 2 * (2 * 2 * 5 * 5)
    assert encoder.use_nested_tensor


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors:UserWarning")
def test_nested_tensors_without_sizes_are_refused_with_advice() -> None:
    nested = torch.nested.nested_tensor([torch.ones(2, 8), torch.ones(3, 8)])
    with pytest.raises(CountError) as caught:
        count(nn.Linear(8, 8).eval(), nested)
    assert "jagged" in caught.value.advice
