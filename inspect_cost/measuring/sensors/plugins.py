"""Sensors from other packages: entry points of the group ``inspect_cost.sensors``.

Each is a callable without arguments that returns `Sensors`. In a plug-in's pyproject.toml:

    [project.entry-points."inspect_cost.sensors"]
    mine = "my_package.sensors:find"
"""

from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points

from inspect_cost.measuring.sensors.protocol import EnergySensor, Sensors, Unavailable

GROUP = "inspect_cost.sensors"


def plugin_sensors(plugins: Iterable[EntryPoint] | None = None) -> Sensors:
    """What all installed plug-ins find; one that fails is named, and the others go on.

    Args:
        plugins: instead of the installed ones.
    """
    chosen = entry_points(group=GROUP) if plugins is None else plugins
    return sum(map(from_plugin, chosen), Sensors())


def from_plugin(plugin: EntryPoint) -> Sensors:
    """What one plug-in finds."""
    try:
        found = plugin.load()()
    except Exception as error:  # noqa: BLE001 - whatever a stranger's code raises
        return failed(plugin, f"it raised {type(error).__name__}: {error}")
    if not isinstance(found, Sensors):
        return failed(plugin, f"it returned {type(found).__name__}, not Sensors")
    wrong = [sensor for sensor in found.usable if not isinstance(sensor, EnergySensor)]
    if wrong:
        return failed(plugin, f"{type(wrong[0]).__name__} lacks what an EnergySensor has")
    return found


def failed(plugin: EntryPoint, reason: str) -> Sensors:
    """A plug-in that does not work."""
    source = f"plug-in {plugin.name} ({plugin.value})"
    return Sensors((), (Unavailable(source, reason, "Update or uninstall it.", "refused"),))
