"""perf, hwmon, plug-ins and zeus, and which of the sources are taken."""

import errno
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from inspect_cost.measuring.sensors import discovery
from inspect_cost.measuring.sensors.discovery import find_sensors
from inspect_cost.measuring.sensors.hwmon import find_domain, find_hwmon_sensors
from inspect_cost.measuring.sensors.perf import find_perf_sensors, open_counter
from inspect_cost.measuring.sensors.plugins import find_plugin_sensors
from inspect_cost.measuring.sensors.powercap import ROOT_VARIABLE
from inspect_cost.measuring.sensors.protocol import (
    EnergySensor,
    SensorError,
    Sensors,
    Unavailable,
    subtract_j,
)
from inspect_cost.measuring.sensors.zeus_plugin import (
    find_amd_sensors,
    find_chip_sensors,
    zeus_sensors,
)
from tests.measuring.sensors.powercap_tree import PowercapTree, one_socket

RAPL_SCALE = "2.3283064365386962890625e-10"  # 2^-32 J, as Linux has it


def power_pmu(folder: Path, *, kind: int = 21, config: str = "event=0x02", cpus: str = "0") -> Path:
    """A power PMU with packages and parts of them."""
    events = folder / "events"
    events.mkdir(parents=True)
    (folder / "type").write_text(f"{kind}\n")
    (folder / "cpumask").write_text(f"{cpus}\n")
    for event in ("energy-pkg", "energy-cores"):
        (events / event).write_text(f"{config}\n")
        (events / f"{event}.scale").write_text(f"{RAPL_SCALE}\n")
        (events / f"{event}.unit").write_text("Joules\n")
    return folder


def test_perf_counts_each_package_once(tmp_path: Path) -> None:
    asked = []

    def opener(kind: int, config: int, cpu: int) -> Callable[[], int]:
        asked.append((kind, config, cpu))
        return lambda: 3 << 32

    found = find_perf_sensors(power_pmu(tmp_path, cpus="0,24-25"), opener=opener)
    assert asked == [(21, 2, 0), (21, 2, 24), (21, 2, 25)]
    assert [sensor.domain for sensor in found.usable] == ["package-0", "package-1", "package-2"]
    assert found.usable[1].read_j() == 3.0
    assert all(isinstance(sensor, EnergySensor) for sensor in found.usable)


def test_perf_reads_a_real_counter_of_the_kernel(tmp_path: Path) -> None:
    """The software PMU's clock of one CPU, in ns, read as if 1 ns were 1 nJ: it draws 1 W."""
    try:
        open_counter(1, 0, 0)
    except OSError as error:
        pytest.skip(f"perf events may not be opened here: {error.strerror}")
    folder = power_pmu(tmp_path, kind=1, config="event=0x00")
    (folder / "events" / "energy-pkg.scale").write_text("1e-9\n")
    (sensor,) = find_perf_sensors(folder).usable
    moments = [time.monotonic()]
    before_j = sensor.read_j()
    moments.append(time.monotonic())
    time.sleep(0.2)
    moments.append(time.monotonic())
    after_j = sensor.read_j()
    moments.append(time.monotonic())
    least, most = moments[2] - moments[1], moments[3] - moments[0]
    assert 0.99 * least <= subtract_j(sensor, before_j, after_j) <= 1.01 * most


def test_perf_without_permission_says_what_to_do(tmp_path: Path) -> None:
    def opener(*_: int) -> Callable[[], int]:
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))

    (why,) = find_perf_sensors(power_pmu(tmp_path), opener=opener).unavailable
    assert (why.status, "perf_event_paranoid" in why.fix) == ("refused", True)


def test_perf_that_is_malformed_is_refused(tmp_path: Path) -> None:
    folder = power_pmu(tmp_path, config="umask=1")
    (why,) = find_perf_sensors(folder, opener=lambda *_: lambda: 0).unavailable
    assert "'umask=1' names no event" in why.reason


def chip(folder: Path, name: str, **counters: str) -> None:
    """A chip of hwmon whose counters have these labels; the first counts 1 J, the next 2 J."""
    folder.mkdir(parents=True)
    (folder / "name").write_text(f"{name}\n")
    for index, label in enumerate(counters.values(), 1):
        (folder / f"energy{index}_input").write_text(f"{index * 1_000_000}\n")
        if label:
            (folder / f"energy{index}_label").write_text(f"{label}\n")


def test_hwmon_sockets_without_their_cores(tmp_path: Path) -> None:
    chip(tmp_path / "hwmon0", "nvme")
    chip(tmp_path / "hwmon1", "amd_energy", a="Ecore000", b="Ecore001", c="Esocket0", d="Esocket1")
    found = find_hwmon_sensors(tmp_path)
    assert [(sensor.domain, sensor.read_j()) for sensor in found.usable] == [
        ("package-0", 3.0),
        ("package-1", 4.0),
    ]
    assert [why.status for why in found.unavailable] == ["contained", "contained"]


