"""Linux perf's power events: the RAPL counters again, for systems without powercap.

The kernel's PMU ``power`` has the events energy-pkg (a whole package) and energy-ram (its memory),
counted once per package on the CPUs that ``cpumask`` names.

Source: perf_event_open(2); arch/x86/events/rapl.c of Linux.
"""

import ctypes
import os
import platform
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from inspect_cost.measuring.sensors.protocol import SensorError, Sensors, Unavailable

DEFAULT_ROOT = Path("/sys/bus/event_source/devices/power")
#: Event -> the domain that it covers. The others (cores, gpu, psys) are parts of these or contain
#: them.
EVENTS = {"energy-pkg": "package", "energy-ram": "dram"}

PERIOD_S = 0.001
WINDOW_S = 1.0

SYSCALLS = {"x86_64": 298, "aarch64": 241}
ATTRIBUTE_SIZE = 128
CLOSE_ON_EXEC = 8
COUNT = struct.Struct("Q")

PERMISSION_FIX = (
    "As root: sysctl kernel.perf_event_paranoid=0, or give this Python the capability to read "
    "counters: setcap cap_perfmon=ep PYTHON. Both open the CPU's other counters too."
)

#: (type, config, CPU) -> a function that reads the counter; raises OSError if it cannot be opened.
Opener = Callable[[int, int, int], Callable[[], int]]


@dataclass
class PerfSensor:
    """One counter on one package; see `EnergySensor` for the attributes.

    Attributes:
        count: reads the counter, in units of ``scale_j``.
        scale_j: joules per unit.
    """

    domain: str
    source: str
    count: Callable[[], int]
    scale_j: float
    device: str = "cpu"
    period_s: float = PERIOD_S
    recommended_window_s: float = WINDOW_S
    range_j: float | None = None  # the kernel extends the counter to 64 bits

    def read_j(self) -> float:
        """Return joules since the counter was opened."""
        try:
            return self.count() * self.scale_j
        except (OSError, struct.error) as error:
            raise SensorError(f"{self.source} can no longer be read: {error}") from error

    def disturbance(self) -> str | None:
        """Return None: an energy counter does not see what disturbs a window."""
        return None


def open_counter(kind: int, config: int, cpu: int) -> Callable[[], int]:
    """Open a counter of all processes on one CPU, and return the function that reads it.

    Raises:
        OSError: opening it is not permitted, or this machine has no such system call.
    """
    number = SYSCALLS.get(platform.machine())
    if number is None:
        raise OSError(f"perf_event_open is not known for {platform.machine()}")
    attribute = struct.pack("IIQ", kind, ATTRIBUTE_SIZE, config).ljust(ATTRIBUTE_SIZE, b"\0")
    libc = ctypes.CDLL(None, use_errno=True)
    everybody, no_group = -1, -1
    descriptor = libc.syscall(number, attribute, everybody, cpu, no_group, CLOSE_ON_EXEC)
    if descriptor < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return lambda: int(COUNT.unpack(os.read(descriptor, COUNT.size))[0])


def find_perf_sensors(root: Path | str | None = None, *, opener: Opener = open_counter) -> Sensors:
    """Find every package and memory that perf counts.

    Args:
        root: the PMU's folder; /sys/bus/event_source/devices/power unless given.
        opener: opens a counter.
    """
    folder = Path(root or DEFAULT_ROOT)
    if not (folder / "events").is_dir():
        return Sensors((), (Unavailable("perf", f"no power PMU was found at {folder}"),))
    try:
        kind = int((folder / "type").read_text())
        cpus = parse_cpu_list((folder / "cpumask").read_text())
        events = [name for name in EVENTS if (folder / "events" / name).is_file()]
        return Sensors(
            tuple(
                open_sensor(folder, kind, event, package, cpu, opener)
                for event in events
                for package, cpu in enumerate(cpus)
            )
        )
    except PermissionError:
        reason = f"the counters of {folder} may not be opened: permission denied"
        return Sensors((), (Unavailable("perf", reason, PERMISSION_FIX, "refused"),))
    except (OSError, ValueError, SensorError) as error:
        return Sensors((), (Unavailable("perf", f"{folder}: {error}", "", "refused"),))


def open_sensor(
    folder: Path, kind: int, event: str, package: int, cpu: int, opener: Opener
) -> PerfSensor:
    """Open one event on one package.

    Raises:
        SensorError: it is not in joules, or cannot be read.
    """
    events = folder / "events"
    config = parse_event((events / event).read_text())
    unit = (events / f"{event}.unit").read_text().strip()
    if unit != "Joules":
        raise SensorError(f"{event} is in {unit!r}, not in Joules")
    scale_j = float((events / f"{event}.scale").read_text())
    source = f"perf power/{event}/ on CPU {cpu}"
    sensor = PerfSensor(f"{EVENTS[event]}-{package}", source, opener(kind, config, cpu), scale_j)
    sensor.read_j()
    return sensor


def parse_event(description: str) -> int:
    """Return the number in an event's description such as "event=0x02".

    Raises:
        ValueError: there is none.
    """
    match = re.search(r"event=(0x[0-9a-fA-F]+|\d+)", description)
    if match is None:
        raise ValueError(f"{description.strip()!r} names no event")
    return int(match[1], 0)


def parse_cpu_list(text: str) -> list[int]:
    """Return the CPUs of a list such as "0,24-25".

    >>> parse_cpu_list("0,24-25")
    [0, 24, 25]
    """
    cpus: list[int] = []
    for part in text.strip().split(","):
        first, _, last = part.partition("-")
        cpus += range(int(first), int(last or first) + 1)
    return cpus
