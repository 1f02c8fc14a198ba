"""Gradients that a forward computes itself: forces of energies, derivatives of `torch.func`."""

import copy
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.checkpoint import checkpoint
from torch.utils.flop_counter import flop_registry

from inspect_cost import CostReport, CountError, count
from inspect_cost.values.notes import codes

pytestmark = [
    # Torch makes its formulas of forward mode by what it calls deprecated itself.
    pytest.mark.filterwarnings("ignore:`torch.jit.script:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Using backward:UserWarning"),
]

ROWS, IN, HIDDEN = 5, 3, 8
X = torch.linspace(-1, 1, ROWS * IN).view(ROWS, IN)


class Energy(nn.Module):
    """A perceptron whose sum is an energy."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(IN, HIDDEN), nn.Linear(HIDDEN, 1)

    def features(self, x: Tensor) -> Tensor:
        return torch.tanh(self.first(x))

    def energy(self, x: Tensor) -> Tensor:
        total: Tensor = self.last(self.features(x)).sum()
        return total


class Force(Energy):
    """Energy and force, in inference too."""

    def forward(self, x: Tensor) -> Any:
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            energy = self.energy(x)
            (gradient,) = torch.autograd.grad(energy, x, create_graph=self.training)
        return energy, -gradient


class Unguarded(Energy):
    """A force that only a call outside of `torch.no_grad()` can have."""

    def forward(self, x: Tensor) -> Any:
        x = x.clone().requires_grad_()
        energy = self.energy(x)
        return energy, torch.autograd.grad(energy, x, create_graph=True)[0]


class Backward(Energy):
    def forward(self, x: Tensor) -> Any:
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            energy = self.energy(x)
            energy.backward(inputs=[x], create_graph=self.training)
        return energy, x.grad


class Checkpointed(Energy):
    def forward(self, x: Tensor) -> Any:
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            energy = checkpoint(self.energy, x, use_reentrant=False)
            return torch.autograd.grad(energy, x, create_graph=self.training)[0]


class Curvature(Energy):
    """A second derivative, whose functions record by themselves."""

    def forward(self, x: Tensor) -> Any:
        return torch.autograd.functional.hessian(self.energy, x[0], create_graph=self.training)


class Functional(Energy):
    """A derivative by `torch.func`."""

    def __init__(self, derive: Callable[[Any, Tensor], Any]) -> None:
        super().__init__()
        self.derive = derive

    def forward(self, x: Tensor) -> Any:
        return self.derive(self, x)


def vector_product(model: Energy, x: Tensor) -> Any:
    energy, pull, *_ = torch.func.vjp(model.energy, x)
    return energy, pull(torch.ones_like(energy))[0]


def of_parameters(model: Energy, x: Tensor) -> Any:
    def loss(parameters: dict[str, Tensor]) -> Tensor:
        y: Tensor = torch.func.functional_call(model.first, parameters, (x,))
        return y.pow(2).sum()

    return torch.func.grad(loss)(dict(model.first.named_parameters()))


TRANSFORMS: Mapping[str, Callable[[Energy, Tensor], Any]] = {
    "grad": lambda m, x: torch.func.grad(m.energy)(x),
    "grad and value": lambda m, x: torch.func.grad_and_value(m.energy)(x),
    "vjp": vector_product,
    "jvp": lambda m, x: torch.func.jvp(m.energy, (x,), (torch.ones_like(x),)),
    "jacrev": lambda m, x: torch.func.jacrev(m.features)(x[0]),
    "jacfwd": lambda m, x: torch.func.jacfwd(m.features)(x[0]),
    "hessian": lambda m, x: torch.func.hessian(m.energy)(x[0]),
    "each": lambda m, x: torch.func.vmap(torch.func.grad(m.energy))(x),
    "functional_call": of_parameters,
}
MODELS: Mapping[str, Callable[[], nn.Module]] = {
    "force": Force,
    "unguarded": Unguarded,
    "backward": Backward,
    "checkpointed": Checkpointed,
    "curvature": Curvature,
    **{name: partial(Functional, derive) for name, derive in TRANSFORMS.items()},
}


class Products(TorchDispatchMode):
    """Adds up the FLOPs of products, as torch's own counter has them, over real values.

    That counter itself follows modules by hooks which gradients within a forward break.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch has no types here
        self.flops = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        formula = flop_registry.get(func.overloadpacket)
        self.flops += formula(*args, **(kwargs or {}), out_val=out) if formula else 0
        return out


def count_products(model: nn.Module, x: Tensor, *, training: bool) -> int:
    twin = copy.deepcopy(model).train(training)
    with Products() as products:
        out = twin(x.clone())
        if training:
            outputs = [y for y in tree_leaves(out) if y.requires_grad]
            torch.autograd.backward(outputs, [torch.ones_like(y) for y in outputs])
    return products.flops // 2


