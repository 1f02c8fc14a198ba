"""open_clip's table of models: FLOPs of image and text together, two a multiply-accumulate."""

import csv
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import nn

from published.counting import Subject
from published.row import Published

NAME = "open_clip"
#: docs/model_profile.csv of github.com/mlfoundations/open_clip, under its licence (MIT).
FILE = Path(__file__).parent / "data" / "open_clip-model-profile.csv"


def read_published() -> Iterator[Published]:
    """Yield the rows of the table; a row's setting is the size of its image."""
    with FILE.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            yield Published(
                NAME, row["model"], row["image_size"], row["mparams"], row["gflops"], "GFLOP"
            )


def make_subject(row: Published) -> Subject:
    """Return how a row's model is built and called."""
    import open_clip  # noqa: PLC0415 - it may be absent

    size = int(row.setting)
    tokens = open_clip.get_model_config(row.model)["text_cfg"].get("context_length", 77)

    def build() -> nn.Module:
        model: nn.Module = open_clip.create_model(row.model, pretrained=None)
        return model

    return Subject(
        build,
        lambda: (torch.zeros(1, 3, size, size), torch.zeros(1, tokens, dtype=torch.int64)),
    )
