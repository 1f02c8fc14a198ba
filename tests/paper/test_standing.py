"""Where models stand beside the paper's five."""

from pathlib import Path

import pytest

from inspect_cost import load_publications
from inspect_cost.engine.standings import CountedPresets, find_preset_standing
from inspect_cost.paper.standing import find_standing, list_presets_beside
from inspect_cost.reports import render
from inspect_cost.values.quantity import Quantity


def test_flowavenet_beside_the_other_four(presets: CountedPresets) -> None:
    found = find_preset_standing("flowavenet", presets)
    assert found is not None
    assert set(found.beside) == {"SampleRNN", "SING", "WaveGAN", "GANSynth"}
    assert found.training is not None
    assert found.training.carbon_kgco2e.value == pytest.approx(35.659, abs=5e-4)
    assert [(place.cost, place.rank, place.of) for place in found.places] == [
        ("co2e_kg", 0, 3),
        ("params_exact", 0, 3),
        ("macs_per_s", 0, 3),
    ]
    assert "35.7 kg CO2e (estimated)" in render(found)


def test_the_longer_wavegan_stands_in_the_shorters_place(presets: CountedPresets) -> None:
    found = find_preset_standing("wavegan-65536", presets)
    assert found is not None
    ranks = {place.cost: (place.rank, place.dominated_by) for place in found.places}
    assert ranks["params_exact"] == (1, ("SING",))
    assert ranks["macs_per_s"] == (0, ())


@pytest.mark.parametrize("model", ["gansynth", "samplernn", "samplernn-2tier"])
def test_without_opinion_scores_a_model_is_unranked(presets: CountedPresets, model: str) -> None:
    found = find_preset_standing(model, presets)
    assert found is not None
    assert found.unranked == "pairwise preference, no MOS"
    assert "unranked: pairwise preference, no MOS" in render(found)
    assert all(place.rank is None for place in found.places)


def test_a_users_own_model_takes_its_place(presets: CountedPresets, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        '[model.mine]\nmos = 4.5\nmos_truth = 4.6\nparams = 1e6\nsource = "us"\n'
        '[[model.mine.training]]\ngpu = "T4"\nhours = 5\n'
    )
    found = find_preset_standing("mine", presets, publications=load_publications(path))
    assert found is not None
    places = {place.cost: place for place in found.places}
    assert places["co2e_kg"].rank == 0
    assert places["params_exact"].of == 4
    assert places["macs_per_s"].rank is None
    other = find_preset_standing("sing", presets, publications=load_publications(path))
    assert other is not None
    assert other.places[0].dominated_by == ("mine",)


def test_nothing_is_known_of_an_unpublished_model(presets: CountedPresets) -> None:
    assert find_preset_standing("net.py:Net", presets) is None


def quantity(value: float) -> Quantity:
    return Quantity(value, "", "counted", "test")


def test_the_caller_supplies_all_costs() -> None:
    """Beside others that cost more, WaveGAN is optimal although its quality is the worst."""
    beside = list_presets_beside("wavegan")
    assert beside is not None
    assert set(beside) == {"sing", "flowavenet"}
    others = {name: {"params": quantity(20), "macs_per_s": quantity(1)} for name in beside}
    found = find_standing("wavegan", {"params": quantity(10), "macs_per_s": quantity(2)}, others)
    assert found is not None
    places = {place.cost: place for place in found.places}
    assert (places["params_exact"].rank, places["params_exact"].of) == (0, 3)
    assert places["params_exact"].value == quantity(10)
    assert set(places["macs_per_s"].dominated_by) == {"SING", "FloWaveNet"}
