"""Where work is entered: modules in several places, generators of submodules."""

import json
from collections.abc import Generator, Iterator

import pytest
import torch
from torch import Tensor, nn

from inspect_cost import count
from inspect_cost.counting.law import CostLaw
from inspect_cost.counting.report import CostReport
from inspect_cost.counting.tally import ancestry
from inspect_cost.counting.torch.law_search import cost_law
from inspect_cost.counting.torch.places import Places
from inspect_cost.reports.sections.tree import make_rows
from inspect_cost.values.units import exact

SIZE = 10
PRODUCT = SIZE * SIZE


def linear() -> nn.Linear:
    return nn.Linear(SIZE, SIZE, bias=False)


def macs_of(report: CostReport) -> dict[str, int]:
    return {path: module.macs for path, module in report.by_module.items()}


def shared_linear() -> nn.Module:
    lin = linear()
    return nn.Sequential(nn.Sequential(lin), nn.Sequential(lin))


def shared_block() -> nn.Module:
    block = nn.Sequential(linear(), nn.ModuleList([linear()])[0])
    return nn.Sequential(nn.Sequential(block), nn.Sequential(linear(), nn.Sequential(block)))


class Sides(nn.Module):
    """Two sides share what they call; one is called from the model directly."""

    def __init__(self) -> None:
        super().__init__()
        lin = linear()
        self.left, self.right = nn.ModuleDict({"a": lin}), nn.ModuleDict({"b": lin})

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.left["a"](self.right["b"](x))
        return out


@pytest.mark.parametrize("backward", [False, True])
def test_each_parent_has_what_it_ran(backward: bool) -> None:
    report = count(shared_linear(), torch.zeros(1, SIZE), backward=backward)
    # The input needs no gradient, so the first run has one product for gradients, the second two.
    first, second = (2 * PRODUCT, 3 * PRODUCT) if backward else (PRODUCT, PRODUCT)
    whole = first + second
    assert macs_of(report) == {"": whole, "0": first, "0.0": whole, "1": second}
    assert report.macs == report.by_operator["aten.mm" if backward else "aten.linear"].macs == whole


def test_each_parent_stores_what_it_shares() -> None:
    report = count(shared_linear(), torch.zeros(1, SIZE))
    params = {path: module.params for path, module in report.by_module.items()}
    assert params == dict.fromkeys(("", "0", "0.0", "1"), PRODUCT)


def test_shared_blocks_share_what_is_in_them() -> None:
    report = count(shared_block(), torch.zeros(1, SIZE))
    assert {path: macs // PRODUCT for path, macs in macs_of(report).items()} == {
        "": 5,
        "0": 2,
        "0.0": 4,
        "0.0.0": 2,
        "0.0.1": 2,
        "1": 3,
        "1.0": 1,
        "1.1": 2,
    }
    assert report.by_module["1"].params == 3 * PRODUCT


def test_the_first_place_stands_where_the_caller_is_in_none() -> None:
    macs = macs_of(count(Sides(), torch.zeros(1, SIZE)))
    assert macs == {"": 200, "left": 200, "left.a": 200, "right": 0}


def test_a_model_inside_itself_has_an_end() -> None:
    model = nn.Sequential(nn.Sequential(linear()))
    model[0].add_module("back", model)
    places = Places(model)
    assert places.locate("0.0", running="0") == "0.0"
    assert set(places.list_containers("0.0")) == {"0.0", "0", ""}


def test_many_ways_to_a_module_are_not_followed_all() -> None:
    net: nn.Module = linear()
    for _ in range(40):
        net = nn.Sequential(net, nn.Sequential(net))
    places = Places(net)
    path = ".".join(["0"] * 40)
    assert places.locate(path, running="1") == "1." + path
    assert len(places.list_containers(path)) == 1 + 2 * 40


