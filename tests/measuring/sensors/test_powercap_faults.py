"""What can be wrong with a powercap tree: each is found, named, and never read as 0 J."""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from inspect_cost.measuring.sensors.powercap import ROOT_VARIABLE, find_powercap_sensors
from inspect_cost.measuring.sensors.protocol import SensorError, Unavailable, subtract_j
from tests.measuring.sensors.powercap_tree import (
    AMD_RANGE_UJ,
    FakeZone,
    PowercapTree,
    laptop,
    one_socket,
    two_sockets,
    wrapping,
)

NOBODY = 65534


@contextmanager
def only_what_modes_allow() -> Iterator[None]:
    """Without root's right to read everything, which others lack anyway."""
    if os.geteuid() != 0:
        yield
        return
    try:
        os.seteuid(NOBODY)
    except OSError as error:
        pytest.skip(f"root cannot become another user here: {error.strerror}")
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter, as /sys is."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_counters_for_root_only_are_named_with_the_fix(open_folder: Path) -> None:
    tree = PowercapTree(open_folder, two_sockets())
    secret = tree.path("package-1") / "energy_uj"
    secret.chmod(0)
    with only_what_modes_allow():
        found = find_powercap_sensors(tree.root)
    assert [sensor.domain for sensor in found.usable] == ["package-0", "dram-0", "dram-1"]
    (why,) = found.unavailable
    assert why.status == "refused"
    assert str(tree.root / "intel-rapl:1" / "energy_uj") in why.reason
    assert "Permission denied" in why.reason
    assert "/etc/udev/rules.d" in why.fix
    assert "every local user" in why.fix


def test_permission_that_is_lost_during_a_run(open_folder: Path) -> None:
    tree = PowercapTree(open_folder, one_socket())
    (sensor,) = find_powercap_sensors(tree.root).usable
    (tree.path("package-0") / "energy_uj").chmod(0)
    with only_what_modes_allow(), pytest.raises(SensorError, match=r"energy_uj: Permission denied"):
        sensor.read_j()


@pytest.mark.parametrize("listing", ["linked", "nested"])
def test_a_zone_that_disappears_is_named(tmp_path: Path, listing: str) -> None:
    with PowercapTree(tmp_path, two_sockets(), listing) as tree:
        sensors = find_powercap_sensors(tree.root).usable
        tree.remove("package-1")
        assert sensors[0].read_j() > 0
        with pytest.raises(SensorError, match=r"intel-rapl:1 under .* has disappeared"):
            sensors[2].read_j()


@pytest.mark.parametrize("content", ["", "many\n", "0x12\n"])
def test_a_counter_that_is_no_number(tmp_path: Path, content: str) -> None:
    tree = PowercapTree(tmp_path, one_socket())
    (sensor,) = find_powercap_sensors(tree.root).usable
    (tree.path("package-0") / "energy_uj").write_text(content)
    with pytest.raises(SensorError, match="energy_uj does not hold a whole number"):
        sensor.read_j()
    assert find_powercap_sensors(tree.root).usable == ()


def test_a_wrap_is_no_loss(tmp_path: Path) -> None:
    zone = replace(one_socket()[0], range_uj=AMD_RANGE_UJ)
    with PowercapTree(tmp_path, wrapping([zone], after_j=10)) as tree:
        (sensor,) = find_powercap_sensors(tree.root).usable
        began, before = time.monotonic_ns(), sensor.read_j()
        while (after := sensor.read_j()) > before or tree.energy_j(
            "package-0", began, time.monotonic_ns()
        ) < 10:
            time.sleep(0.01)
        truth = tree.energy_j("package-0", began, time.monotonic_ns())
    assert after < before
    assert subtract_j(sensor, before, after) == pytest.approx(truth, rel=0.05)


def test_a_disabled_zone_that_counts_is_used_and_one_that_does_not_is_refused(
    tmp_path: Path,
) -> None:
    zones = [replace(zone, enabled=False) for zone in two_sockets()]
    with PowercapTree(tmp_path, zones) as tree:
        tree.stall("intel-rapl:1:0")
        found = find_powercap_sensors(tree.root)
    assert [sensor.domain for sensor in found.usable] == ["package-0", "dram-0", "package-1"]
    (why,) = found.unavailable
    assert "is disabled" in why.reason
    assert "intel-rapl:1:0/enabled is 0" in why.reason


@pytest.mark.parametrize("content", [None, "yes\n"])
def test_a_zone_that_does_not_say_whether_it_is_enabled_is_used(
    tmp_path: Path, content: str | None
) -> None:
    tree = PowercapTree(tmp_path, one_socket())
    switch = tree.path("package-0") / "enabled"
    switch.unlink() if content is None else switch.write_text(content)
    assert [sensor.domain for sensor in find_powercap_sensors(tree.root).usable] == ["package-0"]


def test_what_is_part_of_another_says_of_which(tmp_path: Path) -> None:
    tree = PowercapTree(tmp_path, laptop())
    reasons = {
        why.source.split("(")[1]: why for why in find_powercap_sensors(tree.root).unavailable
    }
    assert set(reasons) == {"core)", "uncore)", "psys)"}
    assert "counted in package-0" in reasons["core)"].reason
    assert "contains the packages" in reasons["psys)"].reason


def test_the_mmio_interface_alone_is_no_zone(tmp_path: Path) -> None:
    tree = PowercapTree(tmp_path, [FakeZone("intel-rapl-mmio:0", "package-0", 10, 5)])
    (why,) = only_reasons(tree.root)
    assert "only intel-rapl-mmio" in why.reason


def test_the_platform_alone_says_that_no_package_is_there(tmp_path: Path) -> None:
    tree = PowercapTree(tmp_path, [FakeZone("intel-rapl:0", "psys", 30, 5)])
    (why,) = only_reasons(tree.root)
    assert why.status == "refused"
    assert "no package is listed" in why.reason
    assert "contains" not in why.reason


def test_the_environment_names_the_tree_and_the_source_tells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = PowercapTree(tmp_path, one_socket())
    monkeypatch.setenv(ROOT_VARIABLE, str(tree.root))
    (sensor,) = find_powercap_sensors().usable
    assert sensor.source == f"powercap intel-rapl:0 under {tree.root}"
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path / "nowhere"))
    (why,) = only_reasons(None)
    assert f"nowhere (from {ROOT_VARIABLE})" in why.reason


def test_links_that_lead_out_of_a_container(tmp_path: Path) -> None:
    (tmp_path / "intel-rapl:0").symlink_to("../../devices/virtual/powercap/intel-rapl:0")
    (why,) = only_reasons(tmp_path)
    assert "mount all of /sys" in why.reason


def only_reasons(root: Path | None) -> tuple[Unavailable, ...]:
    """Why nothing is usable."""
    found = find_powercap_sensors(root)
    assert found.usable == ()
    return found.unavailable
