"""Sensors from other packages: entry points of the group ``inspect_cost.sensors``.

Each is a callable without arguments that returns `Sensors`. In a plug-in's pyproject.toml:

    [project.entry-points."inspect_cost.sensors"]
    mine = "my_package.sensors:find"
"""

from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points

from inspect_cost.measuring.sensors.protocol import EnergySensor, Sensors, Unavailable
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
    """Return the sensors that one plug-in finds."""
    try:
        found = plugin.load()()
    except Exception as error:  # noqa: BLE001 - a plug-in may raise anything
        return report_failure(plugin, f"it raised {one_line(error)}")
    if not isinstance(found, Sensors):
        return report_failure(plugin, f"it returned {type(found).__name__}, not Sensors")
    wrong = [sensor for sensor in found.usable if not isinstance(sensor, EnergySensor)]
    if wrong:
        return report_failure(
            plugin, f"{type(wrong[0]).__name__} does not have all that an EnergySensor has"
        )
    return found


def report_failure(plugin: EntryPoint, reason: str) -> Sensors:
    """Name a plug-in that does not work, with the reason."""
    source = f"plug-in {plugin.name} ({plugin.value})"
    return Sensors((), (Unavailable(source, reason, "Update or uninstall it.", "refused"),))
