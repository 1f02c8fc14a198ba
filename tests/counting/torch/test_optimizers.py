"""Steps of optimizers: their place in a report, their state against torch's own, mistakes."""

import copy
import functools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import Optimizer, lr_scheduler

import inspect_cost
from inspect_cost import Call, CostReport, CountError, UsageError, count
from inspect_cost.counting.options import OPTIMIZERS
from inspect_cost.counting.tally import OPTIMIZER
from inspect_cost.counting.torch.optimizers import BY_NAME
from inspect_cost.values.notes import codes
from tests.counting.torch.test_backward import CASES

FACTORIES: dict[str, Callable[..., Optimizer]] = {
    **BY_NAME,
    "amsgrad": functools.partial(torch.optim.AdamW, amsgrad=True),
    "centered": functools.partial(torch.optim.RMSprop, centered=True, momentum=0.9),
    "by all at once": functools.partial(torch.optim.Adam, foreach=True),
    "fused": functools.partial(torch.optim.Adam, fused=True),
}


class Tied(nn.Module):
    """An embedding that is its head's weight, a part that does not train, one not called."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.body = nn.Embedding(20, 8), nn.Linear(8, 8)
        self.head, self.idle = nn.Linear(8, 20), nn.Linear(8, 8)
        self.head.weight = self.embedding.weight
        self.frozen = nn.Linear(8, 8).requires_grad_(False)

    def forward(self, ids: Tensor) -> Any:
        return self.head(self.frozen(self.body(self.embedding(ids))))


MODELS: dict[str, tuple[Callable[[], nn.Module], tuple[Tensor, ...]]] = {
    **CASES,
    "tied": (Tied, (torch.arange(6).view(2, 3),)),
    "double": (lambda: nn.Linear(4, 3).double(), (torch.ones(2, 4, dtype=torch.float64),)),
    "bfloat16": (lambda: nn.Linear(4, 3).bfloat16(), (torch.ones(2, 4, dtype=torch.bfloat16),)),
    "number": (lambda: nn.Sequential(nn.PReLU(), nn.Linear(4, 1)), (torch.ones(2, 4),)),
}


def train(model: nn.Module, inputs: Any, optimizer: Optimizer, steps: int = 2) -> None:
    for _ in range(steps):
        optimizer.zero_grad()
        model(*inputs).sum().backward()
        optimizer.step()


def sum_state(optimizer: Optimizer) -> dict[str, int]:
    """Add up the bytes of an optimizer's state by type."""
    sizes: dict[str, int] = {}
    tensors = [
        t for state in optimizer.state.values() for t in state.values() if torch.is_tensor(t)
    ]
    for tensor in tensors:
        name = str(tensor.dtype).removeprefix("torch.")
        sizes[name] = sizes.get(name, 0) + tensor.nbytes
    return sizes


@pytest.mark.parametrize("model_name", MODELS)
@pytest.mark.parametrize("name", FACTORIES)
def test_state_is_torchs_after_two_real_steps(name: str, model_name: str) -> None:
    make, inputs = MODELS[model_name]
    model = make()
    twin = copy.deepcopy(model)
    optimizer = FACTORIES[name]([p for p in twin.parameters() if p.requires_grad])
    train(twin, inputs, optimizer)
    report = count(model, *inputs, backward=True, optimizer=FACTORIES[name])
    assert report.optimizer_state == sum_state(optimizer)
    assert report.complete, report.uncounted
    assert codes(report.notes) == ("training-step",)  # from shapes


@pytest.mark.parametrize("name", FACTORIES)
def test_all_ways_to_name_an_optimizer_agree(name: str) -> None:
    model, inputs = Tied(), MODELS["tied"][1]
    made = FACTORIES[name](model.parameters())
    of_factory, fresh = (
        count(model, *inputs, backward=True, optimizer=given) for given in (FACTORIES[name], made)
    )
    train(model, inputs, made, 3)
    used = count(model, *inputs, backward=True, optimizer=made)
    with torch.device("meta"):
        shapes = Tied()
    by_meta = count(shapes, *inputs, backward=True, optimizer=FACTORIES[name])
    costs = {r.by_module[OPTIMIZER].cost for r in (of_factory, fresh, used, by_meta)}
    assert len(costs) == 1
    assert of_factory.optimizer_state == by_meta.optimizer_state
    if name != "adagrad":  # whose state is there at once, of all that it was given
        assert of_factory.optimizer_state == fresh.optimizer_state == used.optimizer_state
    if name in BY_NAME:
        assert count(model, *inputs, backward=True, optimizer=name) == of_factory


