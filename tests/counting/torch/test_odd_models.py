"""Odd models: nothing of the caller's is written, the count is right, and they train after it."""

import collections
import functools
import io
import itertools
import random
import threading
import types
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize

from inspect_cost import CountError, count
from inspect_cost.values.notes import codes

ONE = 4 * 64


class Odd(nn.Module):
    """A layer, and what a case adds to it and does with it."""

    def __init__(self, add: Callable[["Odd"], Any], run: Callable[..., Any]) -> None:
        super().__init__()
        self.layer, self.norm = nn.Linear(8, 8), nn.BatchNorm1d(8)
        self.run = types.MethodType(run, self)
        add(self)

    def hold(self, value: Any) -> Any:
        object.__setattr__(self, "held", value)  # past nn.Module, which would register a module
        return value

    def forward(self, *inputs: Any) -> Any:
        return self.run(*inputs)


class Record:
    """Counts its calls, in slots."""

    __slots__ = ("calls", "layer")

    def __init__(self) -> None:
        self.layer, self.calls = nn.Linear(8, 8), 0

    def __call__(self, x: Tensor) -> Any:
        self.calls += 1
        return self.layer(x)


class Pair(NamedTuple):
    scale: Tensor
    shift: Tensor


@dataclass(frozen=True)
class Frozen:
    scale: Tensor
    layer: nn.Module


class Named(dict[str, Any]):
    """A dictionary of a class of its own."""


class Box:
    """Holds a lock beside a tensor, and refuses to be pickled."""

    def __init__(self) -> None:
        self.lock, self.scale, self.calls = threading.Lock(), torch.ones(8), 0

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise TypeError


class Symmetric(nn.Module):
    def forward(self, weight: Tensor) -> Tensor:
        return weight.triu() + weight.triu(1).T


class Inner(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer, self.norm = nn.Linear(8, 8), nn.BatchNorm1d(8)

    def go(self, x: Tensor) -> Any:
        return self.norm(self.layer(x))


class Forwarding(nn.Module):
    """Has its inner model's attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = Inner()

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("inner"), name)

    def forward(self, x: Tensor) -> Any:
        return self.go(x)


class Called(Inner):
    """Has a call of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def __call__(self, x: Tensor) -> Any:
        self.calls += 1
        return super().__call__(x * 2)

    def forward(self, x: Tensor) -> Any:
        return self.go(x)


class Single(Inner):
    """Copies to itself, and writes to its weight."""

    def __deepcopy__(self, memo: Any) -> Any:
        return self

    def forward(self, x: Tensor) -> Any:
        with torch.no_grad():
            self.layer.weight.mul_(1.5)
        return self.go(x)


class Tabled(Inner):
    @functools.cache  # noqa: B019 - the kind that is tested
    def table(self, n: int) -> Tensor:
        return torch.hann_window(n)

    def forward(self, x: Tensor) -> Any:
        return self.go(x) * self.table(8)


def with_another_forward() -> nn.Module:
    model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8))
    model.forward = Inner().go  # type: ignore[method-assign]
    return model


def share_memory(m: Odd) -> None:
    array = np.ones(8, dtype=np.float32)
    m.hold(array)
    m.register_buffer("scale", torch.from_numpy(array))


def write_shared(m: Any, x: Tensor) -> Any:
    m.scale.add_(1)
    m.held[0] = 7
    return m.layer(x) * m.scale


def add_views(m: Odd) -> None:
    m.register_buffer("whole", torch.zeros(16))
    m.register_buffer("part", m.whole[:8])  # type: ignore[index]


def make_views_of_parameters(m: Odd) -> None:
    m.layer.weight = nn.Parameter(torch.randn(64).view(8, 8))
    m.layer.bias = nn.Parameter(torch.ones(1).expand(8))


def adapt(m: Any) -> None:
    m.a, m.b, before = nn.Parameter(torch.randn(2, 8)), nn.Parameter(torch.randn(8, 2)), None
    before = m.layer.forward
    m.layer.forward = lambda x: before(x) + F.linear(F.linear(x, m.a), m.b)


def note(seen: list[Any], layer: nn.Module, inputs: Any, out: Tensor) -> None:
    del layer, inputs
    seen.append(out.detach())


