"""What reaches nothing is found, to the operation; what reaches something is not called waste."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import model_zoo
from inspect_cost import count
from inspect_cost.counting.law import _example
from inspect_cost.counting.options import CountOptions
from inspect_cost.counting.report import CostReport
from inspect_cost.counting.torch.law_search import cost_law
from inspect_cost.counting.waste import Waste, find_pattern, group_by_pattern
from inspect_cost.subjects import resolve
from inspect_cost.values.notes import codes

Body = Callable[["Net", Tensor], object]


class Net(nn.Module):
    """Two layers, 9 MACs a row each, and a forward that is passed in."""

    cache: Tensor

    def __init__(self, body: Body) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(3, 3), nn.Linear(3, 3)
        self.register_buffer("cache", torch.zeros(4, 3))
        self.kept: list[Tensor] = []
        self.body = body

    def forward(self, x: Tensor) -> object:
        return self.body(self, x)


def count_preset(name: str, samples: int | None = None, **settings: Any) -> CostReport:
    """Count the generating call of a preset."""
    subject = resolve(name, input_len=samples, settings=settings)
    return subject.count(subject.phases[0], CountOptions())


def waste_of(report: CostReport) -> Waste:
    assert report.waste is not None
    return report.waste


def dead_modules(body: Body, x: Tensor | None = None) -> dict[str, int]:
    """Module -> its MACs in vain; one row."""
    report = count(Net(body), torch.ones(1, 3) if x is None else x)
    return {m.path: m.macs for m in waste_of(report).modules if m.macs}


def in_place_on(net: Net, x: Tensor) -> Any:
    y = net.a(x)
    y.add_(net.b(x))
    return y


def overwritten(net: Net, x: Tensor) -> Any:
    y = net.b(x)
    y.copy_(net.a(x))
    return y


def overwritten_in_part(net: Net, x: Tensor) -> Any:
    y = net.b(x)
    y[:, :1] = net.a(x)[:, :1]
    return y


def into_out(net: Net, x: Tensor) -> Any:
    y = net.b(x)
    torch.mul(net.a(x), 2, out=y)
    return y


def into_a_cache(net: Net, x: Tensor) -> Any:
    net.cache.index_put_((torch.tensor([2]),), net.b(x))
    return net.a(x)


def read_from_a_cache(net: Net, x: Tensor) -> Any:
    cache = torch.zeros(4, 3)
    cache[1:2] = net.b(x)
    return cache[:2] + net.a(x)


def kept_in_a_list(net: Net, x: Tensor) -> Any:
    net.kept.append(net.b(x))
    return net.a(x)


def into_the_input(net: Net, x: Tensor) -> Any:
    x.copy_(net.b(x))
    return net.a(torch.ones(1, 3))


def through_views(net: Net, x: Tensor) -> Any:
    return net.a(x) + net.b(x).view(3).unsqueeze(0).transpose(0, 1).reshape(1, 3)


def in_a_cycle(net: Net, x: Tensor) -> Any:
    ring: list[object] = [net.b(x)]
    ring.append(ring)
    return net.a(x)


def in_an_object(net: Net, x: Tensor) -> object:
    class Output:
        def __init__(self, logits: Tensor, hidden: Tensor) -> None:
            self.logits, self.more = logits, {"hidden": hidden}

    return Output(net.a(x), net.b(x))


@pytest.mark.parametrize(
    ("body", "dead"),
    [
        (lambda net, x: net.a(x), {}),
        (lambda net, x: (net.b(x), net.a(x))[1], {"b": 9}),
        (lambda net, x: (net.b(x).detach().view(3), net.a(x))[1], {"b": 9}),
        (lambda net, x: (net.b(torch.relu(net.b(x))), net.a(x))[1], {"b": 18}),
        (lambda net, x: (net.b(torch.rand_like(x)), net.a(x))[1], {"b": 9}),
        (lambda net, x: {"y": [net.a(x)], "z": (net.b(x),)}, {}),
        (in_place_on, {}),
        (overwritten, {"b": 9}),
        (overwritten_in_part, {}),
        (into_out, {"b": 9}),
        (into_a_cache, {}),
        (read_from_a_cache, {}),
        (kept_in_a_list, {}),
        (into_the_input, {}),
        (through_views, {}),
        (in_a_cycle, {"b": 9}),
        (in_an_object, {}),
    ],
)
def test_calls_whose_result_reaches_nothing(body: Body, dead: dict[str, int]) -> None:
    assert dead_modules(body) == dead


def test_a_module_called_twice_and_once_in_vain() -> None:
    report = count(Net(lambda net, x: (net.a(net.b(x)), net.b(x))[1]), torch.ones(1, 3))
    assert report.macs == 27
    assert {(m.path, m.macs, m.params, m.whole) for m in waste_of(report).modules} == {
        ("a", 9, 12, True),
        ("b", 9, 0, False),
    }


@pytest.mark.parametrize(
    "read",
    [
        lambda y: y.sum().item(),
        lambda y: bool((y > 0).all()),
        lambda y: y.tolist(),
        lambda y: y.numpy(),
        lambda y: len(y.nonzero()),
        lambda y: torch.equal(y, y + 1),
    ],
)
def test_values_that_python_reads_reach_the_output(read: Callable[[Tensor], object]) -> None:
    def body(net: Net, x: Tensor) -> Any:
        read(net.b(x))
        return net.a(x)

    report = count(Net(body), torch.ones(1, 3))
    assert "real-run" in codes(report.notes)
    assert not waste_of(report)


def test_waste_is_found_in_a_run_on_real_values() -> None:
    def body(net: Net, x: Tensor) -> Any:
        net.b(x)
        y = net.a(x)
        return y * y.sum().item()

    report = count(Net(body), torch.ones(1, 3))
    assert "real-run" in codes(report.notes)
    assert [m.path for m in waste_of(report).modules] == ["b"]


def test_parameters_read_in_vain_and_never_touched() -> None:
    class Heads(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used = nn.Linear(4, 4)
            self.tied = nn.Linear(4, 4, bias=False)
            self.tied.weight = self.used.weight
            self.idle = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 2))
            self.auxiliary = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 6))

        def forward(self, x: Tensor) -> Any:
            self.auxiliary(x)
            self.tied(x)
            return self.used(x)

    report = count(Heads(), torch.zeros(2, 4))
    waste = waste_of(report)
    assert waste.params == 5 * 5 + 6 * 6
    assert waste.param_bytes == 4 * waste.params
    assert waste.macs == 2 * (20 + 30 + 16)
    assert waste.share_of_macs == waste.macs / report.macs
    assert [(m.path, m.whole) for m in waste.modules] == [("tied", False), ("auxiliary", True)]
    assert waste.untouched_params == (
        "idle.0.bias",
        "idle.0.weight",
        "idle.1.bias",
        "idle.1.weight",
    )
    assert waste.untouched_elements == 40 + 18


def test_without_the_dead_parts_the_live_remain() -> None:
    """FloWaveNet's last residual convolutions, taken out by its own setting, and by the walk."""
    published = count_preset("flowavenet", 16_000)
    without = count_preset("flowavenet", 16_000, unused_residuals=False)
    waste = waste_of(published)
    assert waste.macs == 6_383_075_328 == published.macs - without.macs
    assert waste.flops == published.flops - without.flops
    assert waste.params == 3_236_352 == published.params - without.params
    assert not waste_of(without)
    groups = group_by_pattern(m for m in waste.modules if m.whole)
    assert {name: len(group) for name, group in groups.items()} == {
        "blocks.*.flows.*.coupling.net.layers.1.residual": 48,
        "blocks.3.prior.net.layers.1.residual": 1,
    }