#: Labels of a POWER system's chip, whose counters show 1 J, 2 J, ... in this order.
POWER = (
    *("Chip 0", "Chip 0 Vdd", "Chip 0 Vdn", "Chip 8", "Chip 8 Vdd", "Chip 8 Vdn"),
    *("System", "Memory Cache", "Chip 16 Core 4", "Chip 16"),
)


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("whole", [["Chip 0", "Chip 8", "Chip 16"], ["Chip 8"], []])
def test_hwmon_of_power_counts_chips_and_not_their_supplies(
    tmp_path: Path, order: int, whole: list[str]
) -> None:
    labels = [label for label in POWER if label in whole or not label.split()[-1].isdigit()]
    labels = labels[::order]
    chip(tmp_path / "hwmon0", "ibmpowernv", **dict(zip("abcdefghij", labels, strict=False)))
    found = find_hwmon_sensors(tmp_path)
    read = {sensor.domain: sensor.read_j() for sensor in found.usable}
    assert read == {
        f"package-{label.split()[1]}": float(labels.index(label) + 1) for label in whole
    }
    assert len(found.unavailable) == len(labels) - len(whole)


@pytest.mark.parametrize(
    ("label", "domain"),
    [
        ("Esocket1", "package-1"),
        ("Package id 0", "package-0"),
        ("socket_3", "package-3"),
        ("pkg", "package-0"),
        ("DRAM 1", "dram-1"),
        ("Chip 0 Vdd Remote Sense", None),
        ("chip 12 vcs", None),
        ("Ecore007", None),
        ("Memory controller", None),
    ],
)
def test_labels_are_matched_as_wholes(label: str, domain: str | None) -> None:
    assert find_domain(label) == domain


def test_hwmon_without_labels_takes_a_counter_that_is_alone(tmp_path: Path) -> None:
    chip(tmp_path / "hwmon0", "board", a="")
    (sensor,) = find_hwmon_sensors(tmp_path).usable
    assert sensor.domain == "board"
    chip(tmp_path / "more" / "hwmon0", "board", a="", b="")
    assert find_hwmon_sensors(tmp_path / "more").usable == ()


def test_hwmon_leaves_gpus_to_others(tmp_path: Path) -> None:
    chip(tmp_path / "hwmon0", "xe", a="card")
    (why,) = find_hwmon_sensors(tmp_path).unavailable
    assert why.status == "absent"


@dataclass
class PluggedIn:
    """A sensor of somebody else's."""

    device: str = "cpu"
    domain: str = "meter"
    source: str = "a meter at the wall"
    period_s: float = 1.0
    range_j: float | None = None
    recommended_window_s: float = 10.0

    def read_j(self) -> float:
        return 7.0

    def disturbance(self) -> str | None:
        return None


class Unreadable(PluggedIn):
    """One that raises what it likes."""

    def read_j(self) -> float:
        raise KeyError("mW")


PLUGINS: dict[str, Callable[[], object]] = {
    "good": lambda: Sensors((PluggedIn(),)),
    "raising": lambda: 1 / 0,
    "wrong": lambda: 3,
    "lacking": lambda: Sensors((SimpleNamespace(domain="x"),)),
    "leaving": lambda: sys.exit(3),
    "timeless": lambda: Sensors((PluggedIn(period_s=float("nan")),)),
    "boundless": lambda: Sensors((PluggedIn(range_j=-1.0),)),
    "unreadable": lambda: Sensors((Unreadable(), PluggedIn(source="another"))),
}


def test_plugins_that_fail_are_named_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("a_plugin")
    module.__dict__.update(PLUGINS)
    monkeypatch.setitem(sys.modules, "a_plugin", module)
    names = [*PLUGINS, "missing"]
    points = [EntryPoint(n, f"a_plugin:{n}", "inspect_cost.sensors") for n in names]
    found = find_plugin_sensors(points)
    assert [sensor.source for sensor in found.usable] == ["a meter at the wall", "another"]
    reasons = [why.reason for why in found.unavailable]
    assert reasons[0] == "it raised ZeroDivisionError: division by zero"
    assert reasons[1] == "it returned int, not Sensors"
    assert "SimpleNamespace" in reasons[2]
    assert "SystemExit" in reasons[3]
    assert "period" in reasons[4]
    assert "range" in reasons[5]
    assert "KeyError: 'mW'" in reasons[6]
    assert "AttributeError" in reasons[7]


@dataclass
class ChipEnergy:
    """The fields of zeus's AppleSiliconMeasurement that concern us, and two that others contain."""

    cpu_total_mj: int = 1000
    performance_cores_mj: int = 400
    dram_mj: int = 200
    gpu_mj: int = 3000
    ane_mj: int = 0


