"""The powercap reader, on trees that a separate process drives with a known power."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from inspect_cost.measuring.sensors.powercap import (
    find_powercap_sensors,
)
from inspect_cost.measuring.sensors.protocol import EnergySensor, subtract_j
from tests.measuring.sensors.powercap_tree import (
    FakeZone,
    PowercapTree,
    laptop,
    one_socket,
    out_of_order,
    two_sockets,
    wrapping,
)

#: A window is made again if at one of its ends the counters were older than this, or took longer
#: to read, because the machine ran something else.
STARVED_S = 0.0025
SERVER = ["package-0", "dram-0", "package-1", "dram-1"]


def window(tree: PowercapTree, sensors: Sequence[EnergySensor], seconds: float) -> float:
    """Measured energy over the writer's, in a window at whose ends nobody was starved."""
    for _ in range(50):
        began, before, delay_s = reading(sensors)
        time.sleep(seconds)
        ended, after, other_delay_s = reading(sensors)
        if max(tree.age_s(began), tree.age_s(ended), delay_s, other_delay_s) < STARVED_S:
            break
    measured = sum(map(subtract_j, sensors, before, after))
    read = {sensor.source.split()[1] for sensor in sensors}
    zones = [zone.key for zone in tree.zones if zone.key in read]
    return measured / sum(tree.energy_j(zone, began, ended) for zone in zones)


def reading(sensors: Sequence[EnergySensor]) -> tuple[int, list[float], float]:
    """(moment in ns, counters, how long it took)."""
    began, counters = time.monotonic_ns(), [sensor.read_j() for sensor in sensors]
    return began, counters, (time.monotonic_ns() - began) / 1e9


TREES: list[tuple[str, Callable[[], list[FakeZone]], list[str]]] = [
    ("one socket", one_socket, ["package-0"]),
    ("psys and mmio", laptop, ["package-0"]),
    ("two sockets with memory", two_sockets, SERVER),
    ("any order", out_of_order, ["package-1", "dram-1", "package-0", "dram-0"]),
    ("any order of folders", lambda: two_sockets()[::-1], SERVER),
    ("a wrap", lambda: wrapping(two_sockets(), after_j=4), SERVER),
]
IDS = [name for name, _, _ in TREES]


@pytest.mark.parametrize("listing", ["linked", "nested", "copied"])
@pytest.mark.parametrize(("name", "zones", "domains"), TREES, ids=IDS)
def test_each_domain_is_found_once(
    tmp_path: Path,
    name: str,
    zones: Callable[[], list[FakeZone]],
    domains: list[str],
    listing: str,
) -> None:
    del name
    tree = PowercapTree(tmp_path, zones(), listing)
    found = find_powercap_sensors(tree.root)
    assert [sensor.domain for sensor in found.usable] == domains
    assert {why.status for why in found.unavailable} <= {"contained"}
    assert all(isinstance(sensor, EnergySensor) for sensor in found.usable)


@pytest.mark.parametrize(("name", "zones", "domains"), TREES, ids=IDS)
def test_ten_windows_have_the_true_energy(
    tmp_path: Path, name: str, zones: Callable[[], list[FakeZone]], domains: list[str]
) -> None:
    del name, domains
    with PowercapTree(tmp_path, zones()) as tree:
        sensors = find_powercap_sensors(tree.root).usable
        ratios = [window(tree, sensors, 0.1) for _ in range(10)]
    assert sum(ratios) / 10 == pytest.approx(1, rel=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.05, 0.1, 0.2, 0.5, 1, 2])
@pytest.mark.parametrize(("name", "zones", "domains"), TREES, ids=IDS)
def test_ten_windows_of_any_length_have_the_true_energy(
    tmp_path: Path,
    name: str,
    zones: Callable[[], list[FakeZone]],
    domains: list[str],
    seconds: float,
) -> None:
    del name, domains
    with PowercapTree(tmp_path, zones()) as tree:
        sensors = find_powercap_sensors(tree.root).usable
        ratios = [window(tree, sensors, seconds) for _ in range(10)]
    assert sum(ratios) / 10 == pytest.approx(1, rel=0.01)
