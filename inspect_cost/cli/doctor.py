"""``inspect-cost doctor``: whether energy can be measured here, and if not, what to do."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from inspect_cost.cli.arguments import Flag
from inspect_cost.cli.terminal import (
    NO_SENSOR,
    OK,
    check_writable,
    complain,
    progress_bar,
    write,
)
from inspect_cost.cli.view import screen_view
from inspect_cost.values.errors import UsageError

SHORTEST_S, LONGEST_S = 1.0, 600.0


def doctor(
    *,
    format: Literal["table", "json"] = "table",  # noqa: A002 - the option's name
    require_energy: Annotated[bool, Flag] = False,
    time: float = 6.0,
    output: Annotated[Path | None, Parameter(name=["--output", "-o"])] = None,
) -> int:
    """Try every energy sensor of this machine, and say how to get those that are missing.

    Parameters
    ----------
    format
        What to write: a table to read, or JSON with everything in it.
    require_energy
        Exit with 3 if no energy can be measured.
    time
        Seconds to try the sensors for, from 1 to 600; without a sensor nothing is waited for.
    output
        File to write to, instead of standard output.
    """
    if not SHORTEST_S <= time <= LONGEST_S:
        raise UsageError(
            f"--time {time:g} is not between {SHORTEST_S:g} and {LONGEST_S:g} seconds",
            "6 seconds do for all sensors.",
        )
    check_writable(output)

    from inspect_cost.measuring.doctor.doctor import diagnose
    from inspect_cost.reports.doctor import DOCTOR_RENDERERS

    with progress_bar("trying the sensors") as progress:
        found = diagnose(time, progress=progress)
    write(DOCTOR_RENDERERS[format](found, screen_view(output)), output)
    if require_energy and not found.can_measure_energy:
        complain("no energy can be measured here, under --require-energy.")
        return NO_SENSOR
    return OK