class Chip:
    """A system on a chip as zeus has it."""

    def get_available_metrics(self) -> set[str]:
        return {field.name for field in fields(ChipEnergy)}

    def get_total_energy_consumption(self) -> ChipEnergy:
        return ChipEnergy()


def test_zeus_reads_the_parts_of_a_chip_once() -> None:
    read = {(s.domain, s.device): s.read_j() for s in find_chip_sensors(Chip()).usable}
    assert read == {("cpu-0", "cpu"): 1.0, ("dram-0", "cpu"): 0.2, ("gpu-0", "mps"): 3.0}


def test_zeus_reads_amd_gpus_that_count() -> None:
    gpus = [
        SimpleNamespace(
            get_name=lambda: "MI300X",
            supports_get_total_energy_consumption=lambda counts=counts: counts,
            get_total_energy_consumption=lambda: 2500,
        )
        for counts in (False, True)
    ]
    found = find_amd_sensors(gpus)
    (sensor,) = found.usable
    assert (sensor.device, sensor.read_j(), len(found.unavailable)) == ("cuda:1", 2.5, 1)
    gpus[1].get_total_energy_consumption = Chip  # no number
    sensor = find_amd_sensors(gpus).usable[0]
    with pytest.raises(SensorError, match="MI300X"):
        sensor.read_j()


def test_without_zeus_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zeus", None)
    (why,) = zeus_sensors().unavailable
    assert "inspect-cost[zeus]" in why.fix


def fake(domain: str) -> Callable[..., Sensors]:
    """A source that finds one sensor."""
    return lambda *_: Sensors((PluggedIn(domain=domain),))


def nothing(*_: object) -> Sensors:
    return Sensors((), (Unavailable("nothing", "none"),))


@pytest.mark.parametrize(
    ("powercap", "perf", "hwmon", "taken"),
    [
        (fake("powercap"), fake("perf"), fake("hwmon"), ["powercap"]),
        (nothing, fake("perf"), fake("hwmon"), ["perf"]),
        (nothing, nothing, fake("hwmon"), ["hwmon"]),
        (nothing, nothing, nothing, []),
    ],
)
def test_one_door_to_the_cpus_counters(
    monkeypatch: pytest.MonkeyPatch,
    powercap: Callable[..., Sensors],
    perf: Callable[..., Sensors],
    hwmon: Callable[..., Sensors],
    taken: list[str],
) -> None:
    monkeypatch.setattr(discovery, "find_powercap_sensors", powercap)
    sources = (("powercap", powercap), ("perf", perf), ("hwmon", hwmon))
    monkeypatch.setattr(discovery, "CPU_SOURCES", sources)
    monkeypatch.setattr(discovery, "find_plugin_sensors", Sensors)
    found = find_sensors("cpu")
    assert [sensor.domain for sensor in found.usable] == taken
    assert len(found.usable) + len(found.unavailable) == len(sources)


@pytest.mark.parametrize(
    ("device", "domains"),
    [
        ("cpu", ["package-0"]),
        ("cuda", ["gpu-0", "package-0"]),
        ("cuda:0", ["gpu-0", "package-0"]),
        ("cuda:1", ["package-0"]),
        ("mps", ["apple", "package-0"]),
    ],
)
def test_a_device_has_its_own_sensors_and_the_hosts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str, domains: list[str]
) -> None:
    tree = PowercapTree(tmp_path, one_socket())
    plugged = Sensors((PluggedIn("mps", "apple"), PluggedIn("cuda:0", "gpu-0")))
    monkeypatch.setattr(discovery, "find_plugin_sensors", lambda: plugged)
    monkeypatch.setattr(discovery, "find_nvml_sensors", lambda _: Sensors())
    assert [sensor.domain for sensor in find_sensors(device, root=tree.root).usable] == domains
    monkeypatch.setenv(ROOT_VARIABLE, str(tree.root))
    assert [sensor.domain for sensor in find_sensors(device).usable] == domains


def test_several_devices_have_all_their_sensors(monkeypatch: pytest.MonkeyPatch) -> None:
    def find_gpu(device: str) -> Sensors:
        absent = Unavailable("nvml", "no GPU 7")
        return Sensors((PluggedIn(device, f"gpu-{device[-1]}"),), (absent,))

    monkeypatch.setattr(discovery, "find_cpu_sensors", fake("package-0"))
    monkeypatch.setattr(discovery, "find_plugin_sensors", Sensors)
    monkeypatch.setattr(discovery, "find_nvml_sensors", find_gpu)
    found = find_sensors("cuda:1", "cuda:0", "cpu")
    assert [sensor.domain for sensor in found.usable] == ["gpu-1", "gpu-0", "package-0"]
    assert len(found.unavailable) == 1