def add_hook(m: Any) -> None:
    m.hold([])
    m.layer.register_forward_hook(functools.partial(note, m.held))


def compile_layer(m: Any) -> None:
    m.layer.forward = torch.compile(m.layer.forward, backend="eager")


def then(*steps: Any) -> Any:
    """Return the last of some values, all of which were computed."""
    return steps[-1]


def plain(m: Any, x: Tensor) -> Any:
    return m.layer(x)


def nothing(_m: Odd) -> None:
    pass


def use_box(m: Any, x: Tensor) -> Any:
    with m.held.lock:
        m.held.scale.add_(1)
        m.held.calls += 1
        return m.layer(x) * m.held.scale


Make = Callable[[], tuple[nn.Module, tuple[Any, ...]]]


def odd(add: Callable[[Odd], Any], run: Callable[..., Any]) -> Make:
    return lambda: (Odd(add, run), (torch.randn(4, 8),))


def held(make: Callable[[], Any], run: Callable[..., Any]) -> Make:
    return odd(lambda m: m.hold(make()), run)


def of(make: Callable[[], nn.Module]) -> Make:
    return lambda: (make(), (torch.randn(4, 8),))


def with_cache() -> tuple[nn.Module, tuple[Any, ...]]:
    model = Odd(nothing, lambda m, x, cache: then(cache.append(m.layer(x)), sum(cache)))
    return model, (torch.randn(4, 8), [model.layer(torch.randn(4, 8))])


def with_a_parameter_given() -> tuple[nn.Module, tuple[Any, ...]]:
    model = Odd(nothing, lambda m, x, w: m.layer(x) @ w)
    return model, (torch.randn(4, 8), model.layer.weight)


def with_aliases() -> tuple[nn.Module, tuple[Any, ...]]:
    x = torch.randn(8, 8)
    return Odd(nothing, lambda m, a, b: then(a.mul_(2), m.layer(b[:4]))), (x, x[:])