def make_empty(name: str) -> nn.Module:
    with torch.device("meta"):
        return MODELS[name]().eval()


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", MODELS)
def test_macs_are_those_of_torchs_counter(name: str, *, training: bool) -> None:
    model = MODELS[name]().eval()
    report = count(model, X, backward=training)
    assert report.macs == count_products(model, X, training=training)
    assert report.complete, report.uncounted
    of_forward_mode = name in {"jvp", "jacfwd"}
    inner = () if of_forward_mode else ("inner-gradients",)
    assert codes(report.notes) == (("training-step",) if training else inner)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", MODELS)
def test_shapes_are_enough(name: str, *, training: bool) -> None:
    report = count(MODELS[name]().eval(), X, backward=training)
    for x in (X, X.to("meta")):
        bare = count(make_empty(name), x, backward=training)
        assert (bare.cost, bare.bytes_moved) == (report.cost, report.bytes_moved)


def test_force_by_hand() -> None:
    """Forward, the gradient of the input, and both once more, for weights and for their inputs."""
    first, last = ROWS * IN * HIDDEN, ROWS * HIDDEN
    assert count(Force().eval(), X).macs == 2 * (first + last)
    step = count(Force(), X, backward=True)
    of_energy = 2 * (first + last)
    of_force = 2 * first + last
    assert step.macs == 2 * (first + last) + of_energy + of_force


def test_frozen_weights_have_forces() -> None:
    model = Force().eval()
    assert count(model.requires_grad_(False), X).macs == count(Force().eval(), X).macs


def test_what_follows_the_gradients_belongs_where_it_runs() -> None:
    class After(Force):
        def forward(self, x: Tensor) -> Any:
            return torch.exp(super().forward(x)[1])

    for report in (count(After().eval(), X), count(After(), X, backward=True)):
        (place,) = [t.module for t in report.tallies if t.operator == "aten.exp"]
        assert place == ""


def count_operators(report: CostReport) -> dict[tuple[str, str], int]:
    return {(t.module, t.operator): t.calls for t in report.tallies}


def test_gradients_belong_to_the_module_whose_forward_made_them_necessary() -> None:
    products = count_operators(count(Force().eval(), X))
    assert products["first", "aten.mm"] == products["last", "aten.mm"] == 1


def test_recording_without_gradients_costs_nothing_more() -> None:
    class Recorded(Energy):
        def forward(self, x: Tensor) -> Tensor:
            with torch.enable_grad():
                return self.energy(x)

    class Plain(Energy):
        def forward(self, x: Tensor) -> Tensor:
            return self.energy(x)

    assert count(Recorded().eval(), X).cost == count(Plain().eval(), X).cost


def test_what_does_not_depend_on_it_is_an_error_with_advice() -> None:
    class Detached(Energy):
        def forward(self, x: Tensor) -> Any:
            with torch.enable_grad():
                x = x.detach().requires_grad_()
                return torch.autograd.grad(self.energy(x).detach(), x)

    with pytest.raises(CountError, match="does not require grad") as error:
        count(Detached().eval(), X)
    assert error.value.advice


def test_a_forward_that_catches_errors_cannot_hide_that_it_wants_gradients() -> None:
    class Catching(Force):
        def forward(self, x: Tensor) -> Any:
            try:
                return super().forward(x)
            except RuntimeError:
                return self.energy(x)

    assert count(Catching().eval(), X).macs == count(Force().eval(), X).macs


FUNCTIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "gelu": F.gelu,
    "silu": F.silu,
    "softplus": F.softplus,
    "softmax": lambda x: F.softmax(x, -1),
    "layer_norm": lambda x: F.layer_norm(x, (4,)),
    "attention": lambda x: F.scaled_dot_product_attention(x, x, x),
    "convolution": lambda x: F.conv1d(x[None], torch.ones(2, 3, 3)),
    "loss": lambda x: F.mse_loss(x, x * 2),
    "cross entropy": lambda x: F.cross_entropy(x, torch.tensor([0, 1, 2])),
    "quotient": lambda x: x / (x + 1),
    "norm": torch.linalg.vector_norm,
}


def derive_forward(function: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Any]:
    return lambda x: torch.func.jvp(function, (x,), (torch.ones_like(x),))


def derive_twice(function: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Any]:
    def total(x: Tensor) -> Tensor:
        return function(x).sum()

    return torch.func.jacfwd(torch.func.grad(total))


DERIVATIVES: Mapping[str, Callable[..., Callable[[Tensor], Any]]] = {
    "jvp": derive_forward,
    "jacfwd": torch.func.jacfwd,
    "hessian": derive_twice,
}


@pytest.mark.parametrize("device", ["cpu", "meta"])
@pytest.mark.parametrize("derivative", DERIVATIVES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_derivatives_of_functions_are_complete(name: str, derivative: str, device: str) -> None:
    report = count(DERIVATIVES[derivative](FUNCTIONS[name]), torch.ones(3, 4, device=device))
    assert report.complete, report.uncounted