def test_waste_by_a_law_is_that_of_the_length_itself() -> None:
    def body(net: Net, x: Tensor) -> Any:
        net.b(x)
        return net.a(x) @ net.a(x).T

    law = cost_law(Net(body), lambda n: {"x": torch.empty(n, 3)})
    direct = count(Net(body), torch.empty(50, 3))
    assert waste_of(law.report(50)) == waste_of(direct)
    assert waste_of(direct).macs == 450
    assert law.report(50).peak_activation_bytes == direct.peak_activation_bytes
    assert law.report(50).input_bytes == direct.input_bytes == 600


def test_where_unread_parameters_depend_on_the_length_a_law_does_not_name_them() -> None:
    """So the two lengths' reports differ in nothing but what is read in the end."""

    def body(net: Net, x: Tensor) -> Any:
        y, z = net.a(x), net.b(x)
        return y if len(x) % 2 else z

    law = cost_law(Net(body), lambda n: {"x": torch.empty(n, 3)}, period=2)
    assert waste_of(law.report(8)).modules[0].path == "a"
    reports = {n: count(Net(body), torch.empty(n, 3)) for n in (1, 2)}
    assert _example(reports | {0: reports[1]}).unread is None


def test_following_the_data_keeps_no_memory_alive() -> None:
    def body(net: Net, x: Tensor) -> Tensor:
        for _ in range(20):
            x = net.a(x) + 1
        return x

    report = count(Net(body), torch.ones(1000, 3))
    assert report.peak_activation_bytes == 3 * 12_000  # the last x, the layer's result, the next x


