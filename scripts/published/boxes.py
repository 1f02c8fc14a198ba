"""How much of a detection model's cost depends on how many boxes survive.

The weights are random, so how many do is chance, in a table as here. A model's fixed part is what
does not run on boxes; each proposed box and each that is kept for a mask or for keypoints adds the
same amount.
"""

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

import torch
from torch import nn

from inspect_cost import CostReport, count
from published.comparison import UNITS, agrees

GMAC = UNITS["GMAC"]
CAUSE = "{} boxes proposed, {} kept for masks or keypoints"


def explain_boxes(model: nn.Module, report: CostReport, total: str) -> Mapping[str, int]:
    """Return which numbers of boxes give the published MACs -> the difference that they make."""
    heads: Any = getattr(model, "roi_heads", None)
    if heads is None or agrees(report.macs, total, GMAC):
        return {}
    fixed = report.macs - report.by_module["roi_heads"].macs
    channels: Any = model.backbone.out_channels  # type: ignore[union-attr]
    proposal, kept = count_proposal(heads, channels), count_kept(heads, channels)
    for n, k in list_numbers(model):
        macs = fixed + n * proposal + k * kept
        if agrees(macs, total, GMAC):
            return {CAUSE.format(n, k): macs - report.macs}
    return {}


def list_numbers(model: Any) -> Iterator[tuple[int, int]]:
    """Yield numbers of boxes, the likeliest first: none or all proposed, and few of them kept."""
    most = model.rpn.post_nms_top_n()
    yield from product((0, most), range(model.roi_heads.detections_per_img + 1))


def count_proposal(heads: Any, channels: int) -> int:
    """Return the MACs of classifying one box."""
    classify = nn.Sequential(heads.box_head, heads.box_predictor)
    return _count_one(heads.box_roi_pool, classify, channels)


def count_kept(heads: Any, channels: int) -> int:
    """Return the MACs of the mask and of the keypoints of one box."""
    total = 0
    for part in ("mask", "keypoint"):
        if getattr(heads, f"{part}_head", None) is not None:
            steps = [getattr(heads, f"{part}_{step}") for step in ("head", "predictor")]
            pool = getattr(heads, f"{part}_roi_pool")
            total += _count_one(pool, nn.Sequential(*steps), channels)
    return total


def _count_one(pool: Any, steps: nn.Module, channels: int) -> int:
    return count(steps.eval(), torch.zeros(1, channels, *pool.output_size)).macs
