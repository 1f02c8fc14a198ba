"""Dies that show one counter count once; dies with counters of their own are added."""

from dataclasses import replace
from pathlib import Path

import pytest

from inspect_cost.measuring.sensors.powercap import find_powercap_sensors
from tests.measuring.sensors.powercap_tree import (
    AMD_RANGE_UJ,
    INTEL_RANGE_UJ,
    FakeZone,
    PowercapTree,
)

BASE = FakeZone("intel-rapl:0", "package-0-die-0", 68.0, 1_234_567_890)


def dies(*differences: dict[str, object], package: int = 0, first: int = 0) -> list[FakeZone]:
    """Dies of one package, of which each differs from the first in something or nothing."""
    return [
        replace(
            BASE,
            key=f"intel-rapl:{first + number}",
            name=f"package-{package}-die-{number}",
            **difference,  # type: ignore[arg-type] # fields of a zone
        )
        for number, difference in enumerate(({}, *differences))
    ]


def names(tmp_path: Path, zones: list[FakeZone]) -> list[str]:
    """The domains that are read; each of the others is said to be shown by one of them."""
    with PowercapTree(tmp_path, zones) as tree:
        found = find_powercap_sensors(tree.root)
    read = [sensor.domain for sensor in found.usable]
    sources = " ".join(sensor.source for sensor in found.usable)
    left_out = [zone.name for zone in zones if zone.name not in read]
    assert all("shows the counter of" in why.reason for why in found.unavailable)
    assert len(found.unavailable) == len(left_out)
    assert all(f"also shown by {name}" in sources for name in left_out)
    return read


@pytest.mark.alone
@pytest.mark.parametrize("power_w", [3.0, 68.0, 400.0])
@pytest.mark.parametrize("number", [2, 4])
@pytest.mark.parametrize("range_uj", [AMD_RANGE_UJ, INTEL_RANGE_UJ])
def test_one_counter_counts_once(
    tmp_path: Path, power_w: float, number: int, range_uj: int
) -> None:
    zones = [replace(z, power_w=power_w, range_uj=range_uj) for z in dies(*[{}] * (number - 1))]
    assert names(tmp_path, zones) == ["package-0-die-0"]


def test_two_packages_of_two_mirrored_dies_each(tmp_path: Path) -> None:
    zones = dies({}) + dies({}, package=1, first=2)
    assert names(tmp_path, zones) == ["package-0-die-0", "package-1-die-0"]


@pytest.mark.parametrize(
    "difference",
    [
        *({"start_uj": BASE.start_uj + uj} for uj in (-300, 200, 4_000, 68_000, 10**6, 10**11)),
        {"power_w": 69.0},
        {"power_w": 20.0},
    ],
)
def test_counters_of_their_own_are_added(tmp_path: Path, difference: dict[str, object]) -> None:
    """At the same power, wherever they started; and at another, though they started alike."""
    assert names(tmp_path, dies(difference)) == ["package-0-die-0", "package-0-die-1"]


def test_counters_that_stand_still_are_not_taken_for_one(tmp_path: Path) -> None:
    zones = [replace(zone, power_w=0.0) for zone in dies({})]
    assert names(tmp_path, zones) == ["package-0-die-0", "package-0-die-1"]


def test_packages_are_never_compared(tmp_path: Path) -> None:
    zones = [replace(BASE, name="package-0"), replace(BASE, key="intel-rapl:1", name="package-1")]
    assert names(tmp_path, zones) == ["package-0", "package-1"]
