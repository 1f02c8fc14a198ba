"""GANSynth's discriminator against the outputs of the authors' code and its own definition."""

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from model_zoo.gansynth import GANSynthConfig
from model_zoo.gansynth_training import GANSynthDiscriminator, append_batch_deviation
from model_zoo.published import PublishedWeightsError
from tests.model_zoo.fidelity import Fixture, load_fixture, randomise, relative_error

TINY = GANSynthConfig(
    start=(2, 4), blocks=3, base_filters=24, max_filters=5, latent_dim=3, pitches=4, samples=80
)


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


@pytest.fixture(scope="module")
def published() -> Fixture:
    fixture: Fixture = load_fixture("gansynth")["hi_small"]
    return fixture


@pytest.fixture(scope="module")
def config(published: Fixture) -> GANSynthConfig:
    original = published["config"]
    return GANSynthConfig(
        start=tuple(original["start"]),
        blocks=original["nres"],
        base_filters=original["base"],
        max_filters=original["fmax"],
        latent_dim=original["lat"],
        pitches=original["pit"],
        samples=original["audio_len"],
    )


def test_judges_images_as_published(published: Fixture, config: GANSynthConfig) -> None:
    judge = GANSynthDiscriminator.from_published(published["state_dict_tf_names"], config)
    verdict = judge(published["img"].permute(0, 3, 1, 2))
    assert relative_error(verdict.realness, published["logit"]) < 2e-5
    assert relative_error(verdict.pitch, published["cls"]) < 2e-5


@pytest.mark.parametrize("resolution", [{}, {"start": (4, 8)}], ids=["high", "low"])
@pytest.mark.parametrize(
    ("changes", "parameters"),
    [({}, 6_831_230), ({"base_filters": 512, "max_filters": 128}, 1_125_142)],
    ids=str,
)
def test_discriminator_has_the_published_parameters(
    resolution: dict[str, Any], changes: dict[str, Any], parameters: int
) -> None:
    with torch.device("meta"):
        judge = GANSynthDiscriminator(GANSynthConfig(**resolution, **changes))
    assert sum(p.numel() for p in judge.parameters()) == parameters


def test_batch_deviation_is_one_number() -> None:
    x = torch.randn(4, 3, 2, 5)
    deviations = [
        math.sqrt(x[:, c, h, w].var(correction=0).item() + 1e-6)
        for c in range(3)
        for h in range(2)
        for w in range(5)
    ]
    appended = append_batch_deviation(x)
    assert torch.equal(appended[:, :3], x)
    expected = torch.full((4, 1, 2, 5), sum(deviations) / 30)
    assert torch.allclose(appended[:, 3:], expected, rtol=1e-5)


@pytest.mark.parametrize(("progress", "pooled"), [(0, 4), (1, 2), (2, 1)])
def test_discriminator_sees_the_image_at_the_resolution_of_the_progress(
    progress: float, pooled: int
) -> None:
    judge = randomise(GANSynthDiscriminator(replace(TINY, progress=progress)))
    image = torch.randn(2, 2, 8, 16)

    def coarse(scale: int) -> Tensor:
        return F.interpolate(F.avg_pool2d(image, scale), scale_factor=scale)

    seen = judge(image).realness
    assert relative_error(judge(coarse(pooled)).realness, seen) < 1e-5
    assert relative_error(judge(coarse(2 * pooled)).realness, seen) > 1e-4


def test_discriminator_blends_neighbouring_resolutions() -> None:
    """Midway, the features of the last block are a mean of what both stages would give it."""
    judge = randomise(GANSynthDiscriminator(replace(TINY, blocks=2, samples=20, progress=0.25)))
    image = torch.randn(2, 2, 4, 8)
    above = judge.blocks[1](judge.view_image(image, 2))
    features = judge.blocks[0](0.75 * judge.view_image(image, 1) + 0.25 * above).flatten(1)
    assert relative_error(judge(image).realness, judge.logits(features)) < 1e-6


def test_names_what_is_wrong_with_a_discriminators_checkpoint(
    published: Fixture, config: GANSynthConfig
) -> None:
    good = published["state_dict_tf_names"]
    name = "Discriminator/discriminator_cond/classification_logits/dense/kernel:0"
    without = {key: value for key, value in good.items() if key != name}
    with pytest.raises(PublishedWeightsError, match=f"lacks {name}"):
        GANSynthDiscriminator.from_published(without, config)
    extra = {"Discriminator/odd:0": torch.zeros(1)}
    with pytest.raises(PublishedWeightsError, match="unexpected tensors: Discriminator/odd:0"):
        GANSynthDiscriminator.from_published(good | extra, config)
