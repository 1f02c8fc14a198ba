"""Sensors from other packages: entry points of the group ``inspect_cost.sensors``.

Each is a callable without arguments that returns `Sensors`. In a plug-in's pyproject.toml:

    [project.entry-points."inspect_cost.sensors"]
    mine = "my_package.sensors:find"
"""

from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points
from math import inf

from inspect_cost.measuring.sensors.protocol import (
    EnergySensor,
    SensorError,
    Sensors,
    Unavailable,
    read_raw_j,
)
from inspect_cost.values.errors import one_line

GROUP = "inspect_cost.sensors"


def find_plugin_sensors(plugins: Iterable[EntryPoint] | None = None) -> Sensors:
    """Collect the sensors of all installed plug-ins; one that fails is named, and the others go on.

    Args:
        plugins: used instead of the installed ones.
    """
    installed = entry_points(group=GROUP) if plugins is None else plugins
    return sum(map(load_plugin, installed), Sensors())


def load_plugin(plugin: EntryPoint) -> Sensors:
    """Return the sensors that one plug-in finds; those that do not work are named one by one."""
    try:
        found = plugin.load()()
        if not isinstance(found, Sensors):
            return report_failure(plugin, f"it returned {type(found).__name__}, not Sensors")
        checked = [check_sensor(plugin, sensor) for sensor in found.usable]
        return sum(checked, Sensors((), tuple(found.unavailable)))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a plug-in may raise anything
        return report_failure(plugin, f"it raised {one_line(error)}")


def check_sensor(plugin: EntryPoint, sensor: EnergySensor) -> Sensors:
    """Return a plug-in's sensor if it has all that a sensor has and can be read."""
    kind = type(sensor).__name__
    if not isinstance(sensor, EnergySensor):
        return report_failure(plugin, f"{kind} does not have all that an EnergySensor has")
    durations = (sensor.period_s, sensor.recommended_window_s)
    ranges = () if sensor.range_j is None else (sensor.range_j,)
    if not all(0 < float(number) < inf for number in (*durations, *ranges)):
        return report_failure(
            plugin, f"{kind} has a period, a window or a range that is not above 0"
        )
    try:
        read_raw_j(sensor)
    except SensorError as error:
        return report_failure(plugin, str(error))
    return Sensors((sensor,))


def report_failure(plugin: EntryPoint, reason: str) -> Sensors:
    """Name a plug-in that does not work, with the reason."""
    source = f"plug-in {plugin.name} ({plugin.value})"
    return Sensors((), (Unavailable(source, reason, "Update or uninstall it.", "refused"),))
