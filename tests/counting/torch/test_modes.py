"""A model's own `train()` and `eval()` decide which layers train."""

from collections.abc import Callable
from typing import Self

import pytest
import torch
from torch import Tensor, nn

from inspect_cost import count

X = torch.zeros(2, 3, 5, 5)

#: Batch norm of 2 x 4 x 5 x 5 numbers: with its own statistics, and with the stored ones.
NUMBERS = 200
FROZEN = 4 * NUMBERS + 2 * 4


class Frozen(nn.Module):
    """Keeps its batch norm in eval mode."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 1, bias=False), nn.BatchNorm2d(4)

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        self.norm.eval()
        return self

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.norm(self.conv(x))
        return out


class FrozenByInstance(Frozen):
    """Overrides its mode for one instance only, as some libraries do."""

    def __init__(self) -> None:
        super().__init__()
        vars(self)["train"] = self.freeze

    def train(self, mode: bool = True) -> Self:
        return nn.Module.train(self, mode)

    def freeze(self, mode: bool = True) -> Self:
        return Frozen.train(self, mode)


class Refusing(Frozen):
    """Refuses every mode, as exported programs do."""

    def train(self, mode: bool = True) -> Self:
        raise NotImplementedError(mode)

    def eval(self) -> Self:
        return self.train(mode=False)


class OnlyEval(Frozen):
    """Overrides `eval()` alone: dropout stays on."""

    def __init__(self) -> None:
        super().__init__()
        self.drop = nn.Dropout(0.5)

    def eval(self) -> Self:
        super().eval()
        self.drop.train()
        return self

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.drop(super().forward(x))
        return out


def norm_flops(model: nn.Module, path: str, *, backward: bool) -> float:
    report = count(model, X, backward=backward)
    tallies = [t for t in report.tallies if t.module == path and t.operator.endswith("batch_norm")]
    return sum(t.cost.flops for t in tallies if t.cost is not None)


WRAPPERS: dict[str, tuple[Callable[[nn.Module], nn.Module], str]] = {
    "root": (lambda model: model, "norm"),
    "child": (nn.Sequential, "0.norm"),
    "grandchild": (lambda model: nn.Sequential(nn.ModuleList([model])[0]), "0.norm"),
}


@pytest.mark.parametrize("place", WRAPPERS)
@pytest.mark.parametrize("kind", [Frozen, FrozenByInstance])
def test_a_frozen_batch_norm_stays_frozen_in_training(kind: type[Frozen], place: str) -> None:
    wrap, path = WRAPPERS[place]
    model = wrap(kind())
    assert norm_flops(model, path, backward=True) == FROZEN
    assert all(module.training for module in model.modules())


def test_a_plain_module_trains_below_one_that_refuses() -> None:
    plain = nn.Sequential(nn.Conv2d(3, 4, 1, bias=False), nn.BatchNorm2d(4))
    trained = norm_flops(plain, "1", backward=True)
    assert trained > FROZEN
    assert norm_flops(Refusing(), "norm", backward=True) == trained
    assert norm_flops(Refusing(), "norm", backward=False) == FROZEN


def test_eval_of_its_own_is_what_inference_runs() -> None:
    report = count(OnlyEval(), X)
    assert any(tally.module == "drop" for tally in report.tallies)
    assert not any(tally.module == "drop" for tally in count(nn.Sequential(Frozen()), X).tallies)


def test_an_exported_module_refuses_modes_and_is_counted() -> None:
    exported = torch.export.export(nn.Linear(8, 8), (torch.ones(4, 8),)).module()
    assert count(exported, torch.ones(4, 8)).macs == 4 * 8 * 8
