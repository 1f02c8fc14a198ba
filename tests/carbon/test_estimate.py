"""Training carbon against the paper's own table, its two equations by hand, and ranges."""

import json
import sys
from typing import Any

import pytest

from inspect_cost import estimate_training_carbon
from inspect_cost.carbon.estimate import combine
from inspect_cost.hardware.gpus import find_gpu, read_gpus
from inspect_cost.hardware.grid import _read_ecologits, find_zone_intensity
from inspect_cost.values.errors import UsageError
from tests.extras import needs_grid

#: Hardware, hours, kWh and kg of Table 1; GANSynth's kg is the recomputed one, not the printed.
TABLE_1 = [
    ("GTX TITAN X", 168, 42.0, 18.354),
    ("4 x P100", "12+10+30", 52.0, 22.724),
    ("P100", 96, 24.0, 10.488),
    ("V100 SXM2", 108, 32.4, 14.159),
    ("V100 SXM2", 272, 81.6, 35.659),
]


@pytest.mark.parametrize(("gpu", "hours", "kwh", "kg"), TABLE_1)
def test_the_papers_table(gpu: str, hours: float | str, kwh: float, kg: float) -> None:
    estimate = estimate_training_carbon(gpu, hours)
    assert estimate.energy_kwh.value == pytest.approx(kwh, rel=1e-12)
    assert estimate.carbon_kgco2e.value == pytest.approx(kg, abs=5e-4)
    assert estimate.carbon_kgco2e.kind == estimate.energy_kwh.kind == "estimated"
    assert "eq. 6" in estimate.formula
    assert estimate.energy_kwh.ci95 is None


def test_equation_4_by_hand() -> None:
    estimate = estimate_training_carbon(
        "2 x V100 PCIe", 10, pue=1.58, cpu_power_w=120, ram_power_w=30, intensity="500 g/kWh"
    )
    kwh = 1.58 * (120 + 30 + 2 * 250) * 10 / 1000
    assert estimate.energy_kwh.value == pytest.approx(kwh)
    assert estimate.carbon_kgco2e.value == pytest.approx(kwh * 0.5)
    assert "eq. 4" in estimate.formula
    assert estimate.pue is not None
    assert estimate.pue.value == 1.58


def test_ranges_go_from_end_to_end() -> None:
    estimate = estimate_training_carbon(
        "2 x T4", "52..60", power_w="50..70", intensity=(0.4, 0.5), pue="1.1..1.2"
    )
    assert estimate.energy_kwh.ci95 == pytest.approx((1.1 * 2 * 5.2 * 0.5, 1.2 * 2 * 7 * 0.6))
    low, high = estimate.carbon_kgco2e.ci95 or (0, 0)
    assert (low, high) == pytest.approx((0.4 * 1.1 * 5.2, 0.5 * 1.2 * 8.4))
    assert low < estimate.carbon_kgco2e.value < high


def test_phases_add_up_whether_summed_listed_or_on_other_devices() -> None:
    one = estimate_training_carbon("T4", "1+2..4")
    listed = estimate_training_carbon("T4", ["1", "2..4"])
    pairs = estimate_training_carbon(["T4", "2 x T4"], ["1", "1..2"])
    for estimate in (one, listed, pairs):
        assert estimate.energy_kwh.ci95 == pytest.approx((0.21, 0.35))
    assert [phase.count for phase in pairs.phases] == [1, 2]


def test_days_are_hours() -> None:
    assert estimate_training_carbon("T4", "11.3 d").phases[0].hours.value == pytest.approx(271.2)


def test_measured_power_makes_a_measured_result_until_something_is_assumed() -> None:
    measured = estimate_training_carbon("T4", 1, power_w=61.5, power_kind="measured")
    assert measured.carbon_kgco2e.kind == "measured"
    mixed = estimate_training_carbon("T4", 1, power_w=61.5, power_kind="measured", cpu_power_w=100)
    assert mixed.carbon_kgco2e.kind == "estimated"


