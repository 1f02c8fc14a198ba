"""The doctor: what it measures of sensors, and what it tells of those that are missing."""

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest

from inspect_cost.cli import main
from inspect_cost.measuring.doctor.doctor import Diagnosis, diagnose
from inspect_cost.measuring.doctor.examination import poll_sensor
from inspect_cost.measuring.doctor.known_load import multiply_matrices
from inspect_cost.measuring.sensors.powercap import ROOT_VARIABLE, find_powercap_sensors
from inspect_cost.measuring.sensors.protocol import Sensors
from inspect_cost.reports import render
from tests.measuring.sensors.powercap_tree import (
    FakeZone,
    PowercapTree,
    laptop,
    one_socket,
    two_sockets,
)

TIME_S = 1.0
Found = TypeVar("Found")


def steadily(tree: PowercapTree, examine: Callable[[float], Found]) -> Found:
    """What is found in so many seconds: more where a busy machine did not let the writer write."""
    for time_s in (TIME_S, 2 * TIME_S, 4 * TIME_S, 8 * TIME_S):
        began_ns = time.monotonic_ns()
        found = examine(time_s)
        if tree.longest_gap_s(began_ns) < time_s / 100:
            break
    return found


def diagnosed(tree: PowercapTree, busy_w: float | None = None) -> Diagnosis:
    """What the doctor finds of a tree whose first package takes so much when it is busy."""
    idle_w = tree.zones[0].power_w

    def load(device: str, seconds: float) -> None:
        assert device == "cpu"
        tree.set_power("package-0", idle_w if busy_w is None else busy_w)
        time.sleep(seconds)

    def examine(time_s: float) -> Diagnosis:
        tree.set_power("package-0", idle_w)
        return diagnose(time_s, sensors=find_powercap_sensors(tree.root), load=load)

    return steadily(tree, examine)


@pytest.mark.alone
def test_powers_are_the_writers(tmp_path: Path) -> None:
    with PowercapTree(tmp_path, one_socket(power_w=40)) as tree:
        found = diagnosed(tree, busy_w=90)
    (sensor,) = found.sensors
    assert sensor.fault == ""
    assert sensor.notes == ()
    assert sensor.idle_w == pytest.approx(40, rel=0.05)
    assert sensor.load_w == pytest.approx(90, rel=0.05)
    assert sensor.period_s is not None
    assert sensor.resolution_j is not None
    assert sensor.read_s is not None
    assert found.can_measure_energy


@pytest.mark.alone
def test_period_and_step_are_the_writers(tmp_path: Path) -> None:
    """The best of twenty polls: a busy machine keeps both the writer and the reader waiting."""
    with PowercapTree(tmp_path, one_socket(power_w=40)) as tree:
        (sensor,) = find_powercap_sensors(tree.root).usable
        polls = [poll_sensor(sensor, 0.5) for _ in range(20)]
    assert {found.fault for found in polls} == {""}
    assert 0.0005 < min(found.period_s or 0 for found in polls) < 0.005  # the writer's millisecond
    assert 0.2 * 0.04 < min(found.resolution_j or 0 for found in polls) < 5 * 0.04  # of 40 W


@pytest.mark.alone
def test_a_load_that_is_not_seen_is_noted(tmp_path: Path) -> None:
    with PowercapTree(tmp_path, one_socket(power_w=40)) as tree:
        (sensor,) = diagnosed(tree, busy_w=30).sensors
    assert sensor.fault == ""
    assert "the known load was not seen" in sensor.notes[0]


@pytest.mark.alone
def test_a_stalled_counter_is_no_energy(tmp_path: Path) -> None:
    with PowercapTree(tmp_path, two_sockets()) as tree:
        tree.stall("package-1")
        time.sleep(0.01)
        found = diagnosed(tree)
    faults = {sensor.domain: sensor.fault for sensor in found.sensors}
    assert "did not move" in faults.pop("package-1")
    assert set(faults.values()) == {""}


@pytest.mark.alone
@pytest.mark.parametrize("moment_s", [0.05, 0.4])
def test_a_counter_that_goes_backwards_is_named(tmp_path: Path, moment_s: float) -> None:
    zone = replace(one_socket()[0], start_uj=50_000_000_000)
    with PowercapTree(tmp_path, [zone]) as tree, later(moment_s, tree, -5000.0):
        sensors = find_powercap_sensors(tree.root)
        (sensor,) = diagnose(TIME_S, sensors=sensors, load=sleep).sensors
    assert "went backwards" in sensor.fault


@pytest.mark.alone
@pytest.mark.parametrize("moment_s", [0.02, 0.4])
def test_backwards_without_a_range_is_named_too(tmp_path: Path, moment_s: float) -> None:
    with PowercapTree(tmp_path, one_socket()) as tree, later(moment_s, tree, -50.0):
        (sensor,) = find_powercap_sensors(tree.root).usable
        sensor.range_j = None
        (examined,) = diagnose(TIME_S, sensors=Sensors((sensor,)), load=sleep).sensors
    assert "went backwards" in examined.fault


