"""`measure` on real models: what it leaves as it was, what it refuses, and real counters."""

import json
import pickle
import time
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import nn

import inspect_cost
from inspect_cost.calls.target import target
from inspect_cost.measuring.measure import measured_target, planned
from inspect_cost.measuring.measurement import Measurement
from inspect_cost.measuring.sensors.powercap import find_powercap_sensors
from inspect_cost.measuring.sensors.protocol import EnergySensor, Sensors, Unavailable
from inspect_cost.values.errors import MeasurementError, UsageError
from tests.measuring.sensors.powercap_tree import PowercapTree, one_socket, two_sockets, wrapping
from tests.measuring.simulated import Counter, Machine

quick = partial(
    inspect_cost.measure,
    sensors=(),
    measure_time_s=0.5,
    windows=3,
    window_s=0.02,
    peak_memory=False,
)


class Watching(nn.Module):
    """Tells what it sees during calls."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.linear.eval()
        self.seen: set[tuple[object, ...]] = set()

    def forward(self, x: torch.Tensor, scale: float = 1.0) -> torch.Tensor:
        out = self.linear(x) * scale
        grad = torch.is_grad_enabled() or out.requires_grad
        threads = torch.get_num_threads()
        self.seen.add((self.training, grad, threads, out.dtype, tuple(x.shape), scale))
        torch.rand(1)
        x.zero_()
        return out

    def twice(self, x: torch.Tensor) -> torch.Tensor:
        return 2 * self(x)


def test_the_call_is_an_inference_and_everything_is_as_before() -> None:
    model, x = Watching(), torch.ones(2, 4)
    model.train()
    model.linear.eval()
    torch.manual_seed(3)
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    result = quick(model, x, scale=2.0, threads=1)
    assert model.seen == {(False, False, 1, torch.float32, (2, 4), 2.0)}
    assert (model.training, model.linear.training) == (True, False)
    assert all(p.requires_grad and p.grad is None for p in model.parameters())
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(x, torch.ones(2, 4))
    assert (result.threads, result.device, result.dtype) == (1, "cpu", "float32")


def test_everything_is_as_before_also_after_an_error() -> None:
    model = Watching().train()
    with pytest.raises(MeasurementError, match="the call failed: RuntimeError: mat1 and mat2"):
        quick(model, torch.ones(2, 5), threads=1)
    assert model.training
    assert torch.is_grad_enabled()


def test_another_type_is_that_of_a_copy() -> None:
    model = Watching()
    result = quick(model, torch.ones(2, 4), dtype="bfloat16")
    assert result.dtype == "bfloat16"
    assert model.linear.weight.dtype == torch.float32
    assert not model.seen


def test_methods_and_functions() -> None:
    model = Watching()
    assert quick(model.twice, torch.ones(1, 4)).latency_s
    assert {seen[0] for seen in model.seen} == {False}
    assert quick(lambda: sum(range(100))).latency_s


def test_what_cannot_be_measured() -> None:
    with pytest.raises(UsageError, match="meta device has no values"):
        quick(nn.Linear(2, 2, device="meta"), torch.ones(1, 2))
    with pytest.raises(UsageError, match="cannot be called"):
        quick(3)
    with pytest.raises(UsageError, match="there is no device cuda:99"):
        quick(Watching(), torch.ones(1, 4), device="cuda:99")
    with pytest.raises(UsageError, match="int64 is no floating"):
        quick(Watching(), torch.ones(1, 4), dtype="int64")
    with pytest.raises(UsageError, match="not a share"):
        quick(Watching(), torch.ones(1, 4), until_ci="2")
    for wrong in (5, [5]):
        with pytest.raises(UsageError, match="5 is no energy sensor"):
            quick(Watching(), torch.ones(1, 4), sensors=wrong)


@pytest.mark.parametrize(
    ("name", "wrong", "complaint"),
    [
        ("windows", 0, "no whole number above 0"),
        ("windows", 2.5, "no whole number above 0"),
        ("threads", 0, "no whole number above 0"),
        ("threads", 1.5, "no whole number above 0"),
        ("measure_time_s", "5", "no number above 0"),
        ("measure_time_s", float("inf"), "no number above 0"),
        ("window_s", -1, "no number above 0"),
        ("window_s", float("nan"), "no number above 0"),
    ],
)
def test_numbers_that_are_none(name: str, wrong: object, complaint: str) -> None:
    with pytest.raises(UsageError, match=f"^{name}=.* is {complaint}"):
        quick(Watching(), torch.ones(1, 4), **{name: wrong})


def test_without_a_sensor_it_says_so_and_latency_comes() -> None:
    absent = Sensors((), (Unavailable("powercap", "there is no folder /sys/x", "Load it."),))
    result = quick(Watching(), torch.ones(1, 4), sensors=absent)
    assert result.energy_j is result.energy_net_j is result.power_w is result.power_net_w is None
    assert result.notes[0] == (
        "No energy: no sensor (powercap: there is no folder /sys/x); "
        "inspect-cost doctor says how to get one."
    )
    low, high = result.latency_s.ci95
    assert 0 < low <= result.latency_s.value <= high
    first, third = result.latency_quartiles_s
    assert first <= result.latency_s.value <= third <= result.latency_p95_s


def test_memory_of_a_fresh_process_is_the_calls_own() -> None:
    """A call that makes 40 MB at once, in a model that is small."""
    result = quick(partial(torch.ones, 10_000_000), peak_memory=True, measure_time_s=5)
    assert result.memory, result.notes
    assert result.memory.allocator_peak_b.value == 40_000_000
    assert 39e6 < result.memory.rss_increase_b.value < 80e6
    assert result.memory.peak_rss_b.value > result.memory.rss_increase_b.value
    assert result.memory.cuda_peak_b is None


def test_memory_that_cannot_be_measured_says_why() -> None:
    result = quick(lambda: 1, peak_memory=True)
    assert result.memory is None
    assert any(note.startswith("No memory: it cannot be copied") for note in result.notes)


def test_a_measurement_is_data() -> None:
    machine = Machine()
    result = quick(Watching(), torch.ones(1, 4), sensors=[Counter(machine)])
    written = json.loads(json.dumps(result.to_dict()))
    assert set(written) >= {
        *("energy_j", "energy_net_j", "power_w", "power_net_w", "latency_s"),
        *("windows", "calls", "notes", "memory", "partial"),
    }
    assert written["latency_s"]["kind"] == "measured"
    assert written["energy_j"] is None  # the simulated machine stood still
    assert pickle.loads(pickle.dumps(result)) == result  # noqa: S301 - our own


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_has_energy_latency_and_memory() -> None:
    model = nn.Sequential(*(nn.Linear(4096, 4096) for _ in range(8)))
    result = inspect_cost.measure(model, torch.zeros(512, 4096), device="cuda", windows=3)
    assert result.device == "cuda:0"
    assert next(model.parameters()).device.type == "cpu"
    assert result.energy_j, result.notes
    assert 20 < result.power_w.value < 2000
    assert result.energy_j.value == pytest.approx(
        result.power_w.value * result.latency_s.value, rel=0.2
    )
    assert result.memory.cuda_peak_b.value > 8 * 4 * 4096**2


def test_a_block_is_one_window(tmp_path: Path) -> None:
    with (
        PowercapTree(tmp_path, one_socket(50.0)) as tree,
        inspect_cost.measure_block(sensors=find_powercap_sensors(tree.root)) as block,
    ):
        end = torch.ones(300, 300)
        for _ in range(200):
            end = end @ end / 300
    assert isinstance(block.measurement, Measurement)
    assert (block.calls, len(block.windows)) == (1, 1)
    assert block.energy_j.value == pytest.approx(50 * block.latency_s.value, rel=0.1)
    assert block.energy_j.ci95 is None
    assert "One block, no confidence interval" in block.notes[-1]


def test_a_block_that_fails_is_partial() -> None:
    block = inspect_cost.measure_block(sensors=())
    with pytest.raises(AttributeError, match="not over"):
        _ = block.energy_j
    with pytest.raises(ZeroDivisionError), block:
        _ = 1 / 0
    assert block.partial


#: Counters older than this share of a window, when read, say that their writer was starved.
QUIET = 0.03


def work() -> None:
    """A call of about a millisecond that leaves the CPU to others."""
    time.sleep(0.001)


@pytest.mark.alone
@pytest.mark.parametrize(
    ("zones", "window_s"), [("one", 0.05), ("two", 0.05), ("wrapping", 0.05), ("wrapping", 0.3)]
)
def test_energy_on_a_counter_of_known_power(tmp_path: Path, zones: str, window_s: float) -> None:
    """The mean of ten windows against the power that a separate process writes."""
    made, power_w = {
        "one": (one_socket(50.0), 50.0),
        "two": (two_sockets(90.0, 12.0), 1.75 * 102.0),
        "wrapping": (wrapping(one_socket(50.0), after_j=20 * window_s * 50.0 / 2), 50.0),
    }[zones]
    with PowercapTree(tmp_path, made) as tree:
        for _ in range(3):  # until the writer was not starved by other processes
            sensors = [Noting(sensor) for sensor in find_powercap_sensors(tree.root).usable]
            result = on_counters(sensors, window_s)
            late = max(map(tree.age_s, sensors[0].read_at_ns)) / window_s
            if late < QUIET:
                break
    assert result.power_w, result.notes
    tolerance = max(0.01, late / 2)
    assert result.power_w.value == pytest.approx(power_w, rel=tolerance)
    duration_s = sum(w.duration_s for w in result.kept_windows)
    assert result.energy_j.value == pytest.approx(
        power_w * duration_s / result.calls, rel=tolerance
    )
    # An idle stretch is a quarter of a window.
    assert abs(result.power_net_w.value) < 8 * tolerance * power_w


class Noting:
    """A sensor that notes when it is read."""

    def __init__(self, sensor: EnergySensor) -> None:
        self.sensor, self.read_at_ns = sensor, list[int]()

    def __getattr__(self, name: str) -> object:
        return getattr(self.sensor, name)

    def read_j(self) -> float:
        """The counter now."""
        self.read_at_ns.append(time.monotonic_ns())
        return self.sensor.read_j()


def on_counters(sensors: list[Noting], window_s: float) -> Measurement:
    """Ten windows of `work`."""
    return measured_target(
        target(work, (), {}),
        threads=None,
        sensors=sensors,
        plan_of=partial(planned, "cpu", 30.0, None, 10, window_s),
        make=None,
        foreign=lambda: 0.0,
    )
