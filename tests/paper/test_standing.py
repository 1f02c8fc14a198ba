"""Where models stand beside the paper's five."""

from pathlib import Path

import pytest

from inspect_cost import load_publications
from inspect_cost.paper.standing import standing
from inspect_cost.reports import render


def test_flowavenet_beside_the_other_four() -> None:
    found = standing("flowavenet")
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


def test_the_longer_wavegan_stands_in_the_shorters_place() -> None:
    found = standing("wavegan-65536")
    assert found is not None
    ranks = {place.cost: (place.rank, place.dominated_by) for place in found.places}
    assert ranks["params_exact"] == (1, ("SING",))
    assert ranks["macs_per_s"] == (0, ())


@pytest.mark.parametrize("model", ["gansynth", "samplernn", "samplernn-2tier"])
def test_without_opinion_scores_a_model_is_unranked(model: str) -> None:
    found = standing(model)
    assert found is not None
    assert found.unranked == "pairwise preference, no MOS"
    assert "unranked: pairwise preference, no MOS" in render(found)
    assert all(place.rank is None for place in found.places)


def test_a_users_own_model_takes_its_place(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        '[model.mine]\nmos = 4.5\nmos_truth = 4.6\nparams = 1e6\nsource = "us"\n'
        '[[model.mine.training]]\ngpu = "T4"\nhours = 5\n'
    )
    found = standing("mine", load_publications(path))
    assert found is not None
    places = {place.cost: place for place in found.places}
    assert places["co2e_kg"].rank == 0
    assert places["params_exact"].of == 4
    assert places["macs_per_s"].rank is None
    other = standing("sing", load_publications(path))
    assert other is not None
    assert other.places[0].dominated_by == ("mine",)


def test_nothing_is_known_of_an_unpublished_model() -> None:
    assert standing("net.py:Net") is None
