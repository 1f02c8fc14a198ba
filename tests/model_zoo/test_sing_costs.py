"""SING at its full size: the published parameters, multiply-accumulates and multiplications."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from model_zoo.sing import SING
from model_zoo.sing_training import Encoder


def full_size() -> SING:
    with torch.device("meta"):
        return SING()


def parameters(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_full_size_has_the_published_parameters() -> None:
    model = full_size()
    sequence, decoder = model.sequence_generator, model.decoder
    assert [parameters(table) for table in sequence.tables] == [16_096, 960, 12]
    assert sequence.time_table is not None
    assert parameters(sequence.time_table) == 1_060
    assert parameters(sequence.lstm) == 21_118_976
    assert parameters(sequence.projection) == 131_200
    assert parameters(sequence) == 21_268_304
    assert parameters(decoder.context) == 4_722_688
    assert parameters(decoder.rewrites) == 33_562_624
    assert parameters(decoder.synthesis) == 4_194_305
    assert parameters(decoder) == 42_479_617
    assert parameters(model) == 63_747_921
    assert parameters(model.fold()) == 63_747_921


def test_full_size_encoder_has_the_published_parameters() -> None:
    with torch.device("meta"):
        encoder = Encoder()
    assert parameters(encoder.analysis) == 4_198_400
    assert parameters(encoder.projection) == 524_416
    assert parameters(encoder) == 38_285_440
    assert parameters(encoder) + parameters(full_size().decoder) == 80_765_057
    assert parameters(encoder) + parameters(full_size()) == 102_033_361
    note = torch.empty(1, 64_000 + 2 * 2304, device="meta")
    assert encoder(note).shape == (1, 128, 265)


def note_on_meta(batch: int) -> tuple[Tensor, Tensor, Tensor]:
    ids = torch.empty(batch, 1, dtype=torch.int64, device="meta")
    return ids, ids, ids


def macs(model: SING, batch: int = 1, frames: int | None = None) -> tuple[int, dict[str, int]]:
    """Multiply-accumulates of one call, and those of each submodule."""
    with FlopCounterMode(display=False) as counter:
        model.generate(*note_on_meta(batch), frames=frames)
    stages = {name: sum(flops.values()) // 2 for name, flops in counter.get_flop_counts().items()}
    return counter.get_total_flops() // 2, stages


def test_a_full_note_costs_the_published_macs() -> None:
    total, stages = macs(full_size())
    assert total == 16_538_853_376
    sequence, decoder = "SING.sequence_generator", "SING.decoder"
    assert stages[f"{sequence}.lstm"] == 5_590_016_000
    assert stages[f"{sequence}.projection"] == 34_734_080
    assert stages[f"{decoder}.context"] == 1_212_678_144
    rewrites = sum(stages[f"{decoder}.rewrites.{i}"] for i in range(2))
    assert rewrites == 8_623_489_024
    assert stages[f"{decoder}.synthesis"] == 1_077_936_128


@pytest.mark.parametrize("frames", [16, 20])
def test_macs_follow_the_published_law(frames: int) -> None:
    per_frame = 21_094_400 + 131_072
    per_decoded_frame = 4_718_592 + 33_554_432 + 4_194_304
    law = frames * per_frame + (frames - 8) * per_decoded_frame
    assert macs(full_size(), frames=frames)[0] == law
    assert macs(full_size(), batch=3, frames=frames)[0] == 3 * law


class Multiplications(TorchDispatchMode):
    """Counts the results of element-wise multiplications."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch has no types here
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        del types
        out = func(*args, **(kwargs or {}))
        if func.overloadpacket in (torch.ops.aten.mul, torch.ops.aten.mul_):
            self.count += out.numel()
        return out


@pytest.mark.parametrize(("batch", "frames"), [(1, 265), (3, 20)])
def test_window_costs_one_multiplication_per_weight_until_folded(batch: int, frames: int) -> None:
    model = full_size()
    sequence = torch.empty(batch, 128, frames, device="meta")
    for decoder, expected in [(model.decoder, 4_194_304), (model.fold().decoder, 0)]:
        with Multiplications() as multiplications:
            decoder(sequence)
        assert multiplications.count == expected
