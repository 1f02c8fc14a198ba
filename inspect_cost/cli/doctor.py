"""``inspect-cost doctor``: whether energy can be measured here, and how to make it so."""

from typing import Annotated

from inspect_cost.cli.arguments import Flag
from inspect_cost.cli.output import OutputOptions
from inspect_cost.cli.terminal import (
    NO_SENSOR,
    OK,
    progress_bar,
    warn,
)
from inspect_cost.values.errors import UsageError

SHORTEST_S, LONGEST_S = 1.0, 600.0


def doctor(
    *,
    require_energy: Annotated[bool, Flag] = False,
    time: float = 6.0,
    output: OutputOptions = OutputOptions(),
) -> int:
    """Test every energy sensor of this machine, and say how to get the missing ones.

    Parameters
    ----------
    require_energy
        Exit with 3 if no energy can be measured.
    time
        Seconds for which to test the sensors, from 1 to 600; without a sensor it does not wait.
    """
    if not SHORTEST_S <= time <= LONGEST_S:
        raise UsageError(
            f"--time {time:g} is not between {SHORTEST_S:g} and {LONGEST_S:g} seconds",
            "6 seconds are enough for all sensors.",
        )
    output.check()

    from inspect_cost.measuring.doctor.doctor import diagnose

    with progress_bar("trying the sensors") as progress:
        diagnosis = diagnose(time, progress=progress)
    output.write(diagnosis)
    if require_energy and not diagnosis.can_measure_energy:
        warn("no energy can be measured here, under --require-energy.")
        return NO_SENSOR
    return OK