def test_tallies_of_places_add_up() -> None:
    report = count(shared_block(), torch.zeros(1, SIZE))
    for path, module in report.by_module.items():
        inside = [
            tally.macs
            for tally in report.tallies
            if path in {report.find_path(place) for place in ancestry(tally.module)}
        ]
        assert module.macs == sum(inside)


def test_places_are_read_back_and_shown() -> None:
    report = count(shared_linear(), torch.zeros(1, SIZE))
    read = CostReport.from_dict(json.loads(json.dumps(report.to_dict())))
    assert dict(read.aliases) == {"1.0": "0.0"}
    assert macs_of(read) == macs_of(report)
    rows = list(make_rows(read, 3, exact))
    assert [row.cells[3].value for row in rows] == [200, 100, 200, 100]


def test_models_that_share_nothing_have_no_aliases() -> None:
    report = count(nn.Sequential(linear(), linear()), torch.zeros(1, SIZE))
    assert report.aliases == {}
    assert "aliases" not in report.to_dict()


def test_laws_know_places() -> None:
    law = cost_law(shared_linear(), lambda n: torch.zeros(n, SIZE), period=1)
    read = CostLaw.from_dict(json.loads(json.dumps(law.to_dict())))
    assert macs_of(read.report(7)) == {"": 1400, "0": 700, "0.0": 1400, "1": 700}


def test_unused_work_stands_in_the_parent_that_ran_it() -> None:
    class Wasteful(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = shared_linear()

        def forward(self, x: Tensor) -> Tensor:
            self.inner[1](x)  # type: ignore[index]  # a Sequential
            out: Tensor = self.inner[0](x)  # type: ignore[index]
            return out

    modules = count(Wasteful(), torch.zeros(1, SIZE)).by_module
    assert modules["inner.1"].dead_cost.macs == PRODUCT
    assert modules["inner.0"].dead_cost.macs == 0
    assert modules["inner.0.0"].dead_cost.macs == PRODUCT


# --- generators ---


class Steps(nn.Module):
    """Yields what it makes, and keeps what it is sent."""

    def __init__(self) -> None:
        super().__init__()
        self.lin = linear()
        self.sent: list[object] = []

    def steps(self, x: Tensor) -> Generator[Tensor, object, str]:
        for _ in range(3):
            x = self.lin(x) * 2
            try:
                self.sent.append((yield x))
            except ValueError:
                x = x + 1
        return "done"

    def lazily(self, x: Tensor) -> Iterator[Tensor]:
        return (self.lin(x) * 2 for _ in range(3))


class Reader(nn.Module):
    def __init__(self, way: str) -> None:
        super().__init__()
        self.inner, self.way = Steps(), way

    def forward(self, x: Tensor) -> Tensor:
        out = torch.zeros_like(x)
        if self.way == "delegated":
            for y in self.outer(x):
                out = y
        else:
            for y in getattr(self.inner, self.way)(x):
                out = y
        return out

    def outer(self, x: Tensor) -> Iterator[Tensor]:
        assert (yield from self.inner.steps(x)) == "done"


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("way", ["steps", "lazily", "delegated"])
def test_generators_work_for_their_module(way: str, backward: bool) -> None:
    report = count(Reader(way), torch.zeros(1, SIZE), backward=backward)
    assert report.by_module[""].own_cost.mul == 0
    assert report.by_module["inner"].own_cost.mul >= 3 * SIZE
    if not backward:
        assert report.by_module["inner.lin"].macs == 3 * PRODUCT


def test_generators_are_sent_values_and_errors() -> None:
    class Sender(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = Steps()

        def forward(self, x: Tensor) -> Tensor:
            running = self.inner.steps(x)
            next(running)
            running.send("kept")
            y = running.throw(ValueError("back"))
            assert self.inner.sent == ["kept"]
            running.close()
            return y

    report = count(Sender(), torch.zeros(1, SIZE))
    assert report.by_module["inner"].own_cost.add == SIZE
    assert report.by_module["inner.lin"].macs == 3 * PRODUCT
