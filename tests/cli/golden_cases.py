"""Everything that a terminal shows: one case for each verb, and for what changes its layout.

The texts are in ``golden/``. After a change that is meant, look at the difference and refresh them:

    python scripts/refresh_golden.py
"""

import os
import shlex
from collections.abc import Callable, Iterator, Mapping
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from functools import partial
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Group

from inspect_cost.cli import main
from inspect_cost.crosschecking.renderers import RENDERERS as CROSSCHECK_RENDERERS
from inspect_cost.measuring.measurement import Measurement
from inspect_cost.reports import RENDERERS, View
from inspect_cost.reports.doctor import doctor_table
from inspect_cost.reports.inspection import Audio, Report, Subject
from inspect_cost.reports.measured import measured_part
from inspect_cost.reports.text import rendered
from inspect_cost.values.cost import FlopWeights
from tests.counting.onnx.graphs import graph
from tests.reports.examples import (
    COUNT,
    CROSSCHECK,
    DIAGNOSIS,
    MEASUREMENT,
    NO_SENSOR,
    WITHOUT_SENSOR,
)

GOLDEN = Path(__file__).parent / "golden"

MODELS = """
import torch
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(3))
        self.head, self.idle = weight_norm(nn.Linear(4, 2)), nn.Linear(4, 4)

    def forward(self, x):
        for layer in self.layers:
            layer(x)
        return torch.linalg.svdvals(self.head(x))
"""
GRAPH = """g (float[1,L,8] x, float[8,4] w) => (float[a,b,c] y) {
  h = MatMul(x, w)
  y = own.F(h)
}"""
TRAINING = """
[model.small]
title = "Small"
mos = 3
[[model.small.training]]
gpu = "T4"
hours = 10

[model.large]
[[model.large.training]]
gpu = "4 x P100"
hours = "52..60"
intensity = 0.056

[model.secret]
mos = 3
"""

RANKED = """name,size,time_s,time_s_kind
first,1000000,3,estimated
second,2000,5.5,measured
third,3e6,7.25,measured
fourth,4e6,8,measured
a model with quite a long name,5e6,9,measured
sixth,,9,measured
"""

FLOWAVENET = "flowavenet --no-measure"
#: Case -> its words.
COMMANDS: Mapping[str, str] = {
    "flowavenet": FLOWAVENET,
    "wavegan_exact": "wavegan --input-len 16000 --no-measure --depth 3 --exact",
    "wavegan_weights": "wavegan --no-measure --flop-weights div=4,special=10 --set dim=32",
    "samplernn_law": "samplernn --no-measure --law",
    "own_model": "net.py:Net --input 5,4 --no-measure",
    "onnx_file": "small.onnx --input-len 16 --no-measure",
    "law": "law wavegan sing",
    "rank": "rank wavegan sing --cost params,macs_per_s --quality mos_ratio",
    "rank_csv": "rank wavegan sing --cost params,macs_per_s --quality mos_ratio --format csv",
    "rank_losses": "rank table.csv --cost size,time_s",
    "rank_json": "rank table.csv --cost size,time_s --format json",
    "carbon": "carbon --gpu '4 x P100' --hours 12+10+30",
    "carbon_everything": (
        "carbon --gpu T4 --hours 5..7 --gpu '2 x A100 SXM4 80GB' --hours 3 --intensity 0.1 "
        "--pue 1.58 --cpu-power 100 --ram-power 20..30"
    ),
    "carbon_models": "carbon --models models.toml",
    "paper": "paper",
    "zoo": "zoo",
    "conventions": "conventions",
}
#: Case -> its words; they are shown on a terminal of that many columns, in colours.
ON_A_TERMINAL: Mapping[str, tuple[str, int]] = {
    "flowavenet_narrow": (FLOWAVENET, 60),
    "own_model_wide": (COMMANDS["own_model"], 140),
    "rank_narrow": (COMMANDS["rank"], 80),
    "carbon_models_colours": (COMMANDS["carbon_models"], 100),
    "rank_losses_narrow": (COMMANDS["rank_losses"], 80),
    "carbon_colours": (COMMANDS["carbon"], 72),
    "law_colours": (COMMANDS["law"], 80),
    "paper_colours": ("paper", 90),
}


class Screen(StringIO):
    """A standard output that is a terminal."""

    def isatty(self) -> bool:
        return True


@contextmanager
def folder() -> Iterator[None]:
    """Work in a folder with a model, an ONNX file and publications."""
    with TemporaryDirectory() as made, chdir(made):
        Path("net.py").write_text(MODELS)
        Path("models.toml").write_text(TRAINING)
        Path("table.csv").write_text(RANKED)
        model = graph(GRAPH, domains='"own" : 1')
        Path("small.onnx").write_bytes(model.SerializeToString())
        yield


def run_command(words: str, columns: int = 0) -> str:
    """Return what a command prints, on a terminal if columns are given."""
    out, errors = Screen() if columns else StringIO(), StringIO()
    with folder(), environment(columns), redirect_stdout(out), redirect_stderr(errors):
        code = main(shlex.split(words))
    return out.getvalue() if code == 0 else f"exit code {code}\n{errors.getvalue()}"


@contextmanager
def environment(columns: int) -> Iterator[None]:
    """Have a terminal of that width, with colours."""
    before = dict(os.environ)
    os.environ["COLUMNS"] = str(columns or 100)
    os.environ.pop("NO_COLOR", None)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


INSPECTED = Report(
    subject=Subject("net", "Net [1]", "generate 16,384 samples", "A paper", {"dim": 32}),
    count=COUNT,
    audio=Audio(16_000, 16_000, 16_384),
    provenance={},
    measurements=(MEASUREMENT, WITHOUT_SENSOR),
    weights=FlopWeights(div=4),
)


def show_measurement(measurement: Measurement, view: View) -> str:
    report = Report(INSPECTED.subject, COUNT, None, {}, measurements=(measurement,))
    return rendered(Group(*measured_part(report)), view)


#: Case -> its text by a view.
RESULTS: Mapping[str, Callable[[View], str]] = {
    "inspection": lambda view: RENDERERS["table"](INSPECTED, view),
    "measurement": lambda view: show_measurement(MEASUREMENT, view),
    "measurement_without_sensor": lambda view: show_measurement(WITHOUT_SENSOR, view),
    "diagnosis": lambda view: doctor_table(DIAGNOSIS, view),
    "diagnosis_without_sensor": lambda view: doctor_table(NO_SENSOR, view),
    "crosscheck": lambda view: CROSSCHECK_RENDERERS["table"](CROSSCHECK, view),
}
VIEWS: Mapping[str, View] = {
    "": View(depth=3),
    "_colours": View(width=80, color=True),
    "_narrow": View(width=64, exact=True),
}

#: Case -> what makes its text.
CASES: Mapping[str, Callable[[], str]] = {
    **{name: partial(run_command, words) for name, words in COMMANDS.items()},
    **{name: partial(run_command, *case) for name, case in ON_A_TERMINAL.items()},
    **{
        name + variant: partial(show, view)
        for name, show in RESULTS.items()
        for variant, view in VIEWS.items()
    },
}


def make_text(case: str) -> str:
    """Return the text of a case; how many empty lines end it does not matter."""
    return CASES[case]().rstrip("\n") + "\n"
