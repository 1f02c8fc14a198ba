"""A count runs copies alone, whatever refers to the caller's modules and from where."""

import functools
import types
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from inspect_cost import CountError, count

X = torch.randn(4, 8)
ROWS = 4

#: A product with its bias, and batch norm with its stored statistics.
LINEAR = 2 * 4 * 64 + 32
NORM = 4 * 32 + 2 * 8


class Net(nn.Module):
    """A linear layer and a batch norm, of which ``post`` leads to the second."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.norm = nn.Linear(8, 8), nn.BatchNorm1d(8)
        self.post: Callable[[Tensor], Tensor]

    def forward(self, x: Tensor) -> Tensor:
        return self.post(self.layer(x))

    def normalize(self, x: Tensor) -> Tensor:
        out: Tensor = self.norm(x)
        return out


def by_cell(net: Net) -> Any:
    return lambda x: net.norm(x)


def by_layer_in_cell(net: Net) -> Any:
    norm = net.norm
    return lambda x: norm(x)


def by_forward_in_cell(net: Net) -> Any:
    forward = net.norm.forward
    return lambda x: forward(x)


def by_default(net: Net) -> Any:
    def post(x: Tensor, norm: nn.Module = net.norm) -> Tensor:
        out: Tensor = norm(x)
        return out

    return post


def by_keyword_default(net: Net) -> Any:
    def post(x: Tensor, *, norms: tuple[nn.Module, ...] = (net.norm,)) -> Tensor:
        out: Tensor = norms[0](x)
        return out

    return post


def by_attribute(net: Net) -> Any:
    def post(x: Tensor) -> Tensor:
        me: Any = post
        out: Tensor = me.norm(x)
        return out

    vars(post)["norm"] = net.norm
    return post


def by_global(net: Net) -> Any:
    space = {"norm": net.norm}
    exec("def post(x): return norm(x)", space)  # noqa: S102 - a file of its own
    return space["post"]


def by_wrapper(net: Net) -> Any:
    @functools.wraps(net.norm.forward)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        me: Any = wrapped
        return me.__wrapped__(*args, **kwargs)

    return wrapped


class Adapter:
    """A plain object that calls a layer."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __call__(self, x: Tensor) -> Tensor:
        out: Tensor = self.inner(x)
        return out


class SlottedAdapter:
    """The same without a dictionary."""

    __slots__ = ("inner",)

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __call__(self, x: Tensor) -> Tensor:
        out: Tensor = self.inner(x)
        return out


def by_nested_functions(net: Net) -> Any:
    def inner(x: Tensor) -> Tensor:
        return net.normalize(x)

    def outer(x: Tensor) -> Tensor:
        return inner(x)

    return outer


def by_weak_reference(net: Net) -> Any:
    reference = weakref.ref(net.norm)

    def post(x: Tensor) -> Tensor:
        norm = reference()
        assert norm is not None
        out: Tensor = norm(x)
        return out

    return post


def by_weak_method(net: Net) -> Any:
    reference = weakref.WeakMethod(net.normalize)
    return lambda x: call(reference(), x)


def call(method: Any, x: Tensor) -> Tensor:
    out: Tensor = method(x)
    return out


def by_weak_attribute(net: Net) -> Any:
    vars(net)["weak"] = weakref.ref(net.norm)
    return types.MethodType(lambda self, x: self.weak()(x), net)


#: Ways in which a function may lead to the batch norm.
WAYS: dict[str, Callable[[Net], Any]] = {
    "cell": by_cell,
    "layer in cell": by_layer_in_cell,
    "forward in cell": by_forward_in_cell,
    "default": by_default,
    "keyword default": by_keyword_default,
    "attribute": by_attribute,
    "global": by_global,
    "wrapper": by_wrapper,
    "bound method": lambda net: net.normalize,
    "forward": lambda net: net.norm.forward,
    "method bound by hand": lambda net: types.MethodType(Net.normalize, net),
    "partial": lambda net: functools.partial(Net.normalize, net),
    "partial of a lambda": lambda net: functools.partial(lambda n, x: n(x), net.norm),
    "object": lambda net: Adapter(net.norm),
    "object of a lambda": lambda net: Adapter(lambda x: net.norm(x)),
    "object of a method": lambda net: Adapter(net.normalize),
    "object with slots": lambda net: SlottedAdapter(net.norm.forward),
    "nested functions": by_nested_functions,
    "cache": lambda net: functools.lru_cache(lambda x: net.norm(x)),
    "no_grad": lambda net: torch.no_grad()(net.norm.forward),
    "compiled": lambda net: torch.compile(net.normalize, backend="eager"),
    "compiled lambda": lambda net: torch.compile(lambda x: net.norm(x), backend="eager"),
    "compiled twice": lambda net: torch.compile(
        torch.compile(net.norm.forward, backend="eager"), backend="eager"
    ),
    "weak reference": by_weak_reference,
    "weak attribute": by_weak_attribute,
    "weak method": by_weak_method,
    "proxy": lambda net: Adapter(weakref.proxy(net.norm)),
}


