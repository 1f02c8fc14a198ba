"""A count leaves the model, its inputs and the process as they were."""

import copy
import gc
import random
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils import _python_dispatch

from inspect_cost import CountError, count
from tests.counting.torch.models import Untidy, is_real_run


def state_of(model: nn.Module, x: Tensor) -> Any:
    """Collect everything that a forward could change, as comparable values."""
    return (
        {name: (t.tolist(), str(t.device)) for name, t in model.state_dict().items()},
        [p.requires_grad for p in model.parameters()],
        [m.training for m in model.modules()],
        [sorted(vars(m)) for m in model.modules()],
        [(len(m._forward_hooks), len(m._forward_pre_hooks)) for m in model.modules()],  # noqa: SLF001
        {k: copy.copy(v) for k, v in vars(model).items() if k in {"cache", "seen", "fails"}},
        x.tolist(),
        torch.get_rng_state().tolist(),
        random.getstate(),
        str(np.random.get_state()),  # noqa: NPY002 - what models draw from
        torch.is_grad_enabled(),
        torch.is_inference_mode_enabled(),
    )


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("training", [False, True])
def test_nothing_changes(fails: bool, training: bool) -> None:
    model, x = Untidy(fails).train(training), torch.rand(3, 4)
    model.linear.register_forward_hook(lambda *_: None)
    before = state_of(model, x)
    for _ in range(2):
        if fails:
            with pytest.raises(CountError, match="on purpose"):
                count(model, x)
        else:
            assert count(model, x).complete
        assert state_of(model, x) == before


def test_buffers_that_share_memory_share_it_in_the_copy() -> None:
    class Counting(nn.Module):
        steps: Tensor
        last: Tensor
        calls: Tensor
        same_calls: Tensor

        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(3, 3)
            self.register_buffer("steps", torch.zeros(2))
            self.register_buffer("last", self.steps[1:])
            self.register_buffer("calls", torch.zeros(1))
            self.register_buffer("same_calls", self.calls.view(1, 1))
            self.also_calls = self.calls.view(1, 1, 1)

        def forward(self, x: Tensor) -> Tensor:
            self.steps += 2
            self.calls += 1
            for _ in range(int(self.last + self.same_calls + self.also_calls)):
                x = self.linear(x)
            return x

    model = Counting()
    assert [count(model, torch.rand(1, 3)).macs for _ in range(2)] == [4 * 9, 4 * 9]
    assert not any(buffer.any() for buffer in model.buffers())


def test_nothing_changes_when_the_model_is_really_run() -> None:
    class Curious(Untidy):
        def forward(self, x: Tensor) -> Any:
            y = super().forward(x)
            return y * y.sum().item()

    model, x = Curious(), torch.rand(3, 4)
    before = state_of(model, x)
    assert is_real_run(count(model, x))
    assert state_of(model, x) == before


def test_attributes_that_cannot_be_copied_are_no_obstacle() -> None:
    class Locked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lock = threading.Lock()
            self.state = {"lock": self.lock}
            self.linear = nn.Linear(3, 3)

        def forward(self, x: Tensor) -> Any:
            with self.lock:
                return self.linear(x)

    assert count(Locked(), torch.zeros(1, 3)).macs == 9


def test_what_a_forward_keeps_in_its_inputs_is_kept_in_copies() -> None:
    class Cache:
        def __init__(self) -> None:
            self.keys: list[Tensor] = []

    class Remembering(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(3, 3)

        def forward(self, x: Tensor, cache: Cache) -> Tensor:
            cache.keys.append(self.linear(x))
            return torch.cat(cache.keys)

    cache, x = Cache(), torch.zeros(1, 3)
    cache.keys.append(x * 2)
    assert count(Remembering(), x, cache=cache).macs == 9
    assert len(cache.keys) == 1
    assert not cache.keys[0].is_meta


def test_gradients_still_flow_afterwards() -> None:
    model, x = nn.Linear(3, 3), torch.zeros(1, 3)
    count(model, x)
    model(x).sum().backward()
    assert model.bias.grad is not None


def test_concurrent_counts_are_right_and_leave_nothing_behind() -> None:
    models = {width: nn.LSTM(width, width) for width in range(1, 46)}
    random_state = torch.get_rng_state()

    def macs(width: int) -> int:
        return count(models[width], torch.zeros(4, 1, width)).macs

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(macs, models))
    assert results == [4 * 4 * width * 2 * width for width in models]
    assert torch.equal(torch.get_rng_state(), random_state)
    flags = [flag for name, flag in vars(_python_dispatch).items() if name.startswith("_is_in_")]
    assert not any(flag is True for flag in flags)


def test_compiled_functions_are_compiled_again_after_concurrent_counts() -> None:
    torch.compiler.reset()  # imports the compiler
    assert "torch._dynamo" in sys.modules
    calls = []

    def backend(graph: torch.fx.GraphModule, _inputs: list[Tensor]) -> Any:
        calls.append(1)
        return graph.forward

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: count(nn.Linear(2, 2), torch.zeros(1, 2)), range(12)))
    torch.compile(lambda x: x + 1, backend=backend)(torch.zeros(2))
    assert calls


class Searching(nn.Module):
    """Records whether garbage collection is on while it runs, and may fail."""

    searched: list[bool]

    def forward(self, x: Tensor, *, fails: bool) -> Tensor:
        self.searched.append(gc.isenabled())
        if fails:
            raise RuntimeError("half-way")
        return x


@pytest.mark.parametrize("enabled", [False, True])
@pytest.mark.parametrize("fails", [False, True])
def test_garbage_is_not_searched_for_meanwhile_and_is_afterwards(
    *, fails: bool, enabled: bool
) -> None:
    model, before = Searching(), gc.isenabled()
    Searching.searched = []
    (gc.enable if enabled else gc.disable)()
    try:
        with suppress(CountError):
            count(model, torch.ones(2), fails=fails)
        after = gc.isenabled()
    finally:
        (gc.enable if before else gc.disable)()
    assert after is enabled
    assert model.searched
    assert not any(model.searched)
