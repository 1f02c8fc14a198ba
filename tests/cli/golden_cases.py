"""Everything that a terminal shows: one case for each verb, and for what changes its layout.

The texts are in ``golden/``. After a change that is meant, look at the difference and refresh them:

    python scripts/refresh_golden.py
"""

import json
import os
import shlex
from collections.abc import Callable, Iterator, Mapping
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from functools import partial
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from inspect_cost.cli import main
from inspect_cost.reports import render
from tests.counting.onnx.graphs import graph
from tests.reports.examples import (
    CROSSCHECK,
    DIAGNOSIS,
    INSPECTION,
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
    "own_model": "golden_model.py:Net --input 5,4 --no-measure",
    "onnx_file": "small.onnx --input-len 16 --no-measure",
    "law": "law wavegan sing",
    "rank": "rank wavegan sing --cost params,macs_per_s --quality mos_ratio",
    "rank_csv": "rank wavegan sing --cost params,macs_per_s --quality mos_ratio --format csv",
    "rank_losses": "rank table.csv --cost size,time_s",
    "rank_json": "rank table.csv --cost size,time_s --format json",
    "carbon": "carbon --gpu '4 x P100' --hours 12+10+30",
    "explain": "explain golden_model.py:Net head --input 2,4",
    "explain_operator": "explain golden_model.py:Net aten.linear --input 2,4",
    "explain_nothing": "explain golden_model.py:Net heat --input 2,4",
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
        Path("golden_model.py").write_text(MODELS)  # no other test loads that name
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


#: Case -> the result that is shown.
RESULTS: Mapping[str, object] = {
    "inspection": INSPECTION,
    "measurement": MEASUREMENT,
    "measurement_without_sensor": WITHOUT_SENSOR,
    "diagnosis": DIAGNOSIS,
    "diagnosis_without_sensor": NO_SENSOR,
    "crosscheck": CROSSCHECK,
}
#: Variant -> the view of it.
VIEWS: Mapping[str, Mapping[str, Any]] = {
    "": {"depth": 3},
    "_colours": {"width": 80, "color": True},
    "_narrow": {"width": 64, "exact": True},
}

#: Case -> what makes its text.
CASES: Mapping[str, Callable[[], str]] = {
    **{name: partial(run_command, words) for name, words in COMMANDS.items()},
    **{name: partial(run_command, *case) for name, case in ON_A_TERMINAL.items()},
    **{
        name + variant: partial(render, result, **view)
        for name, result in RESULTS.items()
        for variant, view in VIEWS.items()
    },
}


def make_text(case: str) -> str:
    """Return the text of a case, without what depends on the machine or the time."""
    text = CASES[case]()
    if case.endswith("_json"):
        content = json.loads(text)
        del content["provenance"]
        text = json.dumps(content, indent=2, ensure_ascii=False)
    return text.rstrip("\n") + "\n"