#: Name -> (model and inputs, MACs of an inference).
CASES: dict[str, tuple[Make, int]] = {
    "closure in a dictionary": (
        odd(lambda m: m.hold({"n": lambda x: m.norm(x)}), lambda m, x: m.held["n"](m.layer(x))),
        ONE,
    ),
    "lambda in a list": (
        odd(lambda m: m.hold([lambda x: m.layer(x)]), lambda m, x: m.held[0](m.held[0](x))),
        2 * ONE,
    ),
    "hook with a partial": (odd(add_hook, plain), ONE),
    "weak reference": (odd(lambda m: m.hold(weakref.ref(m.layer)), lambda m, x: m.held()(x)), ONE),
    "another object's forward": (of(with_another_forward), ONE),
    "cached method": (of(Tabled), ONE),
    "slots": (held(Record, lambda m, x: m.held(x)), ONE),
    "named tuple": (
        held(
            lambda: Pair(torch.ones(8), torch.ones(8)),
            lambda m, x: then(m.held.scale.mul_(2), m.layer(x) + m.held.shift),
        ),
        ONE,
    ),
    "frozen dataclass": (
        held(
            lambda: Frozen(torch.ones(8), nn.Linear(8, 8)),
            lambda m, x: then(m.held.scale.add_(1), m.held.layer(x) * m.held.scale),
        ),
        ONE,
    ),
    "class of a dictionary": (
        held(
            lambda: Named(layer=nn.Linear(8, 8)),
            lambda m, x: then(m.held.update(calls=1), m.held["layer"](x)),
        ),
        ONE,
    ),
    "default dictionary": (
        held(
            lambda: collections.defaultdict(list),
            lambda m, x: then(m.held["seen"].append(x), m.layer(x)),
        ),
        ONE,
    ),
    "ordered dictionary": (
        held(
            lambda: collections.OrderedDict(a=nn.Linear(8, 8), b=nn.Linear(8, 8)),
            lambda m, x: then(m.held.move_to_end("a"), m.held["a"](x)),
        ),
        ONE,
    ),
    "chained dictionaries": (
        held(
            lambda: collections.ChainMap({}, {"layer": nn.Linear(8, 8)}),
            lambda m, x: then(m.held.update(calls=1), m.held["layer"](x)),
        ),
        ONE,
    ),
    "dictionary for reading": (
        held(
            lambda: types.MappingProxyType({"layer": nn.Linear(8, 8)}),
            lambda m, x: m.held["layer"](x),
        ),
        ONE,
    ),
    "deque": (
        held(
            lambda: collections.deque(maxlen=3),
            lambda m, x: then(m.held.append(m.layer(x)), sum(m.held)),
        ),
        ONE,
    ),
    "namespace": (
        held(
            lambda: types.SimpleNamespace(layer=nn.Linear(8, 8), calls=0),
            lambda m, x: then(vars(m.held).pop("calls"), m.held.layer(x)),
        ),
        ONE,
    ),
    "method of a list": (
        odd(
            lambda m: vars(m).setdefault("put", m.hold([]).append),
            lambda m, x: then(m.put(1), m.layer(x)),
        ),
        ONE,
    ),
    "iterator": (
        held(lambda: iter([1, 2, 3, 4]), lambda m, x: m.layer(x) * next(m.held)),
        ONE,
    ),
    "counter": (held(itertools.count, lambda m, x: m.layer(x) * next(m.held)), ONE),
    "Python's generator of numbers": (
        held(lambda: random.Random(0), lambda m, x: m.layer(x) * m.held.random()),  # noqa: S311
        ONE,
    ),
    "torch's generator of numbers": (
        held(torch.Generator, lambda m, x: m.layer(x) * torch.rand(8, generator=m.held)),
        ONE,
    ),
    "NumPy's generator of numbers": (
        held(lambda: np.random.default_rng(0), lambda m, x: m.layer(x) * float(m.held.random())),
        ONE,
    ),
    "bytes": (held(bytearray, lambda m, x: then(m.held.append(1), m.layer(x))), ONE),
    "file in memory": (held(io.StringIO, lambda m, x: then(m.held.write("x"), m.layer(x))), ONE),
    "lock beside a tensor": (held(Box, use_box), ONE),
    "array with a buffer's memory": (odd(share_memory, write_shared), ONE),
    "buffers with one memory": (
        odd(add_views, lambda m, x: then(m.whole.add_(1), m.layer(x) * m.part)),
        ONE,
    ),
    "parameters that are views": (odd(make_views_of_parameters, plain), ONE),
    "parametrization": (
        odd(
            lambda m: parametrize.register_parametrization(m.layer, "weight", Symmetric()),
            plain,
        ),
        ONE,
    ),
    "functional call": (
        odd(
            nothing,
            lambda m, x: torch.func.functional_call(
                m.layer, {"weight": m.layer.weight * 2, "bias": m.layer.bias}, (x,)
            ),
        ),
        ONE,
    ),
    "weight norm by a hook": (odd(lambda m: nn.utils.weight_norm(m.layer), plain), ONE),
    "weight norm": (odd(lambda m: parametrizations.weight_norm(m.layer), plain), ONE),
    "spectral norm by a hook": (odd(lambda m: nn.utils.spectral_norm(m.layer), plain), ONE + 72),
    "spectral norm": (odd(lambda m: parametrizations.spectral_norm(m.layer), plain), ONE + 72),
    "averaged copy": (
        odd(
            lambda m: m.hold(torch.optim.swa_utils.AveragedModel(m.layer)),
            lambda m, x: m.layer(x) + m.held(x).detach(),
        ),
        2 * ONE,
    ),
    "adapter": (odd(adapt, plain), ONE + 2 * 4 * 16),
    "compiled method": (odd(compile_layer, plain), ONE),
    "parameter as an input": (with_a_parameter_given, 2 * ONE),
    "inputs with one memory": (with_aliases, ONE),
    "cache with gradients": (with_cache, ONE),
    "input that is written to": (odd(nothing, lambda m, x: m.layer(x.add_(1))), ONE),
    "forwarded attributes": (of(Forwarding), ONE),
    "call of its own": (of(Called), ONE),
}


