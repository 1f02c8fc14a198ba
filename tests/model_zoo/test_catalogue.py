"""The presets: their figures, their settings, and the inputs that they make."""

import json
from typing import Any

import pytest
import torch

import model_zoo
from inspect_cost import count
from inspect_cost.cli import main
from inspect_cost.counting.options import CountOptions
from inspect_cost.counting.report import CostReport
from inspect_cost.counting.torch.building import build
from inspect_cost.subjects import Subject, resolve
from inspect_cost.values.errors import UsageError
from tests.model_zoo.fidelity import access_parts

#: Preset -> parameters as stored, samples of one call, MACs of one call.
PUBLISHED = {
    "flowavenet": (182_644_788, 16_128, 141_932_560_896),
    "sing": (63_747_921, 64_000, 16_538_853_376),
    "wavegan": (19_065_345, 16_384, 847_052_800),
    "wavegan-65536": (73_149_953, 65_536, 4_223_795_200),
    "gansynth": (7_308_802, 64_000, 14_421_327_872),
    "gansynth-lores": (7_308_802, 64_000, 14_287_110_144),
    "samplernn": (51_848_704, 16_000, 121_667_584_000),
    "samplernn-2tier": (39_243_264, 16_000, 137_412_608_000),
    "samplernn-3tier": (18_744_832, 16_000, 127_991_808_000),
}


def count_subject(subject: Subject) -> CostReport:
    """Count the one call of a subject."""
    (phase,) = subject.phases
    return subject.count(phase, CountOptions())


def samples_of(subject: Subject) -> int:
    """Return the samples that the one call of a subject generates."""
    (phase,) = subject.phases
    assert phase.output is not None
    assert phase.output.is_audio
    return phase.output.amount


def test_all_presets_are_there() -> None:
    assert model_zoo.names() == list(PUBLISHED)


@pytest.mark.parametrize("name", PUBLISHED)
def test_presets_have_the_published_figures(name: str) -> None:
    params, samples, macs = PUBLISHED[name]
    subject = resolve(name, input_len=16_000)
    report = count_subject(subject)
    assert report.params == model_zoo.preset(name).params == params
    assert samples_of(subject) == samples
    assert report.macs == macs
    assert report.complete


def weight_norm_flops(name: str) -> int:
    """Sum for w weights, r lengths: w squares, w - r sums, r roots, r divisions, w products."""
    model = build(lambda: model_zoo.build(name))
    tensors = dict(model.named_parameters())
    directions = sum(t.numel() for key, t in tensors.items() if key.endswith("weight_v"))
    lengths = sum(t.numel() for key, t in tensors.items() if key.endswith("weight_g"))
    return 3 * directions + lengths


@pytest.mark.parametrize(
    ("name", "elementwise", "waveform"),
    [
        ("samplernn", 153_408_000, 2 * (16_000 + 64)),
        ("samplernn-2tier", 165_904_000, 6 * (16_000 + 16) - 1),
        ("samplernn-3tier", 290_880_000, 6 * (16_000 + 8) - 1),
    ],
)
def test_samplernn_is_counted_as_published(name: str, elementwise: int, waveform: int) -> None:
    """Beside the layers: a draw adds up 256 probabilities and searches among the sums."""
    report = count_subject(resolve(name, input_len=16_000))
    drawing = 16_000 * (255 + 9)
    other = report.flops - 2 * report.macs
    assert other == elementwise + weight_norm_flops(name) + drawing + waveform


@pytest.mark.parametrize("name", ["sing", "wavegan", "gansynth"])
def test_more_samples_take_more_clips(name: str) -> None:
    _, samples, macs = PUBLISHED[name]
    subject = resolve(name, input_len=samples + 1)
    assert samples_of(subject) == 2 * samples
    assert count_subject(subject).macs == 2 * macs


def test_a_billion_samples_of_samplernn_are_counted_by_law() -> None:
    report = count_subject(resolve("samplernn-3tier", input_len=10**9))
    assert report.macs == 127_991_808_000 // 16_000 * 10**9
    assert report.notes[-1].startswith("By the cost law, an exact polynomial of degree 1")