def test_waste_on_many_threads() -> None:
    def body(net: Net, x: Tensor) -> Any:
        net.b(x)
        return net.a(x)

    with ThreadPoolExecutor(8) as pool:
        reports = list(pool.map(lambda n: count(Net(body), torch.ones(n, 3)), range(1, 40)))
    assert [waste_of(report).macs for report in reports] == [9 * n for n in range(1, 40)]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=8), st.data())
def test_dead_are_those_that_a_walk_by_hand_does_not_reach(
    edges: list[tuple[int, int]], data: st.DataObject
) -> None:
    """Random graphs of layers: the same walk over plain sets, and the live parts run alone."""
    output = data.draw(st.integers(0, len(edges)))
    needed, wanted = {output}, [output]
    while wanted:
        if (i := wanted.pop()) > 0:
            sources = {j % i for j in edges[i - 1]}
            wanted += sources - needed
            needed |= sources

    class Wired(nn.Module):
        def __init__(self, chosen: set[int]) -> None:
            super().__init__()
            self.chosen = chosen
            self.layers = nn.ModuleList(nn.Linear(3, 3) for _ in edges)

        def forward(self, x: Tensor) -> Tensor:
            values = [x]
            for i, (layer, pair) in enumerate(zip(self.layers, edges, strict=True), 1):
                a, b = (values[j % i] for j in pair)
                values.append(layer(a + b) if i in self.chosen else x)
            return values[output]

    everything = count(Wired(set(range(1, len(edges) + 1))), torch.ones(2, 3))
    live = count(Wired(needed), torch.ones(2, 3))
    assert everything.flops - waste_of(everything).flops == live.flops
    assert waste_of(everything).params == 12 * (len(edges) - len(needed - {0}))
    assert waste_of(live).flops == 0


def test_patterns_keep_what_is_common() -> None:
    assert find_pattern(["a.0.b.1", "a.2.b.1"]) == "a.*.b.1"
    assert find_pattern([""]) == ""


@pytest.mark.parametrize("name", ["sing", "wavegan", "gansynth-lores", "samplernn-3tier"])
def test_other_presets_waste_nothing(name: str) -> None:
    report = count_preset(name, 400)
    assert waste_of(report) == Waste(0, 0, 0, 0, 0.0, (), (), 0)


def test_a_stepwise_presets_law_has_the_peak_of_the_length_itself() -> None:
    preset = model_zoo.preset("samplernn-3tier")
    config = preset.configuration()
    by_law = count_preset("samplernn-3tier", 64)
    generate: Any = preset.build().generate
    direct = count(generate, **preset.call(config, 64, "meta", 0).kwargs)
    assert by_law.peak_activation_bytes == direct.peak_activation_bytes
    assert by_law.cost == direct.cost
