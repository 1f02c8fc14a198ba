"""CPUs by name: from what a processor calls itself to the row of its maker's figures."""

import re
import tomllib
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from inspect_cost.hardware.device import Device

TABLE = Path(__file__).with_name("data") / "cpus.toml"


@cache
def read_cpus() -> tuple[Device, ...]:
    """Return the rows of ``data/cpus.toml``."""
    content = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    return tuple(
        Device(
            name=row["name"],
            kind="cpu",
            max_power_w=row["power_w"],
            threads=row["threads"],
            peak_flops=row.get("peak_flops"),
            bandwidth_b_per_s=row.get("bandwidth_b_per_s"),
            source=f"{row['figure']}, {maker}",
        )
        for maker, rows in content.items()
        for row in rows
    )


def find_cpu(model: str | None, rows: Sequence[Device] | None = None) -> Device | None:
    """Return the row whose name is, word by word, in a CPU's own name, or None.

    Args:
        model: what the CPU calls itself: "Intel(R) Core(TM) i7-8700K CPU @ 3.70GHz".
        rows: searched instead of the table's.
    """
    words = re.sub(r"\((R|TM)\)|®|™", "", model or "", flags=re.IGNORECASE)
    for row in read_cpus() if rows is None else rows:
        # An EPYC 7551P is not an EPYC 7551: the name must end where the row's does.
        if re.search(rf"(?<![\w-]){re.escape(row.name)}(?![\w+-])", words, re.IGNORECASE):
            return row
    return None
