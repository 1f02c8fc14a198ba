"""What fvcore counts for an operator, beside what we do.

fvcore calls a multiply-accumulate one flop, and adds the flops of norms, adaptive pooling and
resampling to them. What it has no rule for counts 0, and so does a convolution whose padding is a
word. Its totals are what timm's and open_clip's tables give as MACs.

Source: fvcore/nn/flop_count.py and fvcore/nn/jit_handles.py of fvcore 0.1.5.post20221221.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from inspect_cost import CostReport, OpCost
from inspect_cost.counting.torch.aten import ATEN_RULES

Flops = Callable[..., int]


def _our_macs(name: str) -> Flops:
    def flops(out: Any, *args: Any, **kwargs: Any) -> int:
        cost = ATEN_RULES[name](out, *args, **kwargs)
        return cost.macs if cost else 0

    return flops


def _convolution(name: str) -> Flops:
    ours = _our_macs(name)

    def flops(out: Tensor, *args: Any, **kwargs: Any) -> int:
        worded = any(isinstance(value, str) for value in (*args, *kwargs.values()))
        return 0 if worded else ours(out, *args, **kwargs)

    return flops


def _norm(place: int) -> Flops:
    """Return 5 for each element, or 4 without a weight, which is the argument at ``place``."""

    def flops(_out: Any, x: Tensor, *args: Any, **_kwargs: Any) -> int:
        weight = args[place] if place < len(args) else None
        return x.numel() * (4 if weight is None else 5)

    return flops


def _batch_norm(_out: Any, x: Tensor, weight: Any, *rest: Any) -> int:
    _bias, _mean, _variance, training, *_ = rest
    if training:
        return _norm(0)(_out, x, weight)
    return x.numel() * (1 if weight is None else 2)


def _each(*, inputs: int = 0, outputs: int = 0) -> Flops:
    return lambda out, x, *_args, **_kwargs: inputs * x.numel() + outputs * out.numel()


_PRODUCTS = "addmm bmm matmul mm linear scaled_dot_product_attention"
_CONVOLUTIONS = "conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d"

#: The operators that fvcore has rules for. Attention is one, as the tables were made with it spelt
#: out in products.
RULES: Mapping[str, Flops] = {
    **{f"aten.{name}": _our_macs(f"aten.{name}") for name in _PRODUCTS.split()},
    **{f"aten.{name}": _convolution(f"aten.{name}") for name in _CONVOLUTIONS.split()},
    "aten.batch_norm": _batch_norm,
    "aten.layer_norm": _norm(1),
    "aten.group_norm": _norm(1),
    "aten.instance_norm": _norm(0),
    "aten.adaptive_avg_pool2d": _each(inputs=1),
    "aten.upsample_nearest2d": _each(outputs=1),
    "aten.upsample_bilinear2d": _each(outputs=4),
    "aten.grid_sampler_2d": _each(outputs=4),
}

NORMS = "norms counted"
STANDARDISATION = "norms over weights counted"
POOLING = "adaptive pooling counted"
UPSAMPLING = "upsampling counted"
NO_RULE = "no rule for {}"
WORDED = 'convolutions with padding="same" not seen'

_CAUSES: Mapping[str, str] = {
    **{f"aten.{kind}_norm": NORMS for kind in ("batch", "layer", "group", "instance")},
    "aten.adaptive_avg_pool2d": POOLING,
    "aten.upsample_nearest2d": UPSAMPLING,
    "aten.upsample_bilinear2d": UPSAMPLING,
    "aten.grid_sampler_2d": UPSAMPLING,
}


def _beside_ours(name: str, theirs: Flops) -> Callable[..., OpCost]:
    """Return both counts of an operator: our MACs, and fvcore's flops in the place of `special`.

    One count then gives both; nothing else is read of it.
    """
    ours = _our_macs(name)
    return lambda *args, **kwargs: OpCost(
        macs=ours(*args, **kwargs), special=theirs(*args, **kwargs)
    )


#: Costs to count with, so that `list_differences` can read the report.
COSTS: Mapping[str, Callable[..., OpCost]] = {
    name: _beside_ours(name, theirs) for name, theirs in RULES.items()
}


def list_differences(report: CostReport) -> dict[str, int]:
    """Return why fvcore's total differs from our MACs -> its flops minus our MACs.

    Args:
        report: counted with `COSTS`.
    """
    convolving = {t.module for t in report.tallies if ".conv" in t.operator}
    found: dict[str, int] = defaultdict(int)
    for tally in report.tallies:
        known = tally.operator in RULES
        difference = (tally.cost.special if known else 0) - tally.cost.macs
        if difference:
            found[_name_cause(tally.operator, known, tally.module in convolving)] += difference
    return dict(found)


def _name_cause(operator: str, known: bool, convolves: bool) -> str:
    if not known:
        return NO_RULE.format(operator)
    cause = _CAUSES.get(operator, WORDED)
    return STANDARDISATION if cause == NORMS and convolves else cause
