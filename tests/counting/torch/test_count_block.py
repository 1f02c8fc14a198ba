"""A block of the user's own code: counted as `count` counts it, and run as without it."""

import copy
import io
import itertools
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.checkpoint import checkpoint
from torch.utils.flop_counter import FlopCounterMode

from inspect_cost import CostReport, CountError, OpCost, UsageError, count, count_block
from inspect_cost.counting.torch.backward import find_differentiable
from inspect_cost.values.notes import codes
from tests.counting.torch.test_modules import CASES, SIGNAL, layers

#: Without values torch runs these step by step; with them it makes one product of all inputs, whose
#: biases' gradients are one sum.
BY_STEPS = {"GRU", "RNN"}


def cost_by_module(report: Any) -> dict[str, OpCost]:
    return {path: module.cost for path, module in report.by_module.items()}


@pytest.mark.filterwarnings("ignore:enable_nested_tensor:UserWarning")
@pytest.mark.filterwarnings("ignore:.*NLLLoss2d")
@pytest.mark.parametrize("name", sorted(layers()))
def test_inference_of_every_layer(name: str) -> None:
    arguments, inputs = CASES.get(name, ((), (SIGNAL,)))
    layer = getattr(nn, name)(*arguments).eval()
    expected = count(layer, *inputs)
    with torch.no_grad(), count_block(layer) as block:
        layer(*inputs)
    assert cost_by_module(block) == cost_by_module(expected)
    assert (block.params, block.complete) == (expected.params, True)


def train(layer: nn.Module, inputs: Any) -> None:
    torch.manual_seed(0)
    outputs = find_differentiable(layer(*inputs))
    torch.autograd.backward(outputs, [torch.ones_like(output) for output in outputs])


@pytest.mark.filterwarnings("ignore:enable_nested_tensor:UserWarning")
@pytest.mark.filterwarnings("ignore:.*NLLLoss2d")
@pytest.mark.parametrize("name", sorted(layers()))
def test_a_training_step_of_every_layer(name: str) -> None:
    arguments, inputs = CASES.get(name, ((), (SIGNAL,)))
    layer = getattr(nn, name)(*arguments)
    if not list(layer.parameters()):
        return
    expected, twin = count(layer, *inputs, backward=True), copy.deepcopy(layer)
    train(twin, copy.deepcopy(inputs))
    with count_block(layer) as block:
        train(layer, copy.deepcopy(inputs))
    for ours, theirs in zip(layer.parameters(), twin.parameters(), strict=True):
        assert (ours.grad is None) == (theirs.grad is None)
        assert ours.grad is None or torch.equal(ours.grad, theirs.grad)
    assert block.complete
    assert block.macs == expected.macs
    if name not in BY_STEPS:
        assert cost_by_module(block) == cost_by_module(expected)


class Recurrent(nn.Module):
    """An LSTM of which some results are used, behind a layer or not."""

    def __init__(self, used: str, inner: bool, **options: Any) -> None:
        super().__init__()
        self.lstm, self.used = nn.LSTM(3, 4, **options), used
        self.first = nn.Linear(3, 3) if inner else nn.Identity()

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        y, (h, c) = self.lstm(self.first(x))
        return tuple({"y": y, "h": h, "c": c}[name] for name in self.used)


@pytest.mark.parametrize("used", ["y", "h", "c", "yh", "hc", "yhc"])
@pytest.mark.parametrize(("steps", "batch"), [(1, 3), (4, 1), (3, 2)])
def test_gradients_of_an_lstm_in_one_kernel(used: str, steps: int, batch: int) -> None:
    """The CPU's kernel costs what the layer does without values, where torch takes it apart."""
    x = torch.randn(steps, batch, 3)
    for inner, bias, both in itertools.product([False, True], repeat=3):
        model = Recurrent(used, inner, bias=bias, bidirectional=both, num_layers=1 + both)
        with count_block(model) as block:
            train(model, (x,))
        assert block.cost.flops == count(model, x, backward=True).flops, (inner, bias, both)


def perceptron() -> nn.Sequential:
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))


X = torch.randn(5, 8)
LAYERS = {"0": 5 * 128, "1": 0, "2": 5 * 64}