def describe(value: Any, seen: dict[int, Any] | None = None) -> Any:
    """Write down everything that can be reached from a value, in a form that compares."""
    seen = {} if seen is None else seen
    if value is None or isinstance(value, (bool, int, float, str, bytes)):
        return value
    if id(value) in seen:
        return "seen", list(seen).index(id(value))
    seen[id(value)] = value
    own = [describe_by_type(value, seen)]
    slots = [n for kind in type(value).__mro__ for n in vars(kind).get("__slots__", ())]
    own += [describe(getattr(value, name, None), seen) for name in slots if name[0] != "_"]
    if not isinstance(value, (type, types.ModuleType)):
        own += [
            (name, describe(item, seen)) for name, item in getattr(value, "__dict__", {}).items()
        ]
    return type(value).__name__, own


def describe_by_type(value: Any, seen: dict[int, Any]) -> Any:
    if isinstance(value, Tensor):
        data = value.detach().numpy().tobytes()
        gradient = value.grad if value.is_leaf else None
        return id(value), value.requires_grad, data, describe(gradient, seen)
    if isinstance(value, np.ndarray):
        return value.tobytes()
    if isinstance(value, (collections.abc.Mapping, nn.ParameterDict)):
        return [(key, describe(item, seen)) for key, item in value.items()]
    if isinstance(value, (list, tuple, set, collections.deque, bytearray)):
        return [describe(item, seen) for item in value]
    if isinstance(value, types.FunctionType):
        return id(value), [describe(cell.cell_contents, seen) for cell in value.__closure__ or ()]
    states = {
        random.Random: lambda v: v.getstate(),
        torch.Generator: lambda v: v.get_state().numpy().tobytes(),
        np.random.Generator: lambda v: str(v.bit_generator.state),
        io.StringIO: io.StringIO.getvalue,
        itertools.count: repr,
    }
    state = next((read for kind, read in states.items() if isinstance(value, kind)), id)
    return state(value)


def describe_all(model: nn.Module, inputs: Any) -> Any:
    draws = torch.get_rng_state().numpy().tobytes(), random.getstate(), str(np.random.get_state())  # noqa: NPY002 - what is asked
    kinds = {kind for module in model.modules() for kind in type(module).__mro__}
    classes = {kind: dict(vars(kind)) for kind in kinds if kind is not object}
    return describe(model), describe(inputs), draws, classes


@pytest.mark.filterwarnings("ignore:.*weight_norm:FutureWarning")
@pytest.mark.parametrize("name", CASES)
def test_a_count_leaves_an_odd_model_as_it_was(name: str) -> None:
    make, macs = CASES[name]
    model, inputs = make()
    before = describe_all(model, inputs)
    report = count(model, *inputs)
    assert (report.macs, report.complete) == (macs, True)
    assert describe_all(model, inputs) == before
    assert count(model, *inputs, backward=True).macs > macs
    assert describe_all(model, inputs) == before
    model.train()(*inputs).sum().backward()  # which raises if something has no gradient


@pytest.mark.parametrize(
    "write", [lambda m: m.weight.data.mul_(2), lambda m: m.weight.detach().zero_()]
)
def test_a_weight_that_is_written_to_stays(write: Callable[[nn.Linear], Any]) -> None:
    model = Odd(nothing, lambda m, x: then(write(m.layer), m.layer(x)))
    before = model.layer.weight.clone()
    for one in (model, Single()):
        assert count(one, torch.ones(4, 8)).macs == ONE
    assert torch.equal(model.layer.weight, before)


OUTSIDE = nn.Linear(8, 8)


class Holding(Inner):
    """Has a layer on its class, and uses a global one."""

    shared = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Any:
        return OUTSIDE(self.shared(self.go(x)))


def test_weights_that_the_model_does_not_hold_are_noted_and_not_trained() -> None:
    report = count(Holding().eval(), torch.ones(4, 8))
    assert (report.macs, codes(report.notes)) == (3 * ONE, ("outside-weights",))
    with pytest.raises(CountError):
        count(Holding(), torch.ones(4, 8), backward=True)
    assert OUTSIDE.weight.grad is None
    assert Holding.shared.weight.grad is None


class Making(nn.Module):
    """Makes a layer in its forward."""

    def forward(self, x: Tensor) -> Any:
        return nn.Linear(8, 8)(x)


def test_a_layer_that_a_forward_makes_is_not_outside() -> None:
    assert codes(count(Making().eval(), torch.ones(4, 8)).notes) == ()
