"""open_clip's table of models: FLOPs of image and text together, two a multiply-accumulate."""

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from inspect_cost import count, explain
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

    def make_arguments() -> tuple[Tensor, Tensor]:
        return torch.zeros(1, 3, size, size), torch.zeros(1, tokens, dtype=torch.int64)

    return Subject(
        build,
        make_arguments,
        explain=lambda model, _report: explain_decoding(model, *make_arguments()),
    )


def explain_decoding(model: nn.Module, image: Tensor, text: Tensor) -> Mapping[str, int]:
    """Return what one more token costs in the decoder of a captioning model.

    When the table was made, CoCa decoded all tokens of a text; now it leaves out the last, which
    nothing follows.
    """
    if not hasattr(model, "text_decoder"):
        return {}
    seen, written = explain(model, "text_decoder", image, text).inputs
    (batch, tokens, width), images = written.shape, torch.zeros(seen.shape)

    def count_tokens(number: int) -> int:
        return count(model.text_decoder, images, torch.zeros(batch, number, width)).macs

    return {"the last token decoded too": count_tokens(tokens + 1) - count_tokens(tokens)}