OPTIMIZERS: dict[str, tuple[Callable[..., torch.optim.Optimizer], int]] = {
    # Operations for each number, in its textbook form.
    "sgd": (lambda p: torch.optim.SGD(p, 0.1), 2),
    "sgd on lists": (lambda p: torch.optim.SGD(p, 0.1, foreach=True), 2),
    "momentum": (lambda p: torch.optim.SGD(p, 0.1, momentum=0.9, foreach=True), 2),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_steps_of_an_optimiser(name: str) -> None:
    make, each = OPTIMIZERS[name]
    model = perceptron()
    model(X).sum().backward()
    optimizer = make(model.parameters())
    with count_block(model) as block:
        optimizer.step()
    assert block.complete
    assert block.flops == each * block.params


@pytest.mark.parametrize("options", [{}, {"foreach": True}], ids=str)
def test_adam_on_lists_costs_as_much_as_one_by_one(options: dict[str, Any]) -> None:
    model = perceptron()
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.0, **options)
    with count_block(model) as block:
        model(X).sum().backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    assert block.complete
    assert block.macs == 3 * 5 * 128 - 5 * 128 + 3 * 5 * 64


class Stepper(nn.Module):
    """Has a method, a generator and a forward that calls the first."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(8, 8)

    def step(self, x: Tensor) -> Any:
        return self.layer(x) * 2

    def stream(self, x: Tensor) -> Iterator[Tensor]:
        for _ in range(3):
            yield self.layer(x)

    def forward(self, x: Tensor) -> Any:
        return self.step(x)


@pytest.fixture
def unchanged() -> Iterator[Stepper]:
    """Yield a model; afterwards it, its classes and torch's are as before."""
    model = Stepper()
    places = (Stepper, nn.Linear, nn.Module, model, model.layer, nn.modules.module)
    before = [dict(vars(place)) for place in places]
    hooks = [dict(vars(model)["_forward_hooks"]), sys.getrecursionlimit()]
    yield model
    assert [dict(vars(place)) for place in places] == before
    assert [dict(vars(model)["_forward_hooks"]), sys.getrecursionlimit()] == hooks


def test_methods_generators_and_copies(unchanged: Stepper) -> None:
    with torch.no_grad(), count_block(unchanged) as block:
        twin = copy.deepcopy(unchanged)
        torch.save(unchanged, io.BytesIO())
        unchanged(X)
        list(unchanged.stream(X))
        with torch.no_grad():
            twin.layer.weight.zero_()
        assert not twin(X).equal(unchanged.step(X))
    assert block.by_module["layer"].macs == 5 * 5 * 64
    assert block.macs == 6 * 5 * 64  # the copy's is at the root
    assert block.by_module[""].own_cost.mul == 3 * 5 * 8


def test_an_exception_passes_through(unchanged: Stepper) -> None:
    with pytest.raises(ZeroDivisionError), count_block(unchanged) as block:  # noqa: PT012
        unchanged(X)
        raise ZeroDivisionError
    assert codes(block.notes) == ("partial-block",)
    assert block.macs == 5 * 64
    with pytest.raises(RuntimeError), count_block(unchanged) as block:
        unchanged(X[:, :3])
    assert block.macs == 0


def test_blocks_in_blocks_counts_in_blocks_and_other_threads(unchanged: Stepper) -> None:
    with torch.no_grad(), count_block(unchanged) as outer:
        unchanged(X)
        with count_block(unchanged) as inner:
            unchanged(X)
        assert count(unchanged, X).macs == 5 * 64
        thread = threading.Thread(target=lambda: unchanged(X))
        thread.start()
        thread.join()
    assert (outer.macs, inner.macs) == (2 * 5 * 64, 5 * 64)
    assert (codes(outer.notes), codes(inner.notes)) == (("other-thread",), ())


def test_blocks_that_overlap_on_two_threads(unchanged: Stepper) -> None:
    entered, done, reports = threading.Event(), threading.Event(), list[Any]()

    def work() -> None:
        with torch.no_grad(), count_block(unchanged) as block:
            entered.set()
            done.wait()
            unchanged(X)
        reports.append(block.report)

    thread = threading.Thread(target=work)
    with count_block(unchanged):
        thread.start()
        entered.wait()
    done.set()
    thread.join()
    assert [report.macs for report in reports] == [5 * 64]


def test_a_block_is_used_once_and_has_no_numbers_before_it_is_over() -> None:
    block = count_block()
    with pytest.raises(AttributeError, match="not over"):
        _ = block.macs
    with block:
        pass
    assert isinstance(block.report, CostReport)
    assert (block.macs, block.params) == (0, 0)
    with pytest.raises(UsageError), block:
        pass


