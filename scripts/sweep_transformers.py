"""Count one forward of each architecture of `transformers`, and list operators without a cost.

    python scripts/sweep_transformers.py [--only NAME ...] [--format table|markdown|json]

Models are small and made from configs: nothing is downloaded, and no weights are made except for a
few rows, which say why. Exits with 1 if an operator is uncounted or a count fails.
"""

import argparse
import json
import sys
import time
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import torch
import transformers
from architectures import FAMILIES
from architectures.family import Family
from rich.console import Console
from rich.table import Table

from inspect_cost import CountError, count
from inspect_cost.counting.torch.building import build
from inspect_cost.values.notes import codes


@dataclass(frozen=True)
class Outcome:
    """Result of one row of the sweep.

    Attributes:
        family: name of the family.
        macs: multiply-accumulates of one call; None if it failed.
        operators: number of kinds of operators that ran.
        uncounted: operator without a known cost -> number of its calls.
        ran_on: "shapes" or "real values"; None if it failed.
        weights: why the model was built with weights, or "".
        error: why it failed, or "".
        seconds: time of building and counting.
    """

    family: str
    macs: int | None
    operators: int
    uncounted: dict[str, int]
    ran_on: str | None
    weights: str
    error: str
    seconds: float

    @property
    def clean(self) -> bool:
        """Whether everything was counted."""
        return not self.uncounted and not self.error


def sweep(family: Family) -> Outcome:
    """Build one architecture and count one call of it."""
    start = time.perf_counter()
    torch.manual_seed(0)  # weights, if any are made, are the same in every sweep
    try:
        model = family.build() if family.weights else build(family.build)
        report = count(getattr(model, family.method), **family.inputs())
    except (CountError, ImportError) as error:
        seconds = time.perf_counter() - start
        return Outcome(family.name, None, 0, {}, None, family.weights, str(error), seconds)
    real = "real-run" in codes(report.notes)
    return Outcome(
        family.name,
        report.macs,
        len(report.by_operator),
        dict(report.uncounted),
        "real values" if real else "shapes",
        family.weights,
        "",
        time.perf_counter() - start,
    )


def render_table(outcomes: Sequence[Outcome]) -> Table:
    """Return the outcomes as a table for a terminal."""
    table = Table("Family", title=summarise(outcomes), title_justify="left", box=None)
    for heading in ("MACs", "Operators", "Seconds"):
        table.add_column(heading, justify="right")
    for heading in ("Uncounted", "Ran on", "Remark"):
        table.add_column(heading)
    for o in outcomes:
        macs = "-" if o.macs is None else f"{o.macs:,}"
        table.add_row(
            o.family,
            macs,
            str(o.operators),
            f"{o.seconds:.2f}",
            describe_operators(o.uncounted),
            o.ran_on or "-",
            f"[red]{o.error}" if o.error else o.weights,
        )
    return table


def render_markdown(outcomes: Sequence[Outcome]) -> str:
    """Return the outcomes as a table for the documentation."""
    lines = ["| family | MACs | uncounted | ran on |", "|---|---|---|---|"]
    for o in outcomes:
        macs = "-" if o.macs is None else f"{o.macs:,}"
        remark = o.error or o.weights
        ran_on = f"{o.ran_on or 'failed'}{f': {remark}' if remark else ''}"
        lines.append(f"| {o.family} | {macs} | {describe_operators(o.uncounted)} | {ran_on} |")
    return "\n".join([*lines, "", summarise(outcomes)])


def render_json(outcomes: Sequence[Outcome]) -> str:
    """Return the outcomes as JSON."""
    return json.dumps([asdict(o) for o in outcomes], indent=2)


def describe_operators(uncounted: dict[str, int]) -> str:
    """Return operators with the number of their calls."""
    return ", ".join(f"{name} x {calls}" for name, calls in uncounted.items())


def summarise(outcomes: Sequence[Outcome]) -> str:
    """Return how many were counted, and how."""
    clean = sum(o.clean for o in outcomes)
    shapes = sum(o.ran_on == "shapes" for o in outcomes)
    failed = sum(bool(o.error) for o in outcomes)
    operators = len({name for o in outcomes for name in o.uncounted})
    return (
        f"{clean} of {len(outcomes)} counted completely, {shapes} from shapes alone; "
        f"{operators} uncounted operators, {failed} failures"
    )


def select_families(names: Sequence[str] | None) -> list[Family]:
    """Return the families of these names, in any case of letters; all by default."""
    known = {family.name.lower(): family for family in FAMILIES}
    unknown = [name for name in names or () if name.lower() not in known]
    if unknown:
        raise SystemExit(f"unknown: {', '.join(unknown)}; known: {', '.join(known)}")
    return [known[name.lower()] for name in names] if names else list(FAMILIES)


def main() -> int:
    """Sweep, print, and return 0 if everything was counted."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", nargs="+", metavar="NAME", help="families to sweep")
    parser.add_argument("--format", choices=("table", "markdown", "json"), default="table")
    options = parser.parse_args()
    transformers.logging.set_verbosity_error()
    warnings.simplefilter("ignore")  # deprecations within transformers
    outcomes = [sweep(family) for family in select_families(options.only)]
    if options.format == "table":
        Console().print(render_table(outcomes))
    else:
        print(render_markdown(outcomes) if options.format == "markdown" else render_json(outcomes))
    return 0 if all(o.clean for o in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