def sleep(device: str, seconds: float) -> None:
    """No load at all."""
    del device
    time.sleep(seconds)


@contextmanager
def later(moment_s: float, tree: PowercapTree, jump_j: float) -> Iterator[None]:
    """The counter jumps while the doctor is at it."""
    import threading  # noqa: PLC0415 - only here

    timer = threading.Timer(moment_s, tree.jump, ["package-0", jump_j])
    timer.start()
    yield
    timer.join()


@pytest.mark.alone
def test_a_zone_that_disappears_is_named_and_the_others_go_on(tmp_path: Path) -> None:
    with PowercapTree(tmp_path, two_sockets()) as tree:
        sensors = find_powercap_sensors(tree.root)
        tree.remove("package-1")
        found = steadily(tree, lambda time_s: diagnose(time_s, sensors=sensors, load=sleep))
    faults = {sensor.domain: sensor.fault for sensor in found.sensors}
    assert faults["package-0"] == faults["dram-0"] == ""
    assert "has disappeared" in faults["package-1"]


def test_a_load_that_torch_refuses_is_noted(tmp_path: Path) -> None:
    with PowercapTree(tmp_path, one_socket()) as tree:
        (sensor,) = find_powercap_sensors(tree.root).usable
        sensor.device = "nowhere"
        found = diagnose(TIME_S, sensors=Sensors((sensor,)), load=multiply_matrices)
    assert "does not run on nowhere" in found.sensors[0].notes[0]
    assert found.sensors[0].load_w is None


@pytest.mark.alone
def test_the_known_load_keeps_the_cpu_busy() -> None:
    multiply_matrices("cpu", 0.01)  # what torch needs once
    began, before = time.monotonic(), time.process_time()
    multiply_matrices("cpu", 0.1)
    assert time.monotonic() - began >= 0.1
    for _ in range(100):  # others may have the CPU, but not for ten seconds
        if time.process_time() - before > 0.05:
            return
        multiply_matrices("cpu", 0.1)
    pytest.fail("it waits more than it works")


@pytest.mark.alone
def test_the_screen_shows_all_and_no_more_than_its_width(tmp_path: Path) -> None:
    with PowercapTree(tmp_path, laptop()) as tree:
        found = diagnosed(tree)
    text = render(found)
    assert text.startswith("Energy can be measured here: package-0.")
    for part in ("intel-rapl:0", "(psys)", "(core)", "contains the packages", "governor", "torch"):
        assert part in " ".join(text.split())
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.usefixtures("no_sensors")
def test_without_sensors_nothing_is_waited_for_and_energy_can_be_required(
    capsys: pytest.CaptureFixture[str],
) -> None:
    began = time.monotonic()
    code = main(["doctor", "--time", "600", "--format", "json", "--require-energy"])
    captured = capsys.readouterr()
    report = json.loads(captured.out)
    assert time.monotonic() - began < 200  # idle alone, it would wait for 240 s
    assert code == 3
    assert report["sensors"] == []
    assert "--require-energy" in captured.err
    assert report["can_measure_energy"] is False
    powercap = report["unavailable"][0]
    assert (powercap["source"], powercap["found"], powercap["readable"]) == (
        "powercap",
        False,
        False,
    )
    assert powercap["fix"]
    assert main(["doctor"]) == 0
    assert "No energy can be measured here" in capsys.readouterr().out


@pytest.mark.alone
def test_the_command_with_a_sensor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    zones = [FakeZone("intel-rapl:0", "package-0", 40.0, 9)]
    with PowercapTree(tmp_path / "tree", zones) as tree:
        monkeypatch.setenv(ROOT_VARIABLE, str(tree.root))
        output = tmp_path / "doctor.json"
        words = ["doctor", "--require-energy", "--format", "json", "-o", str(output), "--time"]
        assert steadily(tree, lambda time_s: main([*words, f"{time_s:g}"])) == 0
    assert capsys.readouterr().out == ""
    report = json.loads(output.read_text())
    sensor = next(s for s in report["sensors"] if s["device"] == "cpu")
    assert sensor["source"] == f"powercap intel-rapl:0 under {tree.root}"
    assert sensor["idle_w"] == pytest.approx(40, rel=0.1)
    assert (sensor["found"], sensor["readable"], sensor["usable"]) == (True, True, True)
    assert report["versions"]["torch"]
    assert report["versions"]["kernel"].endswith(os.uname().release)


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "601", "soon"])
def test_times_that_make_no_sense(seconds: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", f"--time={seconds}"]) == 2
    assert "--time" in capsys.readouterr().err
