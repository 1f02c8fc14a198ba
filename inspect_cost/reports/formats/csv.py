"""Records as comma-separated values: a line for each, with empty cells for what is not known."""

import csv
from collections.abc import Mapping, Sequence
from io import StringIO
from typing import Any


def write_csv(records: Sequence[Mapping[str, Any]]) -> str:
    """Return a header and the records, which have the same keys."""
    sink = StringIO()
    writer = csv.DictWriter(sink, list(records[0]) if records else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return sink.getvalue().rstrip("\n")
