"""Torchvision's operators against loops over bins, samples, pairs and taps.

The operators are torchvision's own where it loads, else stand-ins of the same schemas.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from inspect_cost import CountError, count
from inspect_cost.counting.torch.failures import WITH_WEIGHTS
from inspect_cost.counting.torch.meta import META_KERNELS
from inspect_cost.formulas import backward, resampling
from inspect_cost.formulas import regions as formula
from inspect_cost.formulas.reduction import sort
from inspect_cost.values.cost import OpCost
from inspect_cost.values.notes import codes
from tests.formulas.naive import regions as naive
from tests.formulas.proof import (
    EXACT,
    FunctionModule,
    count_cost,
    draw_normal,
    draw_uniform,
    prove,
    run_reference,
)
from tests.torchvision_operators import provide_operators

#: In an image of 7 x 9: within, beyond two edges, narrower than a pixel, of no size.
BOXES = [
    [0, 1.2, 0.7, 6.3, 5.9],
    [1, 4.0, 3.0, 11.0, 8.5],
    [1, 2.0, 2.0, 2.3, 6.0],
    [0, 3.0, 1.0, 3.0, 1.0],
]


@pytest.fixture(scope="module", autouse=True)
def ops() -> Iterator[Any]:
    with provide_operators():
        yield torch.ops.torchvision


def as_tensor(boxes: Sequence[Sequence[float]]) -> Tensor:
    return torch.tensor(boxes, dtype=torch.float64)


COUNTS = st.tuples(st.integers(1, 3), st.integers(1, 3))
SOME_BOXES = st.lists(st.sampled_from(BOXES[:3]), min_size=1, max_size=3)


@pytest.mark.parametrize("aligned", [False, True])
@pytest.mark.parametrize("ratio", [0, -1, 1, 2])
@EXACT
@given(boxes=SOME_BOXES, counts=COUNTS, scale=st.sampled_from([1.0, 0.5]))
def test_aligned_boxes(
    ops: Any, ratio: int, aligned: bool, boxes: Any, counts: tuple[int, int], scale: float
) -> None:
    bins = naive.Bins(boxes, counts, scale, max(ratio, 0), aligned)
    x, g = draw_normal((2, 2, 7, 9), (len(boxes), 2, *counts))
    found = as_tensor(boxes)
    prove(
        lambda x: ops.roi_align(x, found, scale, *counts, ratio, aligned),
        lambda x: naive.align(x, bins),
        x,
        formula=formula.aligned_bins(g.numel(), ratio**2) if ratio > 0 else None,
    )
    prove(
        lambda g: ops._roi_align_backward(  # noqa: SLF001
            g, found, scale, *counts, *x.shape, ratio, aligned
        ),
        lambda g: naive.align_gradient(g, bins, x.shape),
        g,
        formula=backward.aligned_bins(g.numel(), ratio**2) if ratio > 0 else None,
    )


@pytest.mark.parametrize("ratio", [0, 2])
def test_bins_with_channels_of_their_own(ops: Any, ratio: int) -> None:
    bins = naive.Bins(BOXES[:3], (2, 3), 0.5, ratio)
    x, g = draw_normal((2, 12, 7, 9), (3, 2, 2, 3))
    boxes = as_tensor(bins.boxes)
    prove(
        lambda x: ops.ps_roi_align(x, boxes, 0.5, 2, 3, ratio)[0],
        lambda x: naive.align_by_position(x, bins),
        x,
    )
    _, places = ops.ps_roi_align(x, boxes, 0.5, 2, 3, ratio)
    spent = count_cost(
        lambda g: ops._ps_roi_align_backward(  # noqa: SLF001
            g, boxes, places, 0.5, 2, 3, ratio, *x.shape
        ),
        g,
    )
    expected = count_cost(
        lambda g: ops._roi_align_backward(  # noqa: SLF001
            g, boxes, 0.5, 2, 3, 2, 2, 7, 9, ratio, True
        ),
        g,
    )
    assert spent == expected


def test_a_box_of_no_size_has_no_samples(ops: Any) -> None:
    (x,) = draw_normal((1, 2, 7, 9))
    boxes = as_tensor(BOXES[3:])
    spent = count_cost(lambda x: ops.roi_align(x, boxes, 1.0, 2, 2, 0, False), x)
    assert spent == formula.aligned_bins(8, 1)  # without alignment, it is a pixel wide


@EXACT
@given(
    boxes=st.lists(st.sampled_from(BOXES), min_size=1, max_size=3),
    counts=COUNTS,
    scale=st.sampled_from([1.0, 0.5]),
)
def test_whole_pixels_of_boxes(ops: Any, boxes: Any, counts: tuple[int, int], scale: float) -> None:
    bins, found, channels = naive.Bins(boxes, counts, scale), as_tensor(boxes), 2 * counts[0]
    x, g = draw_normal((2, channels * counts[1], 7, 9), (len(boxes), 2, *counts))
    prove(lambda x: ops.roi_pool(x, found, scale, *counts)[0], lambda x: naive.pool(x, bins), x)
    prove(
        lambda x: ops.ps_roi_pool(x, found, scale, *counts)[0],
        lambda x: naive.pool_by_position(x, bins),
        x,
    )
    _, places = ops.ps_roi_pool(x, found, scale, *counts)
    prove(
        lambda g: ops._ps_roi_pool_backward(  # noqa: SLF001
            g, found, places, scale, *counts, *x.shape
        ),
        lambda g: naive.pool_by_position_gradient(g, bins, x.shape),
        g,
    )


def test_gradients_of_maxima_are_added_once_each(ops: Any) -> None:
    x, g = draw_normal((2, 2, 7, 9), (2, 2, 3, 2))
    boxes = as_tensor(BOXES[:2])
    _, places = ops.roi_pool(x, boxes, 1.0, 3, 2)
    spent = count_cost(
        lambda g: ops._roi_pool_backward(g, boxes, places, 1.0, 3, 2, *x.shape),  # noqa: SLF001
        g,
    )
    assert spent == backward.scatter(24)


@pytest.mark.parametrize("n", [0, 1, 2, 6])
def test_suppression_compares_each_box_with_all_better_ones(ops: Any, n: int) -> None:
    corners = torch.arange(n, dtype=torch.float64)[:, None] * 3
    apart = torch.cat([corners, corners, corners + 2, corners + 1], 1)
    (scores,) = draw_normal((n,))
    assert count_cost(
        lambda b, s: ops.nms(b, s, 0.5), apart, scores
    ) == formula.non_maximum_suppression(n)
    if n:
        spent = run_reference(
            lambda b, s: naive.suppress(b, s, 0.5),
            apart,
            scores,
            expected=ops.nms(apart, scores, 0.5),
        )
        assert spent + sort(1, n) == formula.non_maximum_suppression(n)


def test_suppressed_boxes_are_counted_as_compared(ops: Any) -> None:
    """What is counted is the most that any values take: here, fewer pairs would do."""
    low, size, scores = draw_uniform(0, 3, (8, 2), (8, 2), (8,))
    boxes = torch.cat([low, low + 1 + size], 1)
    kept = ops.nms(boxes, scores, 0.2)
    assert len(kept) < 8
    spent = run_reference(lambda b, s: naive.suppress(b, s, 0.2), boxes, scores, expected=kept)
    bound = formula.non_maximum_suppression(8)
    assert spent.flops + sort(1, 8).flops < bound.flops
    assert count_cost(lambda b, s: ops.nms(b, s, 0.2), boxes, scores) == bound
    assert formula.OVERLAP.flops == 13
    assert formula.BOX_AREA.flops == 3


CONVOLUTIONS = {
    "plain": naive.Sizes((1, 1), (1, 0), (1, 1), 1, 1),
    "in groups": naive.Sizes((2, 1), (0, 1), (1, 2), 2, 1),
    "in groups of offsets": naive.Sizes((1, 2), (1, 1), (1, 1), 1, 2),
    "in both": naive.Sizes((1, 1), (0, 0), (2, 1), 2, 4),
}


def test_which_boxes_are_kept_depends_on_values(ops: Any) -> None:
    class Proposals(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(4, 4)

        def forward(self, x: Tensor, scores: Tensor) -> Any:
            return ops.nms(self.linear(x), scores, 0.5)

    operands = (torch.rand(3, 4), torch.rand(3))
    report = count(Proposals(), *operands)
    assert report.complete
    assert "real-run" in codes(report.notes)
    with pytest.raises(CountError) as caught:
        count(Proposals().to("meta"), *operands)
    assert caught.value.advice == WITH_WEIGHTS


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolution_at_moved_positions(ops: Any, name: str, masked: bool) -> None:
    sizes = CONVOLUTIONS[name]
    x, weight, bias = draw_normal((2, 4, 4, 5), (2, 4 // sizes.groups, 2, 3), (2,))
    plain = torch.nn.functional.conv2d(x, weight, None, *sizes[:4])
    places = plain.shape[2:]
    (offset,) = draw_uniform(-1.3, 1.3, (2, 2 * 6 * sizes.offset_groups, *places))
    (mask,) = draw_uniform(0.1, 0.9, (2, 6 * sizes.offset_groups, *places))
    numbers = [n for pair in sizes[:3] for n in pair]
    options = (*numbers, *sizes[3:], masked)
    (g,) = draw_normal(plain.shape)

    def call(x: Any, weight: Any, offset: Any, mask: Any, bias: Any) -> Any:
        return ops.deform_conv2d(x, weight, offset, mask, bias, *options)

    prove(
        call,
        lambda x, w, o, m, b: naive.deform_conv(x, w, o, m if masked else None, b, sizes),
        x,
        weight,
        offset,
        mask,
        bias,
        formula=resampling.deformed_convolution(
            4, weight.shape, plain.shape, offset.numel() // 2, masked=masked, biased=True
        ),
    )

    def gradients(g: Any, x: Any, weight: Any, offset: Any, mask: Any, bias: Any) -> Any:
        found = ops._deform_conv2d_backward(  # noqa: SLF001
            g, x, weight, offset, mask, bias, *options
        )
        kept = [part for i, part in enumerate(found) if masked or i != 3]
        return torch.cat([part.flatten() for part in kept])

    taps, points = plain[:, 0].numel() * 4 * 6, offset.numel() // 2
    macs = plain.numel() * weight[0].numel()
    prove(
        gradients,
        lambda g, x, w, o, m, _b: naive.deform_conv_gradients(
            g, x, w, o, m if masked else None, sizes
        ),
        g,
        x,
        weight,
        offset,
        mask,
        bias,
        formula=backward.deformed_convolution(macs, plain.numel(), 2, taps, points, masked=masked),
    )


def describe(result: Any) -> list[Any]:
    tensors = result if isinstance(result, tuple) else (result,)
    return [(tensor.shape, tensor.dtype) for tensor in tensors]


@pytest.mark.parametrize("name", ["roi_align", "ps_roi_align", "roi_pool", "ps_roi_pool"])
def test_shapes_without_values(ops: Any, name: str) -> None:
    (x,) = draw_normal((2, 12, 7, 9))
    options = {"roi_align": (2, True), "ps_roi_align": (2,)}.get(name, ())
    call = getattr(ops, name)
    operands, sizes = (x, as_tensor(BOXES)), (0.5, 2, 3, *options)
    on_meta = tuple(tensor.to("meta") for tensor in operands)
    found = META_KERNELS[f"torchvision.{name}"](*on_meta, *sizes)
    assert describe(found) == describe(call(*operands, *sizes))
    report = count(FunctionModule(lambda *on_meta: call(*on_meta, *sizes)), *on_meta)
    # Whole pixels of boxes without values are unknown; a ratio says how many samples there are.
    assert report.complete == name.endswith("align")


def test_boxes_with_values_say_how_many_samples_there_are(ops: Any) -> None:
    """The image has no values; an adaptive ratio needs those of the boxes only."""
    (x,) = draw_normal((2, 3, 7, 9))
    boxes = as_tensor(BOXES[:3])
    module = FunctionModule(lambda x, b: ops.roi_align(x, b, 1.0, 2, 2, 0, True))
    known = count(module, x.to("meta"), boxes)
    assert known.complete
    assert known.cost == count(module, x, boxes).cost
    unknown = count(module, x.to("meta"), boxes.to("meta"))
    assert dict(unknown.uncounted) == {"torchvision.roi_align": 1}


@pytest.mark.parametrize(("sizes", "boxes"), [((1, 4, 6, 6), (3, 4)), ((1, 4, 6, 6), (3, 6))])
def test_boxes_that_do_not_fit_are_refused(ops: Any, sizes: Any, boxes: Any) -> None:
    with pytest.raises(CountError):
        count(
            FunctionModule(lambda x, b: ops.roi_pool(x, b, 1.0, 2, 2)),
            torch.zeros(sizes, device="meta"),
            torch.zeros(boxes, device="meta"),
        )


def test_a_convolution_without_values_has_the_same_cost(ops: Any) -> None:
    x, weight, offset, mask, bias, g = draw_normal(
        (2, 4, 5, 5), (6, 2, 3, 3), (2, 18, 3, 3), (2, 9, 3, 3), (6,), (2, 6, 3, 3)
    )
    options = (1, 1, 0, 0, 1, 1, 2, 1, True)
    real, meta = (
        [
            count_cost(lambda *t: ops.deform_conv2d(*t, *options), *operands[1:])
            + count_cost(lambda *t: ops._deform_conv2d_backward(*t, *options), *operands)  # noqa: SLF001
            for operands in [[t.to(device) for t in (g, x, weight, offset, mask, bias)]]
        ]
        for device in ("cpu", "meta")
    )
    assert real == meta
    assert real[0].macs == 3 * 2 * 6 * 9 * 2 * 9
    assert real[0] != OpCost()