def test_each_name_has_an_optimizer() -> None:
    assert set(OPTIMIZERS) == {*BY_NAME, "muon"}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_its_row_adds_up_with_forward_and_backward(name: str) -> None:
    make, inputs = CASES["language"]
    model = make()
    plain = count(model, *inputs, backward=True)
    step = count(model, *inputs, backward=True, optimizer=name)
    row = step.by_module[OPTIMIZER]
    assert step.cost == plain.cost + row.cost
    assert step.bytes_moved == plain.bytes_moved + row.bytes_moved
    assert (step.params, row.params) == (plain.params, 0)
    assert step.waste == plain.waste
    assert {t for t in step.tallies if t.module != OPTIMIZER} == set(plain.tallies)


def test_muon_is_for_matrices_that_are_no_embeddings() -> None:
    """Of the tied model, the weight of one layer; AdamW has the embedding and two biases."""
    report = count(Tied(), MODELS["tied"][1][0], backward=True, optimizer="muon")
    row = report.by_module[OPTIMIZER]
    assert row.type == "Muon + AdamW"
    assert row.macs == 5 * 3 * 8**3
    others = 20 * 8 + 8 + 20
    assert report.optimizer_state == {"float32": 4 * (8 * 8 + 2 * others + 3)}
    optimizers = [torch.optim.Muon, functools.partial(torch.optim.AdamW)]
    model = Tied()
    hidden, rest = [model.body.weight], [model.embedding.weight, model.body.bias, model.head.bias]
    pair = [make(p) for make, p in zip(optimizers, (hidden, rest), strict=True)]
    assert count(model, MODELS["tied"][1][0], backward=True, optimizer=pair) == report


def test_the_callers_optimizer_and_model_stay() -> None:
    first = nn.Linear(4, 4)
    model, x = nn.Sequential(first, nn.ReLU(), nn.Linear(4, 2)), torch.ones(2, 4)
    optimizer = torch.optim.AdamW(model.parameters(), amsgrad=True)
    scheduler = lr_scheduler.StepLR(optimizer, 1)
    seen: list[Any] = []
    train(model, (x,), optimizer)
    optimizer.register_step_pre_hook(lambda *_: seen.append(1))
    before = copy.deepcopy((model.state_dict(), optimizer.state_dict()))
    gradients = [p.grad for p in model.parameters()]
    for given in (optimizer, "muon", [optimizer]):
        count(model, x, backward=True, optimizer=given)
    after = (model.state_dict(), optimizer.state_dict())
    torch.testing.assert_close(after, before, rtol=0, atol=0)
    assert not seen
    assert all(p.grad is g for p, g in zip(model.parameters(), gradients, strict=True))
    scheduler.step()
    train(model, (x,), optimizer, 1)
    assert optimizer.state[first.weight]["step"] == 3


def test_temporaries_of_a_step_are_activations_and_its_state_is_not() -> None:
    """Adam divides a root by a number, which makes two tensors of the parameter's size."""
    model, x = nn.Linear(100, 100, bias=False), torch.ones(1, 100)
    report = count(model, x, backward=True, optimizer="adam")
    gradient, out, temporary = 40_000, 400, 40_000
    assert report.peak_activation_bytes == gradient + out + 2 * temporary


class Clipping(Optimizer):
    """An optimizer that looks at values, and works on real ones alone."""

    def __init__(self, parameters: Any) -> None:
        super().__init__(parameters, {"lr": 0.1})

    def step(self, closure: Any = None) -> None:  # type: ignore[override]  # torch has overloads
        del closure
        for parameter in self.param_groups[0]["params"]:
            if parameter.grad.norm() > 1e9:
                parameter.grad.mul_(0.1)
            state = self.state[parameter]
            state["mean"] = state.get("mean", torch.zeros_like(parameter)) * 0.9 + parameter.grad
            parameter.data.add_(state["mean"], alpha=-0.1)


