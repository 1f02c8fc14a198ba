"""Linux powercap: the RAPL counters of CPU packages and of their memory, by Intel and AMD.

Terms: a *zone* is one counter, a folder; *package* is a whole socket; *core* and
*uncore* are parts of it, counted in it; *dram* is nested in a package's folder but not counted in
it; *psys* is the whole platform, packages included. The tree may list a zone several times, and
``intel-rapl-mmio`` repeats the packages through another register.

Source: Documentation/power/powercap/powercap.rst and drivers/powercap of Linux.
"""

import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from inspect_cost.measuring.sensors.files import read_count, read_counter_j
from inspect_cost.measuring.sensors.mirrors import merge_mirrors
from inspect_cost.measuring.sensors.protocol import SensorError, Sensors, Unavailable

DEFAULT_ROOT = Path("/sys/class/powercap")
ROOT_VARIABLE = "INSPECT_COST_POWERCAP_ROOT"

#: The control type ("intel-rapl") and its zones ("intel-rapl:0:1"); not "intel-rapl-mmio".
ZONE_FOLDER = re.compile(r"intel-rapl(:\d+)*")
#: The control type that shows the package once more.
MMIO = "intel-rapl-mmio"

PERIOD_S = 0.001
#: A thousand periods: what is missed at both ends is then below 0.2 %.
WINDOW_S = 1.0
#: A zone whose power limit is off ("enabled" is 0) usually still counts; it has this time to
#: prove it.
PROOF_S = 0.05

PERMISSION_FIX = (
    "As root: groupadd --force rapl; usermod -aG rapl YOU; write into "
    "/etc/udev/rules.d/70-rapl.rules the line "
    'SUBSYSTEM=="powercap", KERNEL=="intel-rapl:*", ACTION=="add", '
    'RUN+="/bin/chgrp rapl /sys%p/energy_uj", RUN+="/bin/chmod 0440 /sys%p/energy_uj"; '
    "udevadm trigger --action=add --subsystem-match=powercap; then log in again. "
    "One group, not everybody: counters that all can read let every local user spy on what the "
    "CPU computes (CVE-2020-8694)."
)
ABSENT_FIX = (
    "On a bare-metal Linux with an Intel or AMD CPU, load it with: modprobe intel_rapl_msr. "
    "Virtual machines have none. In a container, mount the host's /sys and name its class/powercap "
    f"folder in {ROOT_VARIABLE}."
)


@dataclass
class PowercapSensor:
    """The counter of one package, or of its memory; see `EnergySensor` for the attributes.

    Attributes:
        path: the zone's folder.
    """

    domain: str
    source: str
    path: Path
    range_j: float | None
    device: str = "cpu"
    period_s: float = PERIOD_S
    recommended_window_s: float = WINDOW_S

    def read_j(self) -> float:
        """Return the counter, in joules; it starts again at 0 after ``range_j``."""
        return read_counter_j(self.path / "energy_uj", self.source)

    def disturbance(self) -> str | None:
        """Return None: an energy counter does not see what disturbs a window."""
        return None


@dataclass(frozen=True)
class Zone:
    """A folder of the tree.

    Attributes:
        key: its name in the kernel, "intel-rapl:0:1", unique however often it is listed.
        path: where it was found.
        name: what it covers: "package-0", "dram", "core", "psys".
        parent: the name of the zone that it is nested in, or "".
    """

    key: str
    path: Path
    name: str
    parent: str


def find_powercap_sensors(root: Path | str | None = None) -> Sensors:
    """Find every package and every memory zone once; what is counted in another is left out.

    Args:
        root: the tree; the environment's ``INSPECT_COST_POWERCAP_ROOT``, or /sys/class/powercap,
            unless given.
    """
    folder = choose_root(root)
    try:
        zones = list(find_zones(folder)) if folder.is_dir() else []
    except PermissionError as error:
        reason = f"cannot read {error.filename}: permission denied"
        return Sensors((), (Unavailable("powercap", reason, "Let this user read it.", "refused"),))
    if not zones:
        return Sensors((), (Unavailable("powercap", explain_absence(folder), ABSENT_FIX),))
    place = "" if folder == DEFAULT_ROOT else f" under {folder}"
    has_package = any(zone.name.startswith("package") for zone in zones)
    found = (find_zone_sensor(zone, place, has_package=has_package) for zone in zones)
    return merge_mirrors(sum(found, Sensors()))


def choose_root(root: Path | str | None = None) -> Path:
    """Return the tree to read: as given, or from the environment, or the kernel's."""
    return Path(root or os.environ.get(ROOT_VARIABLE) or DEFAULT_ROOT)


