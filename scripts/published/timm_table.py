"""timm's benchmark table: made by fvcore, MACs and parameters to two decimals."""

import csv
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import nn

from published.counting import Subject
from published.fvcore_conventions import COSTS, list_differences
from published.row import Published

NAME = "timm"
#: The inference benchmark with PyTorch 2.9.1, from the results of github.com/huggingface/
#: pytorch-image-models, licensed under Apache-2.0.
FILE = Path(__file__).parent / "data" / "timm-benchmark-infer.csv"
REPARAMETRISED = "re-parametrised for inference"
UNFUSED = "called with their attention spelt out"


def read_published() -> Iterator[Published]:
    """Yield the rows of the table."""
    with FILE.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            yield Published(
                NAME, row["model"], row["infer_img_size"], row["param_count"], row["infer_gmacs"]
            )


def make_subject(row: Published) -> Subject:
    """Return how a row's model is built and called."""
    import timm  # noqa: PLC0415 - it may be absent
    from timm.models import reparameterize_model  # noqa: PLC0415

    size = int(row.setting)

    def fuse(model: nn.Module) -> nn.Module:
        fused: nn.Module = reparameterize_model(model, inplace=True)
        return fused

    return Subject(
        build=lambda: timm.create_model(row.model, pretrained=False),
        arguments=lambda: (torch.zeros(1, 3, size, size),),
        costs=COSTS,
        explain=lambda _model, report: list_differences(report),
        forms={REPARAMETRISED: fuse, UNFUSED: unfuse_attention},
    )


def unfuse_attention(model: nn.Module) -> nn.Module:
    """Let attention be spelt out, where differential attention takes fewer products."""
    for module in model.modules():
        if hasattr(module, "fused_attn"):
            module.fused_attn = False  # type: ignore[assignment]
    return model
