"""What codecarbon and carbontracker write, in their own formats."""

from collections.abc import Callable
from pathlib import Path

import pytest

from inspect_cost.carbon.trackers import carbon_from_carbontracker, carbon_from_codecarbon
from inspect_cost.values.errors import UsageError

DATA = Path(__file__).parent / "data"
STEM = "4242.root_2026-03-02T090000Z_carbontracker"
OUTPUT, STANDARD = DATA / f"{STEM}_output.log", DATA / f"{STEM}.log"
#: Two epochs, of 1 h at 200 + 220 + 80 W and of 1.5 h at 210 + 230 + 80 W.
NINE = "consumption for 9 epoch(s):\n\tTime:\t9:00:00"
EPOCHS_KWH = (500 * 1 + 520 * 1.5) / 1000


def test_codecarbon_counts_the_last_line_of_each_run() -> None:
    estimate = carbon_from_codecarbon(DATA / "emissions.csv")
    assert estimate.energy_kwh.value == pytest.approx(0.292 + 0.584)
    assert estimate.carbon_kgco2e.value == pytest.approx(0.016364 + 0.032727)
    assert estimate.energy_kwh.kind == "measured"
    assert "codecarbon 3.3.2: France" in estimate.intensity.source
    assert any("2 runs" in note for note in estimate.notes)


def test_another_grid_replaces_codecarbons() -> None:
    estimate = carbon_from_codecarbon(DATA / "emissions.csv", intensity=0.5, pue=1.5)
    assert estimate.carbon_kgco2e.value == pytest.approx(0.876 * 0.5 * 1.5)


def test_without_gpus_codecarbon_is_an_estimate(tmp_path: Path) -> None:
    path = tmp_path / "emissions.csv"
    path.write_text("run_id,energy_consumed,emissions,gpu_energy\na,2.0,0.5,\n")
    estimate = carbon_from_codecarbon(path)
    assert (estimate.energy_kwh.value, estimate.energy_kwh.kind) == (2.0, "estimated")
    assert estimate.intensity.value == pytest.approx(0.25)


def test_carbontracker_takes_the_last_actual_consumption_and_names_its_pue() -> None:
    estimate = carbon_from_carbontracker(OUTPUT)
    assert estimate.energy_kwh.value == pytest.approx(1.58 * EPOCHS_KWH)
    assert estimate.carbon_kgco2e.value == pytest.approx(0.113335296)
    assert estimate.pue is not None
    assert estimate.pue.value == 1.58
    assert estimate.energy_kwh.kind == "measured"


def test_carbontracker_without_its_summary_is_summed_over_epochs(tmp_path: Path) -> None:
    path = tmp_path / "run_carbontracker.log"
    path.write_bytes(STANDARD.read_bytes())
    estimate = carbon_from_carbontracker(path, intensity=0.1, pue=1.2)
    assert estimate.energy_kwh.value == pytest.approx(1.2 * EPOCHS_KWH)
    assert estimate.carbon_kgco2e.value == pytest.approx(0.12 * EPOCHS_KWH)


def test_a_pue_is_never_applied_twice(tmp_path: Path) -> None:
    alone = tmp_path / OUTPUT.name
    alone.write_bytes(OUTPUT.read_bytes())
    assert carbon_from_carbontracker(alone).pue is None, "that log does not name it"
    for path in (OUTPUT, alone):
        with pytest.raises(UsageError, match="includes"):
            carbon_from_carbontracker(path, pue=1.2)


def test_a_prediction_for_more_epochs_is_an_estimate(tmp_path: Path) -> None:
    path = tmp_path / OUTPUT.name
    path.write_text(
        OUTPUT.read_text().replace("Predicted consumption for 2", "Predicted consumption for 9")
    )
    estimate = carbon_from_carbontracker(path)
    assert (estimate.energy_kwh.value, estimate.energy_kwh.kind) == (1.58, "estimated")
    assert any("2 of 9 epochs were measured" in note for note in estimate.notes)


FAULTS = [
    ("run_id,emissions\na,1\n", "line 1: no column energy_consumed"),
    ("run_id,energy_consumed,emissions\na,1\n", "line 2: 2 cells, and 3 columns"),
    (
        "run_id,energy_consumed,emissions\na,many,1\n",
        "line 2, energy_consumed: 'many' is not",
    ),
    ("run_id,energy_consumed,emissions\na,-1,1\n", "'-1' is not"),
    ("run_id,energy_consumed,emissions\na,nan,1\n", "'nan' is not"),
    ("run_id,energy_consumed,emissions\n", "has no runs"),
    ("", "no column"),
]


@pytest.mark.parametrize(("content", "complaint"), FAULTS)
def test_a_malformed_csv(tmp_path: Path, content: str, complaint: str) -> None:
    path = tmp_path / "emissions.csv"
    path.write_text(content)
    with pytest.raises(UsageError) as error:
        carbon_from_codecarbon(path)
    assert complaint in str(error.value)


@pytest.mark.parametrize("read", [carbon_from_codecarbon, carbon_from_carbontracker])
def test_a_file_that_cannot_be_read(tmp_path: Path, read: Callable[[Path], object]) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    for name in ("missing", "binary", "."):
        with pytest.raises(UsageError):
            read(tmp_path / name)


def test_a_log_without_consumption(tmp_path: Path) -> None:
    path = tmp_path / "a_carbontracker.log"
    path.write_text("2026-03-02 09:00:00 - carbontracker version 2.4.7\n")
    with pytest.raises(UsageError, match="no consumption"):
        carbon_from_carbontracker(path)