def test_everything_is_in_the_json_with_its_source() -> None:
    content = json.loads(json.dumps(estimate_training_carbon("4 x P100", 52).to_dict()))
    assert content["inputs"]["intensity"]["value"] == 0.437
    assert "2018" in content["inputs"]["intensity"]["source"]
    assert "data sheet" in content["inputs"]["phases"][0]["power_w"]["source"]
    assert content["inputs"]["pue"]["value"] == 1
    assert content["carbon_kgco2e"]["unit"] == "kgCO2e"


# --- hardware ---

#: As makers publish them; the V100's two figures are often swapped.
DRIVER_NAMES = [
    ("Tesla V100-SXM2-16GB", 300),
    ("Tesla V100-PCIE-32GB", 250),
    ("NVIDIA A100-SXM4-80GB", 400),
    ("NVIDIA A100 80GB PCIe", 300),
    ("NVIDIA A100-PCIE-40GB", 250),
    ("NVIDIA H100 80GB HBM3", 700),
    ("NVIDIA H100 PCIe", 350),
    ("NVIDIA H100 NVL", 400),
    ("NVIDIA GeForce RTX 4090", 450),
    ("rtx4090", 450),
    ("GeForce GTX 1080Ti", 250),
    ("Tesla P100-SXM2-16GB", 300),
    ("NVIDIA TITAN Xp", 250),
    ("TITAN X", 250),
    ("Tesla T4", 70),
]


@pytest.mark.parametrize(("name", "watts"), DRIVER_NAMES)
def test_what_drivers_call_them(name: str, watts: float) -> None:
    assert find_gpu(name).max_power_w == watts


def test_every_row_is_found_by_its_own_name_and_has_a_source() -> None:
    rows = read_gpus()
    assert [find_gpu(row.name).max_power_w for row in rows] == [row.max_power_w for row in rows]
    assert all(row.kind == "gpu" and "NVIDIA" in row.source for row in rows)


@pytest.mark.parametrize("name", ["GTX 1080", "RTX 3090 Ti", "V10", "nothing", "A100 SXM5"])
def test_a_model_is_never_taken_for_its_neighbour(name: str) -> None:
    with pytest.raises(UsageError) as error:
        find_gpu(name)
    assert error.value.field == "gpu"
    assert "`power_w`" in error.value.advice


@pytest.mark.parametrize(
    ("name", "both"),
    [("V100", ("V100 PCIe (250 W)", "V100 SXM2 (300 W)")), ("A100 80GB", ("300 W", "400 W"))],
)
def test_an_ambiguous_name_lists_what_it_may_be(name: str, both: tuple[str, str]) -> None:
    with pytest.raises(UsageError) as error:
        find_gpu(name)
    assert all(text in str(error.value) for text in both)


# --- the grid ---


@pytest.mark.parametrize(
    ("zone", "hint"),
    [("XX", ""), ("Frnce", "FRA (France)"), ("FRZ", "FRA (France)"), ("Germny", "DEU (Germany)")],
)
def test_only_zones_spelled_almost_alike_are_suggested(zone: str, hint: str) -> None:
    with pytest.raises(UsageError) as raised:
        find_zone_intensity(zone, 2023)
    assert raised.value.field == "zone"
    assert hint in raised.value.advice
    assert ("Did you mean" in raised.value.advice) is bool(hint)


def test_a_zone_with_a_year_names_both() -> None:
    for zone in ("FR", "fra", "France"):
        found = find_zone_intensity(zone, 2023)
        assert (found.kgco2e_per_kwh.value, found.zone, found.year) == (0.056, "FRA", 2023)
        assert "Our World in Data" in found.source


def test_a_zone_without_a_year_is_what_ecologits_has() -> None:
    needs_grid()
    found = find_zone_intensity("FR")
    assert found.kgco2e_per_kwh.value == _read_ecologits()["FRA"]
    assert found.source.startswith("ecologits ")
    assert "names no year" in found.source


def test_a_zone_without_ecologits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ecologits.electricity_mix_repository", None)
    _read_ecologits.cache_clear()
    with pytest.raises(UsageError, match="ecologits, which is not installed") as raised:
        find_zone_intensity("FR")
    assert "inspect-cost[grid]" in raised.value.advice
    assert find_zone_intensity("FR", 2023).kgco2e_per_kwh.value == 0.056


