"""A powercap tree whose counters a separate process drives, with a power that is known.

    with PowercapTree(tmp_path, one_socket(power_w=50)) as tree:
        sensors = find_powercap_sensors(tree.root).usable
        began, before = time.monotonic_ns(), sensors[0].read_j()
        ...
        tree.set_power("package-0", 80)  # from now on
        ...
        truth = tree.energy_j("package-0", began, time.monotonic_ns())

The writer is a process of its own, since a thread would wait for the interpreter's lock while the
code under test runs. It advances all counters about every millisecond, in place and at a fixed
width, and logs what it wrote and when: the truth is that log.
"""

import json
import mmap
import os
import struct
import subprocess
import sys
import time
from bisect import bisect
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any, Self

INTEL_RANGE_UJ = 262_143_328_850
AMD_RANGE_UJ = 65_532_610_987
PERIOD_S = 0.001
#: Of one zone in the file that controls the writer: power in W, added to the counter in uJ, moving.
CONTROL = struct.Struct("ddd")


@dataclass(frozen=True)
class FakeZone:
    """One counter: where it is, what it covers, what flows through it."""

    key: str
    name: str
    power_w: float
    start_uj: int
    range_uj: int = INTEL_RANGE_UJ
    enabled: bool = True


def one_socket(power_w: float = 50.0) -> list[FakeZone]:
    """A desktop: one package with its core and uncore."""
    return [
        FakeZone("intel-rapl:0", "package-0", power_w, 123_456_789),
        FakeZone("intel-rapl:0:0", "core", power_w * 0.7, 23_456_789),
        FakeZone("intel-rapl:0:1", "uncore", power_w * 0.1, 3_456_789),
    ]


def laptop(power_w: float = 15.0) -> list[FakeZone]:
    """One package, the whole platform, and the package once more through mmio."""
    return [
        *one_socket(power_w),
        FakeZone("intel-rapl:1", "psys", power_w * 1.6, 987_654_321),
        FakeZone("intel-rapl-mmio:0", "package-0", power_w, 55_555),
    ]


def two_sockets(power_w: float = 90.0, dram_w: float = 12.0) -> list[FakeZone]:
    """A server: each package with its memory; the second one's power is three quarters."""
    return [
        FakeZone("intel-rapl:0", "package-0", power_w, 200_000_000_001),
        FakeZone("intel-rapl:0:0", "dram", dram_w, 40_000_000_007),
        FakeZone("intel-rapl:1", "package-1", power_w * 0.75, 200_000_000_009),
        FakeZone("intel-rapl:1:0", "dram", dram_w * 0.75, 3),
    ]


def out_of_order() -> list[FakeZone]:
    """A server with psys first, its sockets swapped, and memory after the cores."""
    return [
        FakeZone("intel-rapl:0", "psys", 300.0, 7),
        FakeZone("intel-rapl:1", "package-1", 60.0, 1_000_003),
        FakeZone("intel-rapl:1:0", "core", 50.0, 1_000),
        FakeZone("intel-rapl:1:1", "dram", 8.0, 99_000_001),
        FakeZone("intel-rapl:2", "package-0", 80.0, 5_000_000_017),
        FakeZone("intel-rapl:2:0", "core", 70.0, 2_000),
        FakeZone("intel-rapl:2:1", "dram", 10.0, 31),
    ]


def wrapping(zones: Sequence[FakeZone], after_j: float) -> list[FakeZone]:
    """The same, each counter so much before the end of its range."""
    return [replace(zone, start_uj=zone.range_uj - round(after_j * 1e6)) for zone in zones]


