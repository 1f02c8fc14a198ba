"""A plain function as a module: what it refers to is found, copied, and left alone."""

import copy
import functools
import pickle
from collections.abc import Callable
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from inspect_cost.calls.captured import find_captured, place
from inspect_cost.calls.function import FunctionModule

Function = Callable[[Tensor], Tensor]
GLOBAL = nn.Linear(2, 2)


def through_global(x: Tensor) -> Tensor:
    return GLOBAL(x)


def through_helper(x: Tensor, times: int = 2) -> Tensor:
    return through_global(x) if times == 1 else through_helper(x, times - 1)


def through_comprehension(x: Tensor) -> Tensor:
    return torch.cat([GLOBAL(row) for row in x.split(1)])


class Pipeline:
    """An object that is no module and has one."""

    def __init__(self, decoder: nn.Module) -> None:
        self.decoder = decoder
        self.name = "pipeline"

    def __call__(self, x: Tensor) -> Tensor:
        return self.decode(x)

    def decode(self, x: Tensor) -> Tensor:
        return self.decoder(x)


def closure(net: nn.Module) -> Function:
    return lambda x: net(x)


def comprehension(net: nn.Module) -> Function:
    return lambda x: torch.stack([net(row) for row in x])


def default(net: nn.Module) -> Function:
    def run(x: Tensor, inner: nn.Module = net) -> Tensor:
        return inner(x)

    return run


def decorated(net: nn.Module) -> Function:
    @torch.no_grad()
    def run(x: Tensor) -> Tensor:
        return net(x)

    return run


def listed(net: nn.Module) -> Function:
    nets = [net, nn.Identity()]
    return lambda x: nets[1](nets[0](x))


def named(net: nn.Module) -> Function:
    nets = {"first": (net,)}
    return lambda x: nets["first"][0](x)


def attribute(net: nn.Module) -> Function:
    holder = SimpleNamespace(net=net)
    return lambda x: holder.net(x)


def bound(net: nn.Module) -> Function:
    step = net.forward
    return lambda x: step(x)


def partial(net: nn.Module) -> Function:
    step = functools.partial(nn.Module.__call__, net)
    return lambda x: step(x)


def method(net: nn.Module) -> Function:
    return Pipeline(net).decode


@pytest.mark.parametrize(
    ("make", "path"),
    [
        (closure, "net"),
        (comprehension, "net"),
        (default, "inner"),
        (decorated, "net"),
        (listed, "nets.0"),
        (named, "nets.first.0"),
        (attribute, "holder.net"),
        (bound, "step"),
        (partial, "0"),
        (method, "decoder"),
        (Pipeline, "decoder"),
    ],
)
def test_a_module_is_found_and_a_copy_runs_on_its_copy(
    make: Callable[[nn.Module], Function], path: str
) -> None:
    net, x = nn.Linear(2, 2), torch.ones(3, 2)
    function = make(net)
    module = FunctionModule(function, "f")
    assert module.get_submodule(path) is net
    assert torch.equal(module(x), net(x))
    twin = copy.deepcopy(module)
    nn.init.zeros_(twin.get_submodule(path).get_parameter("weight"))
    nn.init.ones_(twin.get_submodule(path).get_parameter("bias"))
    assert torch.equal(twin(x), torch.ones(3, 2))
    assert torch.equal(module(x), net(x))
    assert torch.equal(function(x), net(x))


@pytest.mark.parametrize("function", [through_global, through_helper, through_comprehension])
def test_globals_are_found_in_the_functions_that_a_function_calls_too(function: Function) -> None:
    twin = copy.deepcopy(FunctionModule(function, "f"))
    assert [name for name, _ in twin.named_parameters()] == ["GLOBAL.weight", "GLOBAL.bias"]
    nn.init.zeros_(twin.get_parameter("GLOBAL.weight"))
    nn.init.zeros_(twin.get_parameter("GLOBAL.bias"))
    assert not twin(torch.ones(1, 2)).any()
    assert torch.equal(function(torch.ones(1, 2)), GLOBAL(torch.ones(1, 2)))


def test_another_process_gets_a_copy_that_runs_on_its_own_modules() -> None:
    module, x = FunctionModule(through_helper, "f"), torch.zeros(1, 2)
    nn.init.zeros_(module.get_parameter("GLOBAL.bias"))
    assert not module(x).any()
    sent = pickle.dumps(module)
    nn.init.ones_(GLOBAL.bias)
    assert torch.equal(through_helper(x), torch.ones(1, 2))
    assert not pickle.loads(sent)(x).any()  # noqa: S301 - we wrote it


def test_an_attribute_with_the_name_of_a_global_is_not_taken_for_it() -> None:
    def run(holder: SimpleNamespace) -> Tensor:
        value: Tensor = holder.GLOBAL
        return value

    assert not find_captured(run)


def test_tensors_are_kept_apart_and_parameters_are_parameters() -> None:
    scale, weight = torch.ones(3), nn.Parameter(torch.ones(3))
    module = FunctionModule(lambda x: x * scale * weight, "f")
    assert list(module.tensors) == [("scale",)]
    assert [name for name, _ in module.named_parameters()] == ["weight"]
    half = copy.deepcopy(module).to(torch.float64)
    assert half(torch.ones(3, dtype=torch.float64)).dtype == torch.float64
    assert scale.dtype == weight.dtype == torch.float32


def test_modules_among_arguments_become_children_once() -> None:
    net, x = nn.Linear(2, 2), torch.ones(1, 2)

    def run(encoder: nn.Module, x: Tensor, *, others: list[nn.Module]) -> Tensor:
        return others[0](net(encoder(x)))

    module = FunctionModule(run, "run")
    args, kwargs = module.take_arguments((net, x), {"others": [nn.Identity()]})
    assert list(dict(module.named_children())) == ["net", "others"]
    assert torch.equal(module(*args, **kwargs), net(net(x)))


def test_what_a_function_changes_in_its_scope_stays_in_the_copy() -> None:
    net, calls, cache = nn.Linear(2, 2), 0, torch.zeros(2)

    def run(x: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        cache.add_(1)
        return net(x) + cache

    copy.deepcopy(FunctionModule(run, "run"))(torch.ones(1, 2))
    assert calls == 0
    assert not cache.any()


def test_paths_do_not_collide() -> None:
    taken = [("net",), ("nets", "0")]
    assert place(("other",), taken) == ("other",)
    assert place(("net",), taken) == ("net_2",)
    assert place(("nets", "0"), taken) == ("nets_2", "0")
    assert place(("nets", "1"), taken) == ("nets", "1")
    assert place(("net", "0"), taken) == ("net_2", "0")
