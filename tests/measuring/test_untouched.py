"""A model that was measured trains as if it had not been."""

import copy
from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor, nn

import inspect_cost

WIDTH = 8
quick = partial(
    inspect_cost.measure,
    sensors=(),
    measure_time_s=0.2,
    windows=1,
    window_s=0.02,
    peak_memory=False,
)


class Keeping(nn.Module):
    """Makes a table at its first call, and keeps it."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(WIDTH, WIDTH)

    def make(self, x: Tensor) -> Tensor:
        """The table."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        if not hasattr(self, "table"):
            self.keep(self.make(x))
        out: Tensor = self.linear(x) * self.table
        return out

    def keep(self, table: Tensor) -> None:
        """Keep it as an attribute."""
        self.table = table


class Rotary(Keeping):
    """A table of positions."""

    def make(self, x: Tensor) -> Tensor:
        return torch.arange(float(x.shape[-1]), device=x.device).cos()


class LateBuffer(Rotary):
    """A buffer that is registered late."""

    def keep(self, table: Tensor) -> None:
        self.register_buffer("table", table)


class LateParameter(Rotary):
    """A parameter that is registered late."""

    def keep(self, table: Tensor) -> None:
        self.register_parameter("table", nn.Parameter(table))


class OfItsInput(Keeping):
    """A table of what it saw first."""

    def make(self, x: Tensor) -> Tensor:
        return x.mean(0).exp()


class InAList(Rotary):
    """Keeps everything that it computed."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        out = super().forward(x)
        self.seen[:] = [out.detach()]
        return out + self.seen[0].mean()


class WritesIntoABuffer(nn.Module):
    """Averages what it sees, in eval mode too."""

    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(WIDTH, WIDTH)
        self.register_buffer("mean", torch.zeros(WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        self.mean = 0.9 * self.mean + 0.1 * x.detach().mean(0)
        out: Tensor = self.linear(x - self.mean)
        return out


class ForceField(nn.Module):
    """Its output is a gradient of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.energy = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.Tanh(), nn.Linear(WIDTH, 1))

    def forward(self, positions: Tensor) -> Tensor:
        with torch.enable_grad():
            positions = positions.detach().requires_grad_()
            energy = self.energy(positions).sum()
            (force,) = torch.autograd.grad(energy, positions, create_graph=self.training)
        return -force


def normalised() -> nn.Module:
    """Weight and spectral norm, batch norm, dropout."""
    return nn.Sequential(
        nn.utils.parametrizations.weight_norm(nn.Linear(WIDTH, WIDTH)),
        nn.BatchNorm1d(WIDTH),
        nn.Dropout(0.5),
        nn.utils.parametrizations.spectral_norm(nn.Linear(WIDTH, WIDTH)),
    )


MODELS: tuple[Callable[[], nn.Module], ...] = (
    Rotary,
    LateBuffer,
    LateParameter,
    OfItsInput,
    InAList,
    WritesIntoABuffer,
    ForceField,
    normalised,
    lambda: nn.LazyLinear(WIDTH),
    lambda: nn.TransformerEncoderLayer(WIDTH, 2, batch_first=True),
)


def train(model: nn.Module, x: Tensor) -> list[Tensor]:
    """Take a step, and return the gradients."""
    torch.manual_seed(1)
    model.train()
    model(x)  # whatever is made late is made
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    before = [parameter.detach().clone() for parameter in model.parameters()]
    model(x).square().sum().backward()
    optimizer.step()
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    after = [p.detach() for p in model.parameters() if p.grad is not None]
    assert len(gradients) >= 1
    moved = [not torch.equal(a, b) for a, b in zip(before, after, strict=False)]
    assert all(moved) or not all(gradient.any() for gradient in gradients)
    return gradients


@pytest.mark.parametrize("make", MODELS, ids=lambda make: make.__name__)
def test_a_measured_model_trains_like_one_that_ran_without_gradients(
    make: Callable[[], nn.Module],
) -> None:
    torch.manual_seed(0)
    model, x = make(), torch.randn(4, WIDTH)
    other = copy.deepcopy(model)
    torch.manual_seed(2)
    assert quick(model, x).latency_s
    tensors = [*model.parameters(), *model.buffers(), *vars(model).values()]
    assert not any(t.is_inference() for t in tensors if isinstance(t, Tensor))
    assert all(p.grad is None for p in model.parameters())
    if isinstance(model, WritesIntoABuffer):
        other.load_state_dict(model.state_dict())  # it saw more calls
    if isinstance(model, nn.LazyLinear | nn.Linear):
        other(x)
        other.load_state_dict(model.state_dict())  # initialised at random when first called
    found, expected = train(model, x), train(other, x)
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_a_forward_may_ask_for_the_gradient_of_its_argument() -> None:
    energy = nn.Linear(WIDTH, 1)

    def force(positions: Tensor) -> Tensor:
        with torch.enable_grad():
            return torch.autograd.grad(energy(positions).square().sum(), positions)[0]

    positions = torch.randn(4, WIDTH, requires_grad=True)
    assert quick(force, positions).latency_s
    assert positions.grad is None
    assert quick(force, positions, dtype="float64").latency_s
