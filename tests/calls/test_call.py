"""`Call.of` is the one place that parses what can be called."""

import functools
from types import MethodType
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from inspect_cost import Call, UsageError
from inspect_cost.calls.call import check_arguments
from inspect_cost.calls.function import FunctionModule


class Codec(nn.Module):
    """A module with several methods."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(2, 2, dtype=torch.float64)

    def forward(self, x: Tensor, policy: str = "x") -> Tensor:
        del policy
        return self.linear(x)

    def decode(self, x: Tensor) -> Tensor:
        return self.linear(x)

    inverse = decode


def test_modules_methods_functions_and_partials() -> None:
    codec, x = Codec(), torch.ones(1, 2)
    cases = [
        (Call.of(codec, x), codec, "forward", "Codec"),
        (Call.of(codec.forward, x), codec, "forward", "Codec"),
        (Call.of(codec.decode, x), codec, "decode", "Codec"),
        (Call.of(functools.partial(codec.decode, x)), codec, "decode", "Codec"),
        (Call.of(torch.matmul, x, x), None, "forward", "matmul"),
        (Call.of(lambda: x), None, "forward", "function"),
    ]
    for call, module, method, title in cases:
        assert (call.module, call.method, call.title) == (module, method, title)


def test_partials_come_before_the_arguments_that_follow() -> None:
    def run(a: int, b: int, c: int = 0, d: int = 0) -> tuple[int, ...]:
        return a, b, c, d

    inner = functools.partial(run, 1, c=3)
    assert Call.of(functools.partial(inner, d=4), 2, c=5).run() == (1, 2, 5, 4)


def test_a_method_is_found_under_the_name_that_the_module_has() -> None:
    class Wrapped(nn.Module):
        def generate(self, x: Tensor) -> Tensor:
            return x + 1

    def undisguised(function: Any) -> Any:
        def inner(self: nn.Module, x: Tensor) -> Tensor:
            return function(self, x)

        return inner

    Wrapped.generate = undisguised(Wrapped.generate)  # type: ignore[method-assign]
    assert Call.of(Wrapped().generate, torch.ones(1)).method == "generate"
    assert Call.of(Codec().inverse, torch.ones(1)).method == "decode"


def test_a_function_that_was_bound_by_hand_is_a_function() -> None:
    def decode(self: Codec, x: Tensor) -> Tensor:
        return self.linear(x) * 2

    codec, x = Codec(), torch.ones(1, 2, dtype=torch.float64)
    call = Call.of(MethodType(decode, codec), x).as_module()
    assert isinstance(call.module, FunctionModule)
    assert [name for name, _ in call.module.named_children()] == ["self"]
    assert torch.equal(call.run(), 2 * codec(x))


def test_rebound_calls_go_to_the_other_module() -> None:
    first, second, x = Codec(), Codec(), torch.ones(1, 2, dtype=torch.float64)
    for function in (first, first.decode):
        assert torch.equal(Call.of(function, x).rebound(second).run(), second(x))


def test_a_plain_function_has_a_module_behind_it() -> None:
    net = nn.Linear(2, 2, device="meta")
    call = Call.of(lambda x: net(x), torch.ones(1, 2, device="meta")).as_module()
    assert call.module is not None
    assert call.title == "function"
    assert [name for name, _ in call.module.named_children()] == ["net"]
    assert call.device.type == "meta"
    assert not call.has_values


@pytest.mark.parametrize("target", [3, None, torch.ones(2)])
def test_what_cannot_be_called_is_refused(target: object) -> None:
    with pytest.raises(UsageError, match="cannot be called"):
        Call.of(target)  # type: ignore[arg-type]


def test_a_class_in_the_place_of_a_module_is_refused() -> None:
    with pytest.raises(UsageError, match="Codec is a class"):
        Call.of(Codec, torch.ones(1, 2))


def test_arguments_that_do_not_fit_name_the_parameter() -> None:
    with pytest.raises(UsageError) as caught:
        check_arguments(Call.of(Codec()))
    assert caught.value.field == "x"
    assert "policy (optional)" in caught.value.advice
    with pytest.raises(UsageError, match="unexpected keyword"):
        check_arguments(Call.of(Codec(), torch.ones(1), y=1))
    check_arguments(Call.of(torch.matmul))  # which has no signature
    check_arguments(Call.of(Codec(), torch.ones(1), policy="y"))
