"""Power for a training estimate from what this tool measured: a report's measurement."""

import json
from pathlib import Path

from inspect_cost.errors import UsageError
from inspect_cost.quantity import Quantity


def power_from_report(path: Path) -> Quantity:
    """The mean power in a report of this tool, in W, with its interval and its sensor.

    Raises:
        UsageError: the file is no report, or nothing measured its power.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        power = (content["measurement"] or {}).get("power_w")
        if power is not None:
            ends = power.get("ci95")
            source = f"{power['source']}, in {path}"
            return Quantity(
                float(power["value"]), "W", power["kind"], source, ends and (ends[0], ends[1])
            )
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}", "Give another file.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"{path} is no report of this tool",
            "Write one with inspect-cost MODEL --format json -o FILE.",
        ) from error
    raise UsageError(
        f"{path} has no measured power", "Measure where there is an energy sensor, or give --power."
    )