def test_modules_by_name() -> None:
    one, two = perceptron(), Stepper()
    with torch.no_grad(), count_block({"one": one, "two": two}) as block:
        one(two(X))
        torch.mm(X, X.T)
    assert block.params == sum(p.numel() for m in (one, two) for p in m.parameters())
    assert (block.by_module["one"].macs, block.by_module["two.layer"].macs) == (960, 320)
    assert block.macs == 960 + 320 + 200
    with torch.no_grad(), count_block(one, two) as block:
        one(two(X))
    assert (block.by_module["0"].macs, block.by_module["1"].macs) == (960, 320)


@pytest.mark.parametrize("given", [("encoder",), ({"a.b": perceptron()},), ({"": perceptron()},)])
def test_what_has_no_paths_is_refused(given: Any) -> None:
    with pytest.raises(UsageError):
        count_block(*given)


def fail(*_: Any) -> OpCost:
    raise ZeroDivisionError


def test_costs_of_ones_own() -> None:
    model = perceptron()
    with torch.no_grad(), count_block(model, module_costs={"0": OpCost(macs=7)}) as block:
        model(X)
    assert block.macs == 7 + 5 * 64
    forward = model[0].forward
    model[0].forward = lambda x: forward(x) * 2
    with torch.no_grad(), count_block(model, module_costs={"0": OpCost(macs=7)}) as block:
        model(X)
    assert (block.macs, block.by_module["0"].macs) == (7 + 5 * 64, 7)
    with pytest.raises(UsageError), count_block(module_costs={"0": OpCost(macs=7)}):
        pass
    with pytest.raises(UsageError), count_block(op_costs={"aten.absent": OpCost(macs=7)}):
        model(X)
    with pytest.raises(CountError), count_block(op_costs={"aten.addmm": fail}):
        model(X)


def test_modes_of_the_user() -> None:
    model = Stepper()
    with torch.inference_mode(), count_block(model) as block:
        assert model(X).is_inference()
    assert block.cost == count(model, X).cost
    with torch.autocast("cpu", dtype=torch.bfloat16), count_block(model) as block:
        assert model(X).dtype is torch.bfloat16
    assert block.macs == 5 * 64
    with FlopCounterMode(display=False) as theirs, torch.no_grad(), count_block(model) as block:
        model(X)
    assert theirs.get_total_flops() == 2 * block.macs == 2 * 5 * 64
    with torch.no_grad(), count_block(model) as block, FlopCounterMode(display=False) as theirs:
        model(X)
    assert theirs.get_total_flops() == 2 * block.macs == 2 * 5 * 64


def test_tensors_without_values() -> None:
    with count_block() as block:
        Stepper().to("meta")(X.to("meta"))
    assert block.macs == 5 * 64
    with count_block() as block, FakeTensorMode():
        Stepper()(torch.randn(5, 8))
    assert block.macs == 5 * 64


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")
def test_forward_gradients_are_left_alone() -> None:
    def product(x: Tensor) -> Tensor:
        return (x @ x.T).sum()

    expected = torch.func.jvp(product, (X,), (X,))
    with torch.no_grad(), count_block() as block:
        found = torch.func.jvp(product, (X,), (X,))
    assert all(map(torch.equal, found, expected))
    assert block.macs == 3 * 200


@pytest.mark.parametrize("reentrant", [False, True])
def test_checkpoints_run_their_layers_again(reentrant: bool) -> None:
    model, x = perceptron(), X.clone().requires_grad_()
    with count_block(model) as block:
        checkpoint(model, x, use_reentrant=reentrant).sum().backward()
    again = 4 if reentrant else 3  # the other form stops when it has what it needs
    assert block.by_module["0"].macs == 4 * LAYERS["0"]
    assert block.by_module["2"].macs == again * LAYERS["2"]
    assert block.by_module[""].own_cost.macs == 0


def test_compiled_functions_run_as_they_were_written() -> None:
    model, compiled = perceptron(), list[int]()

    def backend(graph: Any, _inputs: Any) -> Any:
        compiled.append(1)
        return graph.forward

    fast: Any = torch.compile(model, backend=backend)
    with torch.no_grad(), count_block(fast) as block:
        fast(X)
    assert cost_by_module(block) == cost_by_module(count(model, X))
    assert not compiled
    fast(X)
    assert compiled


def test_peak_memory_is_of_what_is_alive() -> None:
    with torch.no_grad(), count_block() as block:
        a = X + 1
        b = a + 1
        del a
        c = b + 1
    assert c.shape == b.shape
    assert block.peak_activation_bytes == 2 * X.nbytes
