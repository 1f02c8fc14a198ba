"""Published tables: the committed rows, the reasons for differences, and a sample counted anew."""

import importlib
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from inspect_cost import Call
from inspect_cost.counting.options import CountOptions
from inspect_cost.counting.torch.count import count_call

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from published import comparison, fvcore_conventions  # noqa: E402 - found by the line before
from published.comparison import Verdict, judge  # noqa: E402
from published.row import Counted, Published, Row, read_rows, write_rows  # noqa: E402
from published.summary import write_summary  # noqa: E402

ROWS = read_rows(ROOT / "scripts" / "published" / "data" / "rows.csv")
RESNET = Row(
    Published("timm", "resnet50", "224", "25.56", "4.11"),
    Counted(25_557_032, 4_089_184_256, {"norms": 22_227_968, "pooling": 100_352}),
)


def test_nothing_is_unexplained_and_nothing_is_uncounted() -> None:
    verdicts = comparison.count_verdicts(ROWS)
    assert sum(verdicts.values()) == len(ROWS) > 1_800
    assert not verdicts[Verdict.UNEXPLAINED]
    assert not [row for row in ROWS if row.counted.uncounted]


def test_the_page_has_the_summary_of_the_rows() -> None:
    page = (ROOT / "docs" / "tables.md").read_text()
    assert write_summary(ROWS) in page


def test_rows_are_read_as_they_were_written(tmp_path: Path) -> None:
    write_rows(ROWS[:200], tmp_path / "rows.csv")
    assert read_rows(tmp_path / "rows.csv") == ROWS[:200]


def change(macs: int = 0, **published: str) -> Row:
    counted = replace(RESNET.counted, macs=RESNET.counted.macs + macs)
    return Row(replace(RESNET.published, **published), counted)


@pytest.mark.parametrize(
    ("row", "verdict"),
    [
        (change(total="4.09"), Verdict.EQUAL),
        (change(total="4.1"), Verdict.NEAR),
        (change(), Verdict.EXPLAINED),
        (change(macs=10**7), Verdict.NEAR),
        (change(macs=10**8), Verdict.UNEXPLAINED),
        (change(macs=10**8, params="25.5"), Verdict.OTHER),
        (change(total="8.18", unit="GFLOP"), Verdict.EQUAL),
        (Row(RESNET.published, Counted(error="it failed")), Verdict.SKIPPED),
    ],
)
def test_a_row_agrees_to_the_last_digit_or_says_why(row: Row, verdict: Verdict) -> None:
    assert judge(row) is verdict


def test_causes_are_those_of_explained_rows_the_largest_first() -> None:
    assert comparison.list_causes(RESNET) == ("norms", "pooling")
    assert comparison.list_causes(change(total="4.09")) == ()


@pytest.mark.parametrize(
    ("params", "equal"),
    [("25.56", True), ("25.55", False), ("25557032", True), ("25557033", False)],
)
def test_parameters_are_compared_as_they_are_written(params: str, equal: bool) -> None:
    assert comparison.has_equal_params(change(params=params)) is equal


class Standardised(nn.Conv2d):
    """A convolution whose weights are normalised at each call."""

    def forward(self, x: Tensor) -> Tensor:
        flat = self.weight.reshape(1, self.out_channels, -1)
        w = nn.functional.batch_norm(flat, None, None, training=True)
        return nn.functional.conv2d(x, w.reshape(self.weight.shape), self.bias)


class Attending(nn.Module):
    """Attention spelt out, of 6 tokens."""

    def forward(self, x: Tensor) -> Tensor:
        return (x @ x.transpose(-2, -1)).softmax(-1) @ x


class Fused(nn.Module):
    """The same in one operator."""

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.scaled_dot_product_attention(x, x, x)