def explain_absence(folder: Path) -> str:
    """Explain why no zone was found in a folder."""
    named = f" (from {ROOT_VARIABLE})" if os.environ.get(ROOT_VARIABLE) == str(folder) else ""
    if not folder.is_dir():
        return f"the folder {folder}{named} does not exist"
    if any(entry.is_symlink() and not entry.exists() for entry in folder.iterdir()):
        return f"the entries of {folder}{named} are links to nothing: mount all of /sys"
    if any(entry.name.startswith(MMIO) for entry in folder.iterdir()):
        return f"{folder}{named} has no intel-rapl zone, only {MMIO}, which is not read"
    return f"no RAPL zone was found in {folder}{named}"


def find_zones(folder: Path) -> Iterator[Zone]:
    """Yield the zones of a tree, each once, packages first, in the order of their numbers."""
    paths: dict[str, Path] = {}
    _collect_paths(folder, paths)
    names = {key: read_zone_name(path) for key, path in paths.items()}
    for key in sorted(paths, key=lambda key: [int(n) for n in key.split(":")[1:]]):
        if ":" in key:  # the control type itself is not a zone
            yield Zone(key, paths[key], names[key], names.get(key.rpartition(":")[0], ""))


def _collect_paths(folder: Path, paths: dict[str, Path]) -> None:
    """Add the zones below a folder, under the kernel's name, which links and copies share."""
    for entry in sorted(folder.iterdir()):
        key = entry.resolve().name
        if not (ZONE_FOLDER.fullmatch(entry.name) and ZONE_FOLDER.fullmatch(key)):
            continue
        if key not in paths and entry.is_dir():
            paths[key] = entry
            _collect_paths(entry, paths)


def read_zone_name(path: Path) -> str:
    """Return what a zone covers; "" if it does not say."""
    try:
        return (path / "name").read_text().strip()
    except FileNotFoundError:
        return ""


def find_zone_sensor(zone: Zone, place: str, *, has_package: bool) -> Sensors:
    """Open a zone's sensor, or explain why it is not used."""
    source = f"powercap {zone.key}{place}"
    domain = find_domain(zone)
    if domain is None:
        found: PowercapSensor | Unavailable = explain_omission(
            zone, source, has_package=has_package
        )
    else:
        found = open_sensor(zone, domain, source)
    return Sensors((), (found,)) if isinstance(found, Unavailable) else Sensors((found,))


def find_domain(zone: Zone) -> str | None:
    """Return the domain that no other zone counts: "package-0", "dram-0"; None for any other."""
    if zone.name == "dram":
        return f"dram-{zone.parent.removeprefix('package-')}".removesuffix("-")
    return zone.name if zone.name.startswith("package") else None


def explain_omission(zone: Zone, source: str, *, has_package: bool) -> Unavailable:
    """Explain why a zone is not added to the others."""
    if not zone.name:
        return Unavailable(source, f"{zone.path} has no name", "", "refused")
    named = f"{source} ({zone.name})"
    if zone.name != "psys":
        reason = f"it is counted in {zone.parent or 'its package'}"
    elif has_package:
        reason = "it covers the whole platform and contains the packages"
    else:
        reason = "it covers the whole platform, not the CPU alone, and no package is listed"
        return Unavailable(named, reason, ABSENT_FIX, "refused")
    return Unavailable(named, reason, "", "contained")


def open_sensor(zone: Zone, domain: str, source: str) -> PowercapSensor | Unavailable:
    """Open a zone's sensor and read it once, or explain why that fails."""
    sensor = PowercapSensor(domain, source, zone.path, None)
    named = f"{source} ({zone.name})"
    try:
        sensor.range_j = read_wrap_range_j(zone.path, source)
        sensor.read_j()
    except SensorError as error:
        fix = PERMISSION_FIX if isinstance(error.__cause__, PermissionError) else ""
        return Unavailable(named, str(error), fix, "refused")
    if not is_enabled(zone.path) and not is_moving(sensor):
        reason = f"the zone is disabled ({zone.path}/enabled is 0) and its counter stands still"
        return Unavailable(named, reason, f"As root: echo 1 > {zone.path}/enabled.", "refused")
    return sensor


def read_wrap_range_j(zone: Path, source: str) -> float | None:
    """Return where the counter starts again; None if the kernel does not say."""
    path = zone / "max_energy_range_uj"
    return (read_counter_j(path, source) or None) if path.exists() else None


def is_enabled(zone: Path) -> bool:
    """Whether the zone's power limit is on; assumed so if that cannot be read."""
    try:
        return read_count(zone / "enabled") != 0
    except (OSError, ValueError):
        return True


def is_moving(sensor: PowercapSensor) -> bool:
    """Whether the counter advances within `PROOF_S`."""
    before, end = sensor.read_j(), time.monotonic() + PROOF_S
    while time.monotonic() < end:
        if sensor.read_j() != before:
            return True
        time.sleep(PERIOD_S)
    return False
