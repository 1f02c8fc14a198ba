"""Linux hwmon: drivers of monitoring chips that count energy, in uJ.

``amd_energy`` does (per core and per socket), so does ``ibmpowernv`` on POWER. The labels of a
driver are the only statement of what a counter covers.

Source: Documentation/hwmon/sysfs-interface.rst of Linux.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from inspect_cost.measuring.sensors.files import read_counter_j
from inspect_cost.measuring.sensors.protocol import SensorError, Sensors, Unavailable

DEFAULT_ROOT = Path("/sys/class/hwmon")

#: Between a label's name and its number: "Package id 0", "Chip 0", "Esocket0".
BETWEEN = r"[\s_:#-]*(?:id|no\.?)?[\s_:#-]*"
#: Whole labels of counters that are not part of each other -> the domain's name. A longer label is
#: a part: "Chip 0 Vdd" is a supply of "Chip 0".
WHOLE = (
    (
        re.compile(rf"(?:E?socket|package|pkg|processor|chip){BETWEEN}(\d*)", re.IGNORECASE),
        "package",
    ),
    (re.compile(rf"(?:dram|memory){BETWEEN}(\d*)", re.IGNORECASE), "dram"),
)
#: Drivers whose counters belong to a GPU.
GPU_DRIVERS = {"xe", "i915", "amdgpu"}

#: Drivers poll their chip; amd_energy's counters advance every ms.
PERIOD_S = 0.01
WINDOW_S = 1.0


@dataclass
class HwmonSensor:
    """One counter of a monitoring chip; see `EnergySensor` for the attributes.

    Attributes:
        path: the counter's file.
    """

    domain: str
    source: str
    path: Path
    device: str = "cpu"
    period_s: float = PERIOD_S
    recommended_window_s: float = WINDOW_S
    range_j: float | None = None  # the drivers extend their counters to 64 bits

    def read_j(self) -> float:
        """Return joules since some moment in the past."""
        return read_counter_j(self.path, self.source)

    def disturbance(self) -> str | None:
        """Return None: an energy counter does not see what disturbs a window."""
        return None


def find_hwmon_sensors(root: Path | str | None = None) -> Sensors:
    """Find the energy counters of monitoring chips, without those that are part of another.

    Args:
        root: /sys/class/hwmon unless given.
    """
    folder = Path(root or DEFAULT_ROOT)
    chips = sorted(folder.iterdir()) if folder.is_dir() else []
    found = sum((find_chip_sensors(chip) for chip in chips), Sensors())
    if found == Sensors():
        return Sensors((), (Unavailable("hwmon", f"no chip in {folder} counts energy"),))
    return found


def find_chip_sensors(chip: Path) -> Sensors:
    """Find the counters of one chip that can be added to each other."""
    driver = read_text(chip / "name") or chip.name
    if driver in GPU_DRIVERS:
        return Sensors()
    labels = {
        path: read_text(path.with_name(path.name.replace("_input", "_label")))
        for path in sorted(chip.glob("energy*_input"))
    }
    domains = {path: find_domain(label) for path, label in labels.items()}
    if len(labels) == 1:  # with a single counter, nothing can be counted twice
        domains = {p: domains[p] or f"{driver} {label}".strip() for p, label in labels.items()}
    return sum(
        (open_sensor(p, driver, labels[p], domain) for p, domain in domains.items()), Sensors()
    )


def find_domain(label: str) -> str | None:
    """Return the domain of a counter that is not part of another; None if the label names none."""
    for pattern, domain in WHOLE:
        if match := pattern.fullmatch(label):
            return f"{domain}-{match[1] or 0}"
    return None


def open_sensor(path: Path, driver: str, label: str, domain: str | None) -> Sensors:
    """Open one counter, or explain why it cannot be used."""
    source = f"hwmon {driver} {path.name.removesuffix('_input')} ({label or 'no label'})"
    if domain is None:
        reason = "it may be a part of another counter of this chip"
        return Sensors((), (Unavailable(source, reason, "", "contained"),))
    sensor = HwmonSensor(domain, source, path)
    try:
        sensor.read_j()
    except SensorError as error:
        fix = f"As root: chgrp GROUP {path}; chmod 0440 {path}, for one group to read it."
        denied = isinstance(error.__cause__, PermissionError)
        return Sensors((), (Unavailable(source, str(error), fix if denied else "", "refused"),))
    return Sensors((sensor,))


def read_text(path: Path) -> str:
    """Return the text of a file; "" if it cannot be read."""
    try:
        return path.read_text().strip()
    except OSError:
        return ""
