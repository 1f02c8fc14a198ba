"""What a forward keeps outside of its model can be used after a count as without it."""

import functools
import gc
from collections.abc import Callable
from typing import ClassVar

import pytest
import torch
from torch import Tensor, nn

from inspect_cost import CountError, count

X = torch.randn(2, 8)
FILE: dict[int, Tensor] = {}


@functools.lru_cache
def cached_window(length: int) -> Tensor:
    return torch.hann_window(length)


@functools.lru_cache
def cached_on_device(length: int, device: torch.device) -> Tensor:
    return torch.arange(float(length), device=device)


class Windowed(nn.Module):
    """Multiplies its result by a window that it gets from somewhere."""

    table: ClassVar[dict[int, Tensor]] = {}

    def __init__(self, find_window: Callable[["Windowed", Tensor], Tensor]) -> None:
        super().__init__()
        self.layer = nn.Linear(8, 8)
        self.find_window = find_window

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.layer(x)
        return out * self.find_window(self, out)


def from_class(model: Windowed, _out: Tensor) -> Tensor:
    table = type(model).table
    if 8 not in table:
        table[8] = torch.ones(8).cumsum(0)
    return table[8]


def from_file(_model: Windowed, out: Tensor) -> Tensor:
    return FILE.setdefault(8, torch.linspace(0, 1, 16, device=out.device)[::2])


WINDOWS: dict[str, Callable[[Windowed, Tensor], Tensor]] = {
    "decorator": lambda _model, _out: cached_window(8),
    "decorator, by device": lambda _model, out: cached_on_device(8, out.device),
    "class": from_class,
    "file": from_file,
}


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("name", WINDOWS)
def test_the_next_training_step_works(name: str, *, backward: bool) -> None:
    cached_window.cache_clear()
    cached_on_device.cache_clear()
    Windowed.table.clear()
    FILE.clear()
    model = Windowed(WINDOWS[name])
    assert count(model, X, backward=backward).params == 72
    for table in (FILE, Windowed.table):
        assert not any(window.is_inference() or window.is_meta for window in table.values())
    model(X).sum().backward()
    assert model.layer.weight.grad is not None
    assert model.layer.weight.grad.device.type == "cpu"


class Place:
    """An object of a file."""

    def __init__(self) -> None:
        self.last: Tensor | None = None


PLACE = Place()
LOG: list[Tensor] = []
PAIRS: dict[str, tuple[Tensor, int]] = {}


@functools.cache
def cached_product(layer_input: int, device: torch.device) -> tuple[Tensor, int]:
    return torch.zeros(layer_input, device=device), 1


class Remembering(nn.Module):
    """Keeps results of its layer outside of itself."""

    last: ClassVar[Tensor | None] = None
    best: ClassVar[dict[str, Tensor]] = {"best": torch.ones(1)}

    def __init__(self, *, fails: bool = False) -> None:
        super().__init__()
        self.layer, self.fails = nn.Linear(8, 8), fails

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layer(x)
        type(self).last = PLACE.last = y
        self.best["best"] = y
        self.best["new"] = y
        LOG.append(y)
        PAIRS["pair"] = (y, 1)
        cached_product(8, y.device)
        if self.fails:
            raise RuntimeError(self.fails)
        return y * 2


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("backward", [False, True])
def test_results_that_a_forward_keeps_outside_are_taken_out(*, backward: bool, fails: bool) -> None:
    LOG.append(torch.ones(1))
    cached_product.cache_clear()
    model = Remembering(fails=fails)
    best = Remembering.best["best"]
    try:
        count(torch.nn.Sequential(model).to("cpu"), X, backward=backward)
    except CountError:
        assert fails
    assert PLACE.last is None or not PLACE.last.is_meta
    assert Remembering.last is None or not Remembering.last.is_meta
    assert not any(t.is_meta for t in (*LOG, *Remembering.best.values()))
    assert not any(t.is_meta for t, _ in PAIRS.values())
    if not fails:
        assert Remembering.last is None
        assert Remembering.best == {"best": best}
        assert cached_product.cache_info().currsize == (0 if backward else 1)
    LOG.clear()
    PAIRS.clear()
    Remembering.last = PLACE.last = None
    Remembering.best.pop("new", None)
    Remembering.best["best"] = torch.ones(1)


class Output(dict[str, Tensor]):
    """A result that nothing can be taken out of, as those of some libraries."""

    def __delitem__(self, name: str) -> None:
        raise RuntimeError(name)

    def __setitem__(self, name: str, value: Tensor) -> None:
        raise RuntimeError(name)


OUTPUTS: list[Output] = []


class Guarded(nn.Module):
    """Keeps a result that refuses changes, and goes on as its values say."""

    def __init__(self, *, by_value: bool) -> None:
        super().__init__()
        self.layer, self.by_value = nn.Linear(8, 8), by_value

    def forward(self, x: Tensor) -> Tensor:
        held = Output(y=self.layer(x))
        OUTPUTS.append(held)
        if self.by_value and held["y"].sum().item() > 1e9:
            return x
        return held["y"]


@pytest.mark.parametrize("by_value", [False, True])
def test_what_refuses_to_be_taken_out_is_left(*, by_value: bool) -> None:
    assert count(Guarded(by_value=by_value), X).macs == 2 * 64
    OUTPUTS.clear()


def test_gradients_are_nothing_left_behind() -> None:
    """Looking for what holds memory takes a full collection, which this step does not need."""
    collections: list[str] = []

    def note(phase: str, info: dict[str, int]) -> None:
        if info["generation"] == 2:
            collections.append(phase)

    layers = nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8))
    gc.callbacks.append(note)
    gc.disable()  # so that only the count itself asks for a collection
    try:
        count(layers, X, backward=True)
    finally:
        gc.enable()
        gc.callbacks.remove(note)
    assert not collections
