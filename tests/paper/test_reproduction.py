"""The paper's figures as its preprint prints them, and what recomputing by hand gives."""

from pathlib import Path
from typing import Any

import pytest

from inspect_cost import load_publications
from inspect_cost.engine.standings import CountedPresets
from inspect_cost.figures.saving import render_figure
from inspect_cost.measuring.measurement import Measurement
from inspect_cost.paper.figure import draw_figure_3, make_panels
from inspect_cost.paper.reproduction import reproduce
from inspect_cost.paper.results import Reproduction
from inspect_cost.reports import render
from inspect_cost.reports.measured_facts import read_measured_energies
from inspect_cost.values.errors import UsageError
from inspect_cost.values.identity import AUDIO, Output
from inspect_cost.values.quantity import Quantity
from tests.reports.small import make_inspection, write_inspection

#: Model -> kWh, CO2e printed, CO2e by 0.437 x kWh.
TABLE_1 = {
    "SampleRNN": (42.0, 18.4, 18.354),
    "SING": (52.0, 22.7, 22.724),
    "WaveGAN": (24.0, 10.5, 10.488),
    "GANSynth": (32.4, 15.45, 14.159),
    "FloWaveNet": (81.6, 35.7, 35.659),
}
#: Model -> 1 - %MOS printed and recomputed, parameters printed and exact, GMAC per second.
TABLE_2 = {
    "SampleRNN": (None, None, 52_000_000, 51_848_704, 122),
    "SING": (0.26, 0.2746, 64_000_000, 63_747_921, 4.13),
    "WaveGAN": (0.41, 0.4103, 89_000_000, 19_065_345, 0.83),
    "GANSynth": (None, None, 15_000_000, 7_311_246, 3.6),
    "FloWaveNet": (0.15, 0.1542, 186_000_000, 182_644_788, 194),
}


def test_table_1(data: dict[str, Any]) -> None:
    rows = {row["model"]: row for row in data["table1"]}
    assert list(rows) == list(TABLE_1)
    for model, (kwh, printed, recomputed) in TABLE_1.items():
        assert rows[model]["kwh"] == pytest.approx(kwh)
        assert rows[model]["co2e_kg"]["printed"] == printed
        assert rows[model]["co2e_kg"]["recomputed"] == pytest.approx(recomputed, abs=5e-4)
    assert rows["FloWaveNet"]["hours"] == {"printed": 272, "recomputed": 271.2}


def test_table_2(data: dict[str, Any]) -> None:
    rows = {row["model"]: row for row in data["table2"]}
    assert list(rows) == list(TABLE_2)
    for model, (printed, loss, params, exact, gmacs) in TABLE_2.items():
        assert rows[model]["mos_loss"]["printed"] == printed
        found = rows[model]["mos_loss"]["recomputed"]
        assert found == (None if loss is None else pytest.approx(loss, abs=5e-5))
        assert rows[model]["params"] == {"printed": params, "exact": exact}
        assert rows[model]["macs_per_s"] / 1e9 == pytest.approx(gmacs, rel=0.01)
    assert rows["GANSynth"]["unranked"] == "pairwise preference, no MOS"


def test_exactly_what_does_not_follow_is_marked(data: dict[str, Any]) -> None:
    found = {(d["model"], d["quantity"]): (d["printed"], d["found"]) for d in data["discrepancies"]}
    assert found == {
        ("GANSynth", "co2e_kg"): (15.45, pytest.approx(14.1588)),
        ("FloWaveNet", "hours"): (272, pytest.approx(271.2)),
        ("SING", "mos_loss"): (0.26, pytest.approx(1 - 2.8 / 3.86)),
        ("WaveGAN", "params"): (89_000_000, 19_065_345),
        ("GANSynth", "params"): (15_000_000, 7_311_246),
        ("FloWaveNet", "params"): (186_000_000, 182_644_788),
    }
    remarks = {(d["model"], d["quantity"]): d["remark"] for d in data["discrepancies"]}
    assert "14,622,492" in remarks["GANSynth", "params"]
    assert 2 * 7_311_246 == 14_622_492


