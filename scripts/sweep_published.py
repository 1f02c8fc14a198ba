"""Count every model of published tables beside what these say, and explain each difference.

    python scripts/sweep_published.py [--table NAME ...] [--only PATTERN ...] [--jobs N]
        [--rows FILE] [--read]

The tables are timm's benchmark, the figures in torchvision's weights, and open_clip's list of
models. Models are built from their libraries, without fetching anything and, where that works,
without weights. The rows are written to a CSV file, and their summary, in Markdown, to standard
output. --read summarises the rows of a file instead; those of the last complete sweep are in
scripts/published/data/rows.csv, and their summary is in docs/tables.md. Exits with 1 if a
difference is unexplained, or an operator uncounted.

It needs an environment of its own with timm, torchvision and open_clip. torchvision's wheel on PyPI
is built for CUDA, so beside torch for CPUs install it without what it depends on:

    pip install --no-deps torchvision timm open_clip_torch
    pip install huggingface_hub safetensors pyyaml regex ftfy tqdm pillow

Its library then does not load. Models are built all the same (scripts/published/environment.py),
but for those of detection, which call its operators; for these, take the wheel for CPUs from
https://download.pytorch.org/whl/cpu.
"""

import argparse
import sys
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from fnmatch import fnmatch
from itertools import chain
from multiprocessing import get_context
from pathlib import Path

import torch
from published.comparison import Verdict, has_equal_params, judge
from published.counting import count_subject
from published.environment import declare_missing_operators
from published.row import Published, Row, read_rows, write_rows
from published.summary import write_summary
from published.tables import TABLES

ROWS = Path(__file__).parent / "published" / "data" / "rows.csv"


def count_row(published: Published) -> Row:
    """Count one row: as its library builds the model, or in the form that the table is of."""
    declare_missing_operators()
    torch.set_num_threads(1)
    torch.manual_seed(0)  # weights, if any are made, are the same in every sweep
    warnings.simplefilter("ignore")  # of the libraries
    subject = TABLES[published.table].make_subject(published)
    row = Row(published, count_subject(subject))
    others = (Row(published, count_subject(subject, form)) for form in subject.forms)
    return next(filter(is_the_published_form, chain([row], others)), row)


def is_the_published_form(row: Row) -> bool:
    """Return whether a model was counted that has the published parameters and MACs."""
    return has_equal_params(row) and judge(row) in {Verdict.EQUAL, Verdict.EXPLAINED}


def select(tables: Sequence[str], patterns: Sequence[str]) -> Iterator[Published]:
    """Yield the rows of some tables whose models match one of the patterns."""
    for name in tables:
        for row in TABLES[name].read():
            if any(fnmatch(row.model, pattern) for pattern in patterns):
                yield row


def sweep(published: Sequence[Published], jobs: int) -> Iterator[Row]:
    """Count rows in several processes, in their order."""
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        for n, row in enumerate(pool.map(count_row, published), 1):
            print(f"{n} of {len(published)}: {row.published.model}", file=sys.stderr)
            yield row


def parse_arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--table", nargs="+", choices=TABLES, default=list(TABLES))
    parser.add_argument("--only", nargs="+", default=["*"], metavar="PATTERN", help="models")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="processes")
    parser.add_argument("--rows", type=Path, metavar="FILE", help="the rows, as CSV")
    parser.add_argument("--read", action="store_true", help="summarise the rows of the file")
    return parser.parse_args()


def main() -> int:
    """Sweep or read, summarise, and return 0 if nothing is unexplained or uncounted."""
    options = parse_arguments()
    if options.read:
        rows = read_rows(options.rows or ROWS)
    else:
        declare_missing_operators()
        rows = list(sweep(list(select(options.table, options.only)), options.jobs))
        if options.rows:
            write_rows(rows, options.rows)
    print(write_summary(rows), end="")
    bad = [r for r in rows if judge(r) is Verdict.UNEXPLAINED or r.counted.uncounted]
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
