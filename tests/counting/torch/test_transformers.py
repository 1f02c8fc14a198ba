"""Architectures of `transformers` are counted completely; a script sweeps all of them."""

import importlib
from pathlib import Path
from typing import Any

import pytest

transformers = pytest.importorskip("transformers")

from inspect_cost import count  # noqa: E402 - transformers may be absent
from inspect_cost.counting.torch.building import build  # noqa: E402 - as above
from inspect_cost.values.notes import codes  # noqa: E402 - as above

pytestmark = pytest.mark.filterwarnings("ignore")  # transformers' own, about its settings

SCRIPTS = Path(__file__).parents[3] / "scripts"

#: Encoders, decoders, experts, states, speech, images, both, and generation.
SAMPLE = (
    "BERT",
    "DeBERTa-v2",
    "Llama",
    "Mixtral",
    "Mamba",
    "T5",
    "Whisper",
    "Wav2Vec2",
    "Swin",
    "CLIP",
    "GPT-2 generate",
    "T5 generate",
)


@pytest.fixture
def families(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.syspath_prepend(SCRIPTS)
    families = importlib.import_module("architectures").FAMILIES  # found by the line before
    return {family.name: family for family in families}


def check(family: Any) -> None:
    model = family.build() if family.weights else build(family.build)
    report = count(getattr(model, family.method), **family.inputs())
    assert report.complete, report.uncounted
    assert report.macs > 0
    assert family.weights or codes(report.notes) in {(), ("chosen-tokens",)}


@pytest.mark.parametrize("name", SAMPLE)
def test_a_sample_of_architectures(families: dict[str, Any], name: str) -> None:
    check(families[name])


@pytest.mark.slow
def test_all_architectures(families: dict[str, Any]) -> None:
    assert len(families) >= 45
    for family in families.values():
        check(family)


def test_llama_without_weights_takes_the_macs_of_its_matrices() -> None:
    """Four projections with grouped queries, attention, a gated MLP, and the vocabulary."""
    layers, D, F, V, H, G, T = 32, 4096, 11008, 32000, 32, 8, 128
    config = transformers.LlamaConfig(num_hidden_layers=layers, num_key_value_heads=G)
    import torch  # noqa: PLC0415 - with transformers, or not at all

    with torch.device("meta"):
        model = transformers.LlamaForCausalLM(config).eval()
    report = count(model, torch.arange(T)[None])
    projections = 2 * D * D + 2 * D * (D // H * G)
    layer = T * (projections + 3 * D * F) + 2 * H * T * T * (D // H)
    assert report.macs == layers * layer + T * D * V
    assert report.complete
    assert not report.notes


def test_generating_with_a_cache_computes_each_position_once(families: dict[str, Any]) -> None:
    """GPT-2 reads a prompt of 16 tokens, then generates 4, the last of which is not read."""
    family = families["GPT-2 generate"]
    report = count(build(family.build).generate, **family.inputs())
    B, D, layers, V, prompt, new = 2, 32, 2, 128, 16, 4
    read = prompt + new - 1
    attended = prompt * prompt + sum(range(prompt + 1, read + 1))
    assert report.macs == B * (layers * (12 * read * D * D + 2 * attended * D) + new * D * V)


def test_whisper_generates_without_weights(families: dict[str, Any]) -> None:
    check(families["Whisper generate"])