def test_figure_3(data: dict[str, Any]) -> None:
    fronts = data["fronts"]
    everyone = ["FloWaveNet", "SING", "WaveGAN"]
    assert fronts["training"] == everyone
    assert fronts["inference"] == {
        "params_printed": ["FloWaveNet", "SING"],
        "params_exact": everyone,
        "macs_per_s": everyone,
    }
    assert fronts["dominated_by"]["params_printed"] == {"WaveGAN": ["SING"]}
    assert "no report" in fronts["unavailable"]["energy_j_per_s"]
    (longer,) = fronts["variants"]
    assert (longer["preset"], longer["dominated_by"]) == ("wavegan-65536", ["SING"])
    assert set(fronts["unranked"]) == {"SampleRNN", "GANSynth"}


def test_what_ifs_are_marked_unverified(data: dict[str, Any]) -> None:
    copied, own = data["what_ifs"]
    assert (copied["mos"], own["mos"]) == (2.85, 3.55)
    assert not copied["verified"]
    assert not own["verified"]
    assert copied["mos_loss"] == pytest.approx(0.2617, abs=5e-5)
    assert own["mos_loss"] == pytest.approx(0.080, abs=5e-4)
    assert own["fronts"] == {"training": ["SING", "WaveGAN"], "params_printed": ["SING"]}


def write_report(path: Path, name: str, joules: float | None) -> Path:
    energy = None if joules is None else Quantity(joules, "J", "measured", "RAPL")
    output = Output(16_000, AUDIO, 16_000)
    return write_inspection(
        path, make_inspection(name, Measurement(energy_j=energy), output=output)
    )


def test_measured_energy_makes_a_front_of_its_own(presets: CountedPresets, tmp_path: Path) -> None:
    joules = {"flowavenet": 90.0, "sing": 2.0, "wavegan": 3.0, "gansynth": None}
    paths = [write_report(tmp_path / f"{name}.json", name, j) for name, j in joules.items()]
    found = reproduce(presets, read_measured_energies(paths))
    assert found.inference["energy_j_per_s"].names == ["FloWaveNet", "SING"]
    assert not found.unavailable


def test_the_table_shows_each_mark(paper: Reproduction) -> None:
    text = render(paper)
    for marked in ("15.45 *", "272 *", "0.26 *", "89M *", "15M *", "186M *"):
        assert marked in text
    assert text.count(" *\n") + text.count(" * ") >= 6
    assert "unverified" in text
    assert "…" not in text


def test_the_figure_has_training_and_inference_side_by_side(paper: Reproduction) -> None:
    svg = render_figure(draw_figure_3(paper), ".svg").decode()
    for text in ("Training", "Inference", "CO2e (kg)", "Parameters as printed", "WaveGAN", "SING"):
        assert text in svg


def test_a_further_model_must_not_be_one_of_the_five(
    presets: CountedPresets, tmp_path: Path
) -> None:
    path = tmp_path / "models.toml"
    path.write_text("[model.SING]\nmos = 4\nmos_truth = 4.5\n")
    with pytest.raises(UsageError, match="SING"):
        reproduce(presets, publications=load_publications(path))


def test_a_further_model_that_is_not_in_the_zoo(presets: CountedPresets, tmp_path: Path) -> None:
    path = tmp_path / "models.toml"
    path.write_text("[model.Mine]\npreset = 'net.py:Net'\nmos = 4\nmos_truth = 4.5\n")
    found = reproduce(presets, publications=load_publications(path))
    assert "Mine" not in found.inference["params_exact"].names
    assert found.training.unranked["Mine"] == "no value for co2e_kg"


def test_the_figure_has_a_panel_for_each_cost(paper: Reproduction) -> None:
    shown = make_panels(paper)
    assert [panel.x_title for panel in shown] == [
        "CO2e (kg)",
        "Parameters as printed",
        "Parameters, exact",
        "MACs per second of audio",
    ]