@pytest.mark.parametrize("of_instance", [False, True])
def test_an_optimizer_of_ones_own(*, of_instance: bool) -> None:
    model = nn.Linear(4, 3, bias=False)
    before = model.weight.detach().clone()
    given = Clipping(model.parameters()) if of_instance else Clipping
    report = count(model, torch.ones(2, 4), backward=True, optimizer=given)
    norm, compare, mean, update = 12 + 11 + 1, 1, 12 + 12, 12 + 12
    assert report.by_module[OPTIMIZER].flops == norm + compare + mean + update
    assert report.optimizer_state_bytes == 48
    assert "real-run" in codes(report.notes)
    assert torch.equal(model.weight, before)
    with pytest.raises(CountError, match="not known on meta"):
        count(model.to("meta"), torch.ones(2, 4), backward=True, optimizer=Clipping)


def test_a_function_with_its_own_tensors() -> None:
    weight = torch.ones(4, 4, requires_grad=True)
    for optimizer in ("adam", torch.optim.Adam([weight])):
        report = count(lambda x: weight @ x, torch.ones(4, 2), backward=True, optimizer=optimizer)
        assert report.optimizer_state == {"float32": 2 * 64 + 4}
        assert report.by_module[OPTIMIZER].flops == 13 * 16 + 1


def test_parameters_of_other_models_are_skipped() -> None:
    model, other = nn.Linear(4, 3, bias=False), nn.Linear(9, 9)
    optimizer = torch.optim.Adam([*other.parameters(), *model.parameters()])
    report = count(model, torch.ones(2, 4), backward=True, optimizer=optimizer)
    assert report.optimizer_state_bytes == 2 * 48 + 4


@pytest.mark.parametrize("around", [torch.no_grad, torch.inference_mode])
def test_within_contexts(around: Any) -> None:
    model, x = nn.Linear(4, 3), torch.ones(2, 4)
    report = count(model, x, backward=True, optimizer="adamw")
    with around():
        assert count(model, x, backward=True, optimizer="adamw") == report


OTHERS = torch.optim.SGD(nn.Linear(2, 2).parameters())


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("adan", "adam"),
        ("AdamW", "adamw"),
        (3, "makes no step"),
        (OTHERS, "lacks"),
        (lambda _parameters: OTHERS, "other parameters"),
        (lambda _parameters: None, "none"),
        (torch.optim.LBFGS, "within its step"),
        (torch.optim.Muon, "2D"),
    ],
)
def test_mistakes(given: Any, said: str) -> None:
    with pytest.raises(UsageError) as error:
        count(nn.Linear(4, 3), torch.ones(2, 4), backward=True, optimizer=given)
    assert said in f"{error.value} {error.value.advice}"
    assert error.value.field == "optimizer"


def test_it_needs_gradients() -> None:
    with pytest.raises(UsageError, match="`optimizer`"):
        count(nn.Linear(4, 3), torch.ones(2, 4), optimizer="adam")


class Taking(nn.Module):
    """A model whose forward takes an optimizer, too."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, x: Tensor, optimizer: Any = None) -> Any:
        assert optimizer is not None
        return self.layer(x)


def test_whose_keyword_it_is() -> None:
    with pytest.raises(UsageError, match="is an option of count"):
        count(Taking(), torch.ones(2, 4), optimizer="adam")
    call = Call.of(Taking(), torch.ones(2, 4), optimizer="adam")
    assert count(call, backward=True, optimizer="sgd").optimizer_state_bytes == 0


def test_reports_are_read_back_and_shown() -> None:
    model, x = nn.Linear(4, 3), torch.ones(2, 4)
    report = count(model, x, backward=True, optimizer="adam")
    assert CostReport.from_dict(report.to_dict()) == report
    assert report.to_dict()["optimizer_state_bytes"] == 2 * 60 + 2 * 4
    assert OPTIMIZER in str(report)
    assert "Optimizer state" in str(report)
    plain = count(model, x, backward=True)
    assert plain.optimizer_state_bytes is None
    assert not [name for name in plain.to_dict() if "optimizer" in name]
    assert "ptimizer" not in str(plain)


def test_inspect_takes_one() -> None:
    call = Call.of(nn.Linear(4, 3), torch.ones(2, 4))
    inspection = inspect_cost.inspect(call, backward=True, optimizer="adam")
    assert inspection.phases[0].count.optimizer_state_bytes == 2 * 60 + 2 * 4