def test_the_world_of_2018_is_the_default() -> None:
    assert find_zone_intensity("WOR", 2018) == find_zone_intensity("world", 2018)
    assert find_zone_intensity("WOR", 2018).kgco2e_per_kwh.value == 0.437


@pytest.mark.parametrize("assumed", [{"cpu_power_w": 80}, {"ram_power_w": 80}])
def test_what_is_assumed_beside_a_measurement_makes_an_estimate(assumed: dict[str, float]) -> None:
    given = {"power_w": 250, "power_kind": "measured"}
    assert estimate_training_carbon("P100", 10, **given).energy_kwh.kind == "measured"  # type: ignore[arg-type]  # by name
    both = estimate_training_carbon("P100", 10, **given, **assumed)  # type: ignore[arg-type]  # by name
    assert both.energy_kwh.kind == "estimated"
    assert both.energy_kwh.value == pytest.approx(3.3)


def test_json_has_null_for_what_is_not_known() -> None:
    (phase,) = estimate_training_carbon(hours=10, power_w=100).to_dict()["inputs"]["phases"]
    assert phase["hardware"] is None
    assert phase["note"] is None


@pytest.mark.parametrize("beside", [{"pue": 1.58}, {"cpu_power_w": 80}, {"ram_power_w": 80}])
def test_the_formula_that_is_named_is_the_one_that_was_taken(beside: dict[str, float]) -> None:
    assert "eq. 6" in estimate_training_carbon("P100", 10).formula
    assert "eq. 4" in estimate_training_carbon("P100", 10, **beside).formula  # type: ignore[arg-type]  # by name


def test_the_source_says_whether_power_was_measured() -> None:
    for kind, said in (("measured", True), ("estimated", False)):
        found = estimate_training_carbon(hours=1, power_w=9, power_kind=kind).energy_kwh.source  # type: ignore[arg-type]  # one of both
        assert ("with measured power" in found) is said


def test_runs_of_one_training_together() -> None:
    first = estimate_training_carbon("P100", 10, intensity=0.1, pue=1.2)
    second = estimate_training_carbon("P100", 30, intensity=0.5, pue=1.2)
    assert combine([first]) is first
    both = combine([first, second])
    assert both.energy_kwh.value == pytest.approx(0.25 * 40 * 1.2)
    assert both.carbon_kgco2e.value == pytest.approx(0.25 * 1.2 * (10 * 0.1 + 30 * 0.5))
    assert both.intensity.value == pytest.approx(0.4)
    assert both.pue is not None
    assert both.pue.value == 1.2
    assert combine([first, first]).intensity == first.intensity
    sensed = estimate_training_carbon(hours=1, power_w=9, power_kind="measured")
    assert combine([sensed, sensed]).energy_kwh.kind == "measured"
    assert combine([sensed, first]).energy_kwh.kind == "estimated"
    assert combine([first, estimate_training_carbon("P100", 1, intensity=0.1)]).pue is None


# --- mistakes ---


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"year": 2020}, "year"),
        ({"zone": "FR", "year": 1960}, "year"),
        ({"zone": "FR", "intensity": 0.4}, "zone"),
        ({"intensity": 437}, "intensity"),
        ({"intensity": "437 lb"}, "intensity"),
        ({"hours": -3}, "hours"),
        ({"hours": ()}, "hours"),
        ({"hours": "60..52"}, "hours"),
        ({"hours": float("inf")}, "hours"),
        ({"gpu": ["P100", "T4"]}, "gpu"),
        ({"gpu": ""}, "gpu"),
        ({"gpu": "0 x P100"}, "gpu"),
        ({"gpu": "V100"}, "gpu"),
        ({"power_w": 0}, "power_w"),
        ({"power_kind": "guessed"}, "power_kind"),
        ({"pue": 0.9}, "pue"),
        ({"cpu_power_w": "a lot"}, "cpu_power_w"),
        ({"ram_power_w": -1}, "ram_power_w"),
    ],
)
def test_a_mistake_names_its_parameter(given: dict[str, Any], field: str) -> None:
    with pytest.raises(UsageError) as raised:
        estimate_training_carbon(**{"gpu": "P100", "hours": 3, **given})
    assert raised.value.field == field
    assert "--" not in f"{raised.value} {raised.value.advice}"
