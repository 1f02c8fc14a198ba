"""JSON: the whole report, machine-readable, with its schema's name and its provenance."""

import json

from inspect_cost.reports.inspection import Report
from inspect_cost.reports.view import View


def json_text(report: Report, view: View) -> str:
    """The report as indented JSON; the whole tree whatever the view."""
    del view
    return json.dumps(report.to_dict(), indent=2, ensure_ascii=False)