@pytest.mark.parametrize("name", PUBLISHED)
def test_inputs_are_the_same_for_the_same_seed(name: str) -> None:
    preset = model_zoo.preset(name)
    config = preset.configuration()
    first, again, other = (preset.call(config, 1000, "cpu", seed).kwargs for seed in (1, 1, 2))
    tensors = [key for key, value in first.items() if isinstance(value, torch.Tensor)]
    assert tensors
    assert all(torch.equal(first[key], again[key]) for key in tensors)
    noise = [key for key in tensors if first[key].is_floating_point()]
    assert all(not torch.equal(first[key], other[key]) for key in noise)


def test_a_preset_is_counted_as_any_model_is() -> None:
    settings = {"blocks": 4, "channels": 8}
    preset = model_zoo.preset("flowavenet")
    call = preset.call(preset.configuration(**settings), 512, "meta", 0)
    plain = count(access_parts(preset.build(**settings)).generate, **call.kwargs)
    assert count_subject(resolve("flowavenet", input_len=512, settings=settings)) == plain


def test_settings_override_the_published_ones() -> None:
    model = build(lambda: model_zoo.build("flowavenet", layers=3))
    assert sum(p.numel() for p in model.parameters()) == 270_626_868
    assert not model.training
    with pytest.raises(ValueError, match="there is no setting 'layer'; there are mel_channels"):
        model_zoo.build("flowavenet", layer=3)


@pytest.mark.parametrize(
    ("name", "setting", "complaint"),
    [
        ("wavegan", {"dim": "x"}, "dim must be a whole number; got 'x'"),
        ("wavegan", {"dim": 1.5}, "dim must be a whole number"),
        ("wavegan", {"dim": True}, "dim must be a whole number"),
        ("wavegan", {"batch_norm": "no"}, "batch_norm must be true or false; got 'no'"),
        ("wavegan", {"batch_norm": 1}, "batch_norm must be true or false"),
        ("wavegan", {"post_filter": "512"}, "post_filter must be a whole number or None"),
        ("gansynth", {"progress": "6"}, "progress must be a number or None"),
        ("gansynth", {"start": 2}, "start must be whole numbers in brackets"),
        ("gansynth", {"start": (2, 16, 3)}, "start must be whole numbers in brackets"),
        ("samplernn", {"frame_sizes": (2.0, 8)}, "frame_sizes must be whole numbers in brackets"),
        ("sing", {"window": 1}, "window must be a word or None"),
    ],
)
def test_settings_of_another_type_are_refused(
    name: str, setting: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        model_zoo.preset(name).configuration(**setting)


@pytest.mark.parametrize("name", ["input_len", "batch"])
@pytest.mark.parametrize("size", [0, -5])
def test_nothing_to_generate_is_refused(name: str, size: int) -> None:
    with pytest.raises(UsageError) as refusal:
        resolve("wavegan", **{name: size})  # type: ignore[arg-type]  # of another parameter
    assert refusal.value.field == name


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_settings_are_of_their_types(name: str) -> None:
    preset = model_zoo.preset(name)
    published = preset.configuration()
    assert preset.configuration(**vars(published)) == published


def test_lists_and_whole_numbers_will_do() -> None:
    assert model_zoo.preset("gansynth").configuration(progress=3).progress == 3
    assert model_zoo.preset("samplernn").configuration(frame_sizes=[2, 8]).frame_sizes == [2, 8]


def test_the_largest_seed_makes_inputs() -> None:
    preset = model_zoo.preset("flowavenet")
    call = preset.call(preset.configuration(), 256, "cpu", 2**64 - 1)
    assert call.kwargs["noise"].isfinite().all()


def test_unknown_names_get_near_matches() -> None:
    with pytest.raises(model_zoo.UnknownModelError, match="did you mean samplernn"):
        model_zoo.preset("sampleRN")


def test_classes_are_at_hand() -> None:
    for name in model_zoo.__all__:
        assert getattr(model_zoo, name)
    with pytest.raises(AttributeError, match="no attribute 'Wavenet'"):
        _ = model_zoo.Wavenet


def test_sing_reports_its_window(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sing", "--no-measure", "--format", "json"]) == 0
    count = json.loads(capsys.readouterr().out)["count"]
    modules = {module["path"]: module for module in count["modules"]}
    window = modules["decoder.synthesis"]["flops_by_class"]["mul"]
    assert window == 4_194_304
    assert main(["sing", "--no-measure", "--format", "json", "--set", "window=None"]) == 0
    folded = json.loads(capsys.readouterr().out)["count"]
    assert count["flops"] - folded["flops"] == window
