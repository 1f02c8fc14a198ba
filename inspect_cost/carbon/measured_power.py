"""Power for a training estimate from what this tool measured: a report's measurement."""

from dataclasses import replace
from pathlib import Path

from inspect_cost.reports.data import read_report, whole_report
from inspect_cost.values.errors import UsageError
from inspect_cost.values.quantity import Quantity


def read_power(path: Path) -> Quantity:
    """Return the mean power in a report of this tool, in W, with its interval and its sensor.

    Raises:
        UsageError: the file is not a report, or has no measured power.
    """
    report = read_report(path)
    with whole_report(path):
        written = (report["measurement"] or {}).get("power_w")
        if written is not None:
            power = Quantity.from_dict(written)
            return replace(power, source=f"{power.source}, in {path}")
    raise UsageError(
        f"{path} has no measured power",
        "Measure where there is an energy sensor, or give `power_w`.",
        field="report",
    )
