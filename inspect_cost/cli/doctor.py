"""``inspect-cost doctor``: whether energy can be measured here, and if not, what to do."""

from typing import Annotated

from cyclopts import Parameter

from inspect_cost.cli.arguments import Flag
from inspect_cost.cli.output import OutputOptions
from inspect_cost.cli.terminal import (
    NO_SENSOR,
    OK,
    complain,
    progress_bar,
)
from inspect_cost.values.errors import UsageError

SHORTEST_S, LONGEST_S = 1.0, 600.0


def doctor(
    *,
    require_energy: Annotated[bool, Flag] = False,
    time: float = 6.0,
    writing: Annotated[OutputOptions | None, Parameter(name="*")] = None,
) -> int:
    """Try every energy sensor of this machine, and say how to get those that are missing.

    Parameters
    ----------
    require_energy
        Exit with 3 if no energy can be measured.
    time
        Seconds to try the sensors for, from 1 to 600; without a sensor nothing is waited for.
    """
    if not SHORTEST_S <= time <= LONGEST_S:
        raise UsageError(
            f"--time {time:g} is not between {SHORTEST_S:g} and {LONGEST_S:g} seconds",
            "6 seconds do for all sensors.",
        )
    wanted = writing or OutputOptions()
    wanted.check()

    from inspect_cost.measuring.doctor.doctor import diagnose

    with progress_bar("trying the sensors") as progress:
        found = diagnose(time, progress=progress)
    wanted.write(found)
    if require_energy and not found.can_measure_energy:
        complain("no energy can be measured here, under --require-energy.")
        return NO_SENSOR
    return OK
