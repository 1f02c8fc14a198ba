"""The figures in torchvision's weights: parameters, and MACs to three decimals of 10^9.

They were made by torchvision's own counter (test/common_extended_utils.py), which counts products
and convolutions of one call on an image of 512 x 512 pixels, after the weights' own preprocessing.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import torch
from torch import nn

from published.boxes import explain_boxes
from published.counting import Subject
from published.row import Published

NAME = "torchvision"
INT8_NAME = "torchvision int8"
SIZE = 512
FRAMES = 16


def read_published() -> Iterator[Published]:
    """Yield a row for each model and each of its weights; of quantised ones, built in float."""
    from torchvision.models import get_model_weights, list_models  # noqa: PLC0415 - may be absent

    for model in list_models():
        for weights in get_model_weights(model):
            meta = weights.meta
            yield Published(
                NAME, model, weights.name, str(meta["num_params"]), f"{meta['_ops']:.3f}"
            )


def read_published_int8() -> Iterator[Published]:
    """Yield a row for each quantised model; its parameters are published of the one in float."""
    for row in read_published():
        if row.model.startswith("quantized_"):
            yield Published(INT8_NAME, row.model, row.setting, "", row.total)


def make_subject(row: Published) -> Subject:
    """Return how a row's model is built and called."""
    from torchvision.models import get_model_builder, get_model_weights  # noqa: PLC0415

    weights = get_model_weights(row.model)[row.setting]
    builder: Any = get_model_builder(row.model)
    quantised = row.model.startswith("quantized_")
    integers = {"quantize": True} if row.table == INT8_NAME else {}
    of_float = quantised and not integers

    def build() -> nn.Module:
        with _without_loading():
            model: nn.Module = builder(
                weights=weights.meta["unquantized"] if of_float else weights, **integers
            )
        return model

    kind = builder.__module__.split(".")[-2]
    return Subject(
        build,
        lambda: _make_arguments(kind, weights.transforms()),
        explain=lambda model, report: explain_boxes(model, report, row.total),
    )


@contextmanager
def _without_loading() -> Iterator[None]:
    """Let builders make the model of some weights without fetching them."""
    from torchvision.models import WeightsEnum  # noqa: PLC0415

    fetch: Any = patch.object(WeightsEnum, "get_state_dict", lambda *_args, **_options: {})
    load = patch.object(nn.Module, "load_state_dict", lambda *_args, **_options: None)
    with fetch, load:
        yield


def _make_arguments(kind: str, preprocess: Any) -> tuple[Any, ...]:
    image = torch.zeros(1, 3, SIZE, SIZE)
    if kind == "optical_flow":
        return tuple(preprocess(image, image))
    if kind == "detection":
        return ([preprocess(image[0])],)
    return (preprocess(image[:, None].expand(1, FRAMES, -1, -1, -1) if kind == "video" else image),)
