"""Zones of one package that show one and the same counter, which then counts once.

On early EPYC and Threadripper the kernel lists several dies of a package, all of which show the
package's counter. Dies with counters of their own may draw the same power, so the counters are
compared and not their powers.
"""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass

from inspect_cost.measuring.sensors.protocol import EnergySensor, SensorError, Sensors, Unavailable

#: Counters further apart than this are two: no delay between two readings explains it.
FAR_APART_J = 20.0
#: Readings that decide, moves of the counter among them, and readings in total.
ENOUGH_DECIDE, ENOUGH_MOVES, MOST_READINGS = 10, 3, 60
#: Share of those that decide which have to agree; a writer may be caught between two counters.
AGREEING = 0.6
PAUSE_S = 0.001

DIE = re.compile(r"-die-\d+$")


@dataclass(frozen=True)
class Look:
    """Three readings in a row: of one counter, of the other, and of the first again.

    Attributes:
        before_j: of the first.
        other_j: of the other.
        after_j: of the first again; if it has not moved, the other has to be where it is.
    """

    before_j: float
    other_j: float
    after_j: float

    @property
    def decides(self) -> bool:
        """Whether the first counter stood still meanwhile."""
        return self.before_j == self.after_j

    @property
    def agrees(self) -> bool:
        """Whether the other one stood at the same place."""
        return self.decides and self.other_j == self.before_j

    @property
    def is_far_apart(self) -> bool:
        """Whether the two differ by more than any delay explains."""
        return self.decides and abs(self.other_j - self.before_j) > FAR_APART_J


def merge_mirrors(found: Sensors) -> Sensors:
    """Return the sensors without those that show the counter of another of the same package."""
    kept: list[EnergySensor] = []
    left_out: list[Unavailable] = []
    for sensor in found.usable:
        shown = next((other for other in kept if show_one_counter(other, sensor)), None)
        if shown is None:
            kept.append(sensor)
            continue
        reason = f"it shows the counter of {shown.domain}, which is read"
        named = f"{sensor.source} ({sensor.domain})"
        left_out.append(Unavailable(named, reason, "", "contained"))
        shown.source = f"{shown.source} (also shown by {sensor.domain})"
    return Sensors(tuple(kept), (*found.unavailable, *left_out))


def show_one_counter(one: EnergySensor, other: EnergySensor) -> bool:
    """Whether two sensors, of one package by their names, show the same counter."""
    if DIE.sub("", one.domain) != DIE.sub("", other.domain):
        return False
    try:
        looks = compare_counters(one, other)
    except SensorError:
        return False
    deciding = [look for look in looks if look.decides]
    agreeing = sum(look.agrees for look in deciding)
    return has_moved(deciding) and agreeing >= AGREEING * len(deciding)


def compare_counters(one: EnergySensor, other: EnergySensor) -> list[Look]:
    """Read two counters in turn until it is clear whether they are one."""
    looks: list[Look] = []
    while len(looks) < MOST_READINGS:
        looks.append(Look(one.read_j(), other.read_j(), one.read_j()))
        if looks[-1].is_far_apart:
            return []
        deciding = [look for look in looks if look.decides]
        if len(deciding) >= ENOUGH_DECIDE and has_moved(deciding):
            break
        time.sleep(PAUSE_S)
    return looks


def has_moved(looks: Sequence[Look]) -> bool:
    """Whether the counter was seen at enough different places for agreement to mean something."""
    return len({look.before_j for look in looks}) > ENOUGH_MOVES
