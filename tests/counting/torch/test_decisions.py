"""Totals that depend on values computed from the weights say so, and name what decides."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from inspect_cost import count
from inspect_cost.values.notes import Note

ROWS, D = 6, 4


class Deciding(nn.Module):
    """Layers of which the second sees what a decision made of the first one's result."""

    def __init__(self, decide: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.first, self.then, self.decide = nn.Linear(D, D), nn.Linear(D, D), decide
        with torch.no_grad():
            self.first.weight.copy_(torch.eye(D))
            self.first.bias.zero_()

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.then(self.decide(self.first(x), x))
        return out


#: Two of the rows are positive.
X = torch.tensor([[1.0] * D] * 2 + [[-1.0] * D] * 4)

#: What decides -> the operator, and what it found of how many.
DECIDING: dict[str, tuple[Callable[[Tensor, Tensor], Tensor], str, str]] = {
    "nonzero": (lambda y, x: x[(y[:, 0] > 0).nonzero()[:, 0]], "aten.nonzero", "2 of 0 to 6"),
    "where": (lambda y, x: x[torch.where(y[:, 0] > 0)[0]], "aten.where", "2 of 0 to 6"),
    "mask": (lambda y, _x: y[y[:, 0] > 0], "aten.index", "2 of 0 to 6"),
    "select": (
        lambda y, _x: y.masked_select(y > 0).view(-1, D),
        "aten.masked_select",
        "8 of 0 to 24",
    ),
    "unique": (lambda y, x: x[: len(y.unique())], "aten._unique2", "2 of 0 to 24"),
    "item": (lambda y, x: x[: int(y.sum().abs().item())], "aten.item", ""),
    "condition": (lambda y, x: x[:1] if y.sum() > 0 else x, "aten.is_nonzero", ""),
    "list": (lambda y, x: x[: len([v for v in y[:, 0].tolist() if v > 0])], "", ""),
    "repeat": (
        lambda y, x: x.repeat_interleave(y[:, 0].relu().long(), dim=0),
        "aten.repeat_interleave",
        "",
    ),
}


def find(notes: tuple[Note, ...]) -> list[Note]:
    return [note for note in notes if note.code == "depends-on-values"]


@pytest.mark.parametrize(("decide", "operator", "found"), DECIDING.values(), ids=DECIDING)
def test_what_decides_is_named(
    decide: Callable[[Tensor, Tensor], Tensor], operator: str, found: str
) -> None:
    report = count(Deciding(decide).eval(), X)
    (note,) = find(report.notes)
    assert note.severity == "warning"
    assert operator in note
    assert found in note
    assert "\n" not in note
    assert report.notes[0].code == "real-run"


def test_the_module_and_the_number_are_named() -> None:
    decide = DECIDING["mask"][0]
    model = nn.Sequential(Deciding(decide), Deciding(decide), Deciding(lambda y, _x: y)).eval()
    (note,) = find(count(model, X).notes)
    assert "aten.index in 0 " in note
    assert "first of 2 " in note


def test_the_bounds_hold() -> None:
    """With none or all of the rows, the total is what the bounds allow."""
    model = Deciding(DECIDING["mask"][0]).eval()
    totals = [count(model, x).macs for x in (-X.abs(), X, X.abs())]
    assert totals == [ROWS * D * D + rows * D * D for rows in (0, 2, ROWS)]


#: Values of inputs, of constants, and shapes decide; or values computed from weights do not.
NOT_DECIDING: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "input": lambda y, x: y[x[:, 0] > 0],
    "input by item": lambda y, x: y[: int(x[0, 0].item())],
    "shape": lambda y, _x: y[torch.ones_like(y[:, 0]).nonzero()[:, 0]],
    "zeros": lambda y, _x: y[: int(y.new_zeros(3).sum().item()) + 1],
    "arithmetic": lambda y, _x: torch.where(y > 0, y, -y),
    "positions": lambda y, x: y[torch.arange(len(x))],
}


@pytest.mark.parametrize("decide", NOT_DECIDING.values(), ids=NOT_DECIDING)
def test_what_is_given_needs_no_note(decide: Callable[[Tensor, Tensor], Tensor]) -> None:
    assert not count(Deciding(decide).eval(), X).notes


def test_a_real_run_for_another_reason_needs_no_note() -> None:
    """Of the values that are read, only those of the input decide."""

    class Opaque(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(D, D)

        def forward(self, x: Tensor) -> Any:
            if self.layer.weight.is_meta:
                self.layer.weight.sum().item()
            return self.layer(x[x[:, 0] > 0])

    notes = count(Opaque().eval(), X).notes
    assert [note.code for note in notes] == ["real-run"]