IMAGE, SEQUENCE = (2, 4, 8, 8), (2, 6, 4)
MODELS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    fvcore_conventions.NORMS: (lambda: nn.BatchNorm2d(4), IMAGE),
    "no affine map": (lambda: nn.BatchNorm2d(4, affine=False), IMAGE),
    "group norm": (lambda: nn.GroupNorm(2, 4), IMAGE),
    "layer norm": (lambda: nn.LayerNorm(4), SEQUENCE),
    "layer norm alone": (lambda: nn.LayerNorm(4, elementwise_affine=False), SEQUENCE),
    "instance norm": (lambda: nn.InstanceNorm2d(4, affine=True), IMAGE),
    fvcore_conventions.POOLING: (lambda: nn.AdaptiveAvgPool2d(3), IMAGE),
    fvcore_conventions.UPSAMPLING: (lambda: nn.Upsample(scale_factor=2), IMAGE),
    "bilinear": (lambda: nn.Upsample(scale_factor=2, mode="bilinear"), IMAGE),
    fvcore_conventions.STANDARDISATION: (lambda: Standardised(4, 6, 3), IMAGE),
    fvcore_conventions.WORDED: (lambda: nn.Conv2d(4, 6, 3, padding="same"), IMAGE),
    "convolution": (lambda: nn.Conv2d(4, 6, 3, padding=1, groups=2), IMAGE),
    "transposed": (lambda: nn.ConvTranspose2d(4, 6, 3, stride=2), IMAGE),
    "linear": (lambda: nn.Sequential(nn.Linear(4, 5), nn.GELU()), SEQUENCE),
    "attention": (Attending, SEQUENCE),
    fvcore_conventions.NO_RULE.format("aten.lstm"): (lambda: nn.LSTM(4, 5), SEQUENCE),
}


@pytest.mark.filterwarnings("ignore")  # of fvcore, which scripts functions
@pytest.mark.parametrize("name", MODELS)
def test_fvcore_gives_what_we_say_it_does(name: str) -> None:
    make, size = MODELS[name]
    model, x = make().eval(), torch.rand(size)
    analysis = importlib.import_module("fvcore.nn").FlopCountAnalysis(model, x)
    analysis.unsupported_ops_warnings(enabled=False).uncalled_modules_warnings(enabled=False)
    options = CountOptions.of(op_costs=fvcore_conventions.COSTS)
    report = count_call(Call.of(model, x), options, used=set())
    differences = fvcore_conventions.list_differences(report)
    assert report.macs + sum(differences.values()) == analysis.total()
    assert report.macs == count_call(Call.of(model, x)).macs
    if "counted" in name or "not seen" in name or "no rule" in name:
        assert name in differences
        assert all(differences.values())


def test_fused_attention_counts_as_products() -> None:
    options = CountOptions.of(op_costs=fvcore_conventions.COSTS)
    report = count_call(Call.of(Fused(), torch.rand(SEQUENCE)), options, used=set())
    assert report.macs == 2 * 2 * 6 * 6 * 4
    assert not fvcore_conventions.list_differences(report)


#: Table -> models of a quick sample. The committed rows have the same.
SAMPLE = {
    "timm": ["resnet18", "repvit_m1_0", "test_vit"],
    "torchvision": ["squeezenet1_1", "quantized_shufflenet_v2_x0_5"],
    "torchvision int8": ["quantized_shufflenet_v2_x0_5"],
}


@pytest.mark.parametrize("table", SAMPLE)
def test_a_sample_is_counted_as_in_the_committed_rows(table: str, tmp_path: Path) -> None:
    """In a process of its own, as libraries leave warnings and declared operators behind."""
    library = table.partition(" ")[0]
    if not is_importable(library):
        pytest.skip(f"{library} is not installed")
    file, models = tmp_path / "rows.csv", SAMPLE[table]
    done = sweep("--table", table, "--only", *models, "--rows", str(file))
    assert done.returncode == 0, done.stderr
    found, known = summarise(read_rows(file)), summarise(ROWS)
    assert len(found) >= len(models)
    assert all(known[key] == value for key, value in found.items())


def is_importable(library: str) -> bool:
    code = f"""
import sys
sys.path.insert(0, "scripts")
from published.environment import declare_missing_operators
declare_missing_operators()
import {library}
"""
    return not run("-c", code).returncode


def sweep(*words: str) -> subprocess.CompletedProcess[str]:
    return run("scripts/sweep_published.py", *words)


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, *words], cwd=ROOT, capture_output=True, text=True, check=False
    )


def summarise(rows: list[Row]) -> dict[tuple[str, str, str], Any]:
    return {
        (r.published.table, r.published.model, r.published.setting): (
            r.counted.params,
            r.counted.macs,
            dict(r.counted.differences),
        )
        for r in rows
    }