class PowercapTree:
    """The tree and its writer; a context manager.

    Zones are named by their key ("intel-rapl:0"), or the first of its name by that ("package-0").

    Args:
        folder: where to make it.
        zones: its counters; folders are made in this order.
        listing: "linked" as in sysfs (nested folders, and a flat list of links to them), "nested"
            without the list, or "copied": each nested zone a second time, flat, as a folder.
    """

    def __init__(self, folder: Path, zones: Sequence[FakeZone], listing: str = "linked") -> None:
        self.zones = list(zones)
        self.root = folder / "class" / "powercap"
        self._devices = folder / "devices" if listing == "linked" else self.root
        self._log, self._control_file = folder / "log", folder / "control"
        self._counters: list[list[str]] = []
        self.root.mkdir(parents=True)
        for zone in self.zones:
            places = [self.path(zone.key)]
            if listing == "copied" and self.root / zone.key not in places:
                places.append(self.root / zone.key)
            for place in places:
                make_zone(place, zone)
            if listing == "linked":
                (self.root / zone.key).symlink_to(places[0])
            self._counters.append([str(place / "energy_uj") for place in places])
        self._control_file.write_bytes(
            b"".join(CONTROL.pack(zone.power_w, 0.0, 1.0) for zone in self.zones)
        )

    def __enter__(self) -> Self:
        with self._control_file.open("r+b") as file:
            self._control = mmap.mmap(file.fileno(), 0)
        task = {
            "zones": [asdict(zone) for zone in self.zones],
            "counters": self._counters,
            "control": str(self._control_file),
            "log": str(self._log),
            "parent": os.getpid(),
        }
        self._writer = subprocess.Popen(  # noqa: S603 - our own interpreter
            [sys.executable, "-S", __file__, json.dumps(task)]
        )
        while not (self._log.exists() and self._log.stat().st_size):
            assert self._writer.poll() is None, "the writer failed"
            time.sleep(0.005)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._writer.kill()
        self._writer.wait()
        self._control.close()

    def path(self, zone: str) -> Path:
        """The folder of a zone."""
        key = self.zones[self._index(zone)].key
        parts = key.split(":")
        kind = parts[0] if self._devices != self.root else ""
        return self._devices.joinpath(
            kind, *(":".join(parts[:n]) for n in range(2, len(parts) + 1))
        )

    def set_power(self, zone: str, power_w: float) -> None:
        """From now on."""
        self._set(zone, 0, power_w)

    def stall(self, zone: str) -> None:
        """Its counter stands still, whatever flows."""
        self._set(zone, 2, 0.0)

    def jump(self, zone: str, energy_j: float) -> None:
        """Its counter jumps: backwards if negative."""
        self._set(zone, 1, energy_j * 1e6)

    def remove(self, zone: str) -> None:
        """It disappears, with what is nested in it."""
        path = self.path(zone)
        path.rename(path.with_name(f".removed-{path.name}"))

    def energy_j(self, zone: str, began_ns: int, ended_ns: int) -> float:
        """What flowed between two readings of ``time.monotonic_ns()``, by the writer's log."""
        times, energies = self._logged(self._index(zone), ended_ns)
        return at(times, energies, ended_ns) - at(times, energies, began_ns)

    def age_s(self, moment_ns: int) -> float:
        """How old the counters were at a moment: more than a period where the writer is starved."""
        times, _ = self._logged(0, moment_ns)
        return (moment_ns - times[bisect(times, moment_ns) - 1]) / 1e9

    def longest_gap_s(self, since_ns: int) -> float:
        """The longest time since a moment in which nothing was written: the writer was starved."""
        times, _ = self._logged(0, time.monotonic_ns())
        first = bisect(times, since_ns) - 1
        return max(b - a for a, b in pairwise(times[first:])) / 1e9

    def _logged(self, index: int, until_ns: int) -> tuple[list[int], list[float]]:
        record = struct.Struct("q" + "d" * len(self.zones))
        while True:
            content = self._log.read_bytes()
            whole = len(content) - len(content) % record.size
            rows = list(record.iter_unpack(content[:whole]))
            if rows[-1][0] >= until_ns:
                return [row[0] for row in rows], [row[1 + index] for row in rows]
            assert self._writer.poll() is None, "the writer has ended"
            time.sleep(PERIOD_S)

    def _index(self, zone: str) -> int:
        """By key, or by name: the first that has it."""
        names = [z.key for z in self.zones]
        return names.index(zone) if zone in names else [z.name for z in self.zones].index(zone)

    def _set(self, zone: str, field: int, value: float) -> None:
        struct.pack_into("d", self._control, self._index(zone) * CONTROL.size + 8 * field, value)


def make_zone(folder: Path, zone: FakeZone) -> None:
    """The files of one zone, as the kernel has them."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "name").write_text(f"{zone.name}\n")
    (folder / "energy_uj").write_bytes(shown(zone.start_uj))
    (folder / "max_energy_range_uj").write_text(f"{zone.range_uj}\n")
    (folder / "enabled").write_text(f"{int(zone.enabled)}\n")


def shown(count_uj: float) -> bytes:
    """A counter at a fixed width, so that no reader sees half of it."""
    return b"%020d\n" % int(count_uj)


def at(times: list[int], energies: list[float], moment: int) -> float:
    """Energy at a moment, on the line between two entries of the log."""
    after = bisect(times, moment)
    if after in {0, len(times)}:
        return energies[min(after, len(times) - 1)]
    share = (moment - times[after - 1]) / (times[after] - times[after - 1])
    return energies[after - 1] + share * (energies[after] - energies[after - 1])


def hurry() -> None:
    """Run before others, where that is allowed: a busy machine otherwise delays the counters."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except OSError:
        with suppress(OSError):
            os.nice(-20)


def write(task: dict[str, Any]) -> None:
    """Drive the counters until killed, or until the test's process is gone."""
    hurry()
    zones = [FakeZone(**zone) for zone in task["zones"]]
    files = [[os.open(p, os.O_WRONLY) for p in paths] for paths in task["counters"]]
    with Path(task["control"]).open("rb") as file:
        control = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    energies_uj = [0.0] * len(zones)
    shown_uj = [float(zone.start_uj) for zone in zones]
    record = struct.Struct("q" + "d" * len(zones))
    with Path(task["log"]).open("wb", buffering=0) as log:
        last = time.monotonic_ns()
        while os.getppid() == task["parent"]:
            now = time.monotonic_ns()
            for i, zone in enumerate(zones):
                power_w, jump_uj, moving = CONTROL.unpack_from(control, i * CONTROL.size)
                energies_uj[i] += power_w * (now - last) / 1000
                if moving:
                    shown_uj[i] = (zone.start_uj + energies_uj[i] + jump_uj) % zone.range_uj
                for counter in files[i]:
                    os.pwrite(counter, shown(shown_uj[i]), 0)
            log.write(record.pack(now, *(energy / 1e6 for energy in energies_uj)))
            last = now
            time.sleep(max(0.0, PERIOD_S - (time.monotonic_ns() - now) / 1e9))


if __name__ == "__main__":
    write(json.loads(sys.argv[1]))