def state_of(model: nn.Module) -> dict[str, Any]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def assert_untouched(model: nn.Module, before: dict[str, Any]) -> None:
    after = model.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert all(p.grad is None for p in model.parameters())
    assert all(m.training for m in model.modules() if not isinstance(m, nn.BatchNorm1d))


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("name", WAYS)
def test_a_function_runs_the_copy(name: str, *, backward: bool) -> None:
    if backward and name == "no_grad":
        pytest.skip("there is nothing to compute a gradient of")
    net = Net()
    net.post = WAYS[name](net)
    before, calls = state_of(net), []
    net.norm.register_forward_pre_hook(lambda module, _: calls.append(id(module)))
    report = count(net, X, backward=backward)
    assert_untouched(net, before)
    assert id(net.norm) not in calls
    assert not report.unread
    assert {t.module for t in report.tallies if t.cost and t.cost.flops} >= {"layer"}
    if not backward:
        assert report.flops == LINEAR + NORM


def test_a_compiled_forward_is_the_one_that_was_compiled() -> None:
    model = nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8), nn.Dropout())
    vars(model)["forward"] = torch.compile(model.forward, backend="eager")
    before = state_of(model)
    report = count(model, X)
    assert report.flops == LINEAR + NORM
    assert report.by_module["0"].macs == 256
    assert not report.unread
    count(model, X, backward=True)
    assert_untouched(model, before)


def adapt(layer: nn.Linear) -> None:
    """Put a function in the place of a layer's forward, as adapters do."""
    before, down = layer.forward, nn.Parameter(torch.zeros(2, 8))
    layer.register_parameter("down", down)

    def forward(x: Tensor) -> Tensor:
        return before(x) + x @ down.T @ down

    vars(layer)["forward"] = forward


def test_an_adapter_that_keeps_the_forward_before_it() -> None:
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU())
    adapt(model[0])  # type: ignore[arg-type]  # torch types children as modules
    report = count(model, X)
    assert report.macs == 4 * 64 + 2 * 4 * 16
    assert not report.unread
    count(model, X, backward=True)
    assert all(p.grad is None for p in model.parameters())


HOOKS = {
    "forward": lambda m, hook: m.register_forward_hook(lambda _m, _i, out: hook(out)),
    "pre": lambda m, hook: m.register_forward_pre_hook(lambda _m, args: (hook(args[0]),)),
    "partial": lambda m, hook: m.register_forward_hook(
        functools.partial(lambda h, _m, _i, out: h(out), hook)
    ),
}


@pytest.mark.parametrize("name", HOOKS)
def test_hooks_run_copies(name: str) -> None:
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.BatchNorm1d(8))
    norm = model[2]
    HOOKS[name](model[1], lambda x: norm(x))
    before = state_of(model)
    report = count(model, X)
    assert report.flops == LINEAR + 2 * NORM + 32
    count(model, X, backward=True)
    assert_untouched(model, before)


def test_functions_share_the_copy_of_what_they_share() -> None:
    class Store:
        def __init__(self) -> None:
            self.seen: list[Tensor] = []

    store = Store()
    model = nn.Sequential(nn.Linear(8, 8), nn.Identity())
    first, last = model
    first.register_forward_hook(lambda m, _i, out: store.seen.append(out @ m.weight))
    last.register_forward_hook(lambda _m, _i, out: out + store.seen.pop() + last.bias_of(first))
    vars(last)["bias_of"] = lambda layer: layer.bias
    assert count(model, X).macs == 2 * 4 * 64
    assert not store.seen


SHARED = nn.Linear(8, 8)


class Reaching(nn.Module):
    """Calls its own layer by way of the file, where no copy can be put."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = SHARED

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = SHARED(x)
        return out


class ReachingBuffer(nn.Module):
    """Keeps one of its buffers with its class."""

    kept: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("scale", torch.ones(8))
        type(self).kept = self.get_buffer("scale")

    def forward(self, x: Tensor) -> Tensor:
        return x * type(self).kept[:8]


@pytest.mark.parametrize("backward", [False, True])
def test_reading_the_callers_parameter_is_an_error_that_names_it(*, backward: bool) -> None:
    with pytest.raises(CountError, match=r"layer\.weight"):
        count(Reaching(), X, backward=backward)
    assert SHARED.weight.grad is None
    with pytest.raises(CountError, match="scale"):
        count(ReachingBuffer(), X, backward=False)


def test_an_input_may_be_a_parameter() -> None:
    layer = nn.Linear(8, 8)
    assert count(layer, layer.weight).macs == 8 * 64
