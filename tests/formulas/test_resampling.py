"""Pooling and interpolation against loops over windows and neighbours."""

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from inspect_cost.formulas import resampling as formula
from inspect_cost.values.cost import OpCost
from tests.formulas.naive import resampling as naive
from tests.formulas.naive.reduction import largest, mean
from tests.formulas.proof import EXACT, SIZE, count_cost, draw_normal, draw_uniform, prove

MAX_POOL = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
AVERAGE_POOL = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}
ADAPTIVE_MAX = {1: F.adaptive_max_pool1d, 2: F.adaptive_max_pool2d, 3: F.adaptive_max_pool3d}
ADAPTIVE_AVERAGE: dict[int, Any] = {
    1: F.adaptive_avg_pool1d,
    2: F.adaptive_avg_pool2d,
    3: F.adaptive_avg_pool3d,
}


@st.composite
def windows(draw: st.DrawFn, dimensions: int, *, padded: bool) -> tuple[Any, dict[str, Any]]:
    """Draw the shape of an input and how it is pooled."""

    def each(low: int, high: int) -> tuple[int, ...]:
        return tuple(draw(st.integers(low, high)) for _ in range(dimensions))

    kernel, stride, extra = each(1, 3 if dimensions < 3 else 2), each(1, 3), each(0, 2)
    padding = tuple(draw(st.integers(0, k // 2 if padded else 0)) for k in kernel)
    sizes = tuple(k + e for k, e in zip(kernel, extra, strict=True))
    shape = (draw(st.integers(1, 2)), draw(st.integers(1, 2)), *sizes)
    return shape, {"kernel": kernel, "stride": stride, "padding": padding}


@pytest.mark.parametrize("dimensions", [1, 2, 3])
@EXACT
@given(data=st.data())
def test_max_pooling_compares_every_number_of_a_window(
    dimensions: int, data: st.DataObject
) -> None:
    shape, w = data.draw(windows(dimensions, padded=True))
    (x,) = draw_normal(shape)

    def call(x: Any) -> Any:
        return MAX_POOL[dimensions](x, w["kernel"], w["stride"], w["padding"])

    prove(
        call,
        lambda x: naive.pool(x, largest, **w, fill=-math.inf),
        x,
        formula=formula.max_pool(call(x).numel(), w["kernel"]),
    )


@pytest.mark.parametrize("dimensions", [1, 2, 3])
@EXACT
@given(data=st.data())
def test_average_pooling_is_a_mean_of_each_window(dimensions: int, data: st.DataObject) -> None:
    shape, w = data.draw(windows(dimensions, padded=dimensions < 3))
    (x,) = draw_normal(shape)

    def call(x: Any) -> Any:
        return AVERAGE_POOL[dimensions](x, w["kernel"], w["stride"], w["padding"])

    prove(
        call,
        lambda x: naive.pool(x, mean, **w),
        x,
        formula=formula.average_pool(call(x).numel(), w["kernel"]),
    )


@EXACT
@given(size=st.integers(2, 6), kernel=st.integers(1, 2))
def test_one_number_for_a_window_stands_for_all_dimensions(size: int, kernel: int) -> None:
    (x,) = draw_normal((1, 2, size, size))
    w: dict[str, Any] = {"kernel": [kernel] * 2, "stride": [kernel] * 2, "padding": [0, 0]}
    prove(lambda x: F.max_pool2d(x, kernel), lambda x: naive.pool(x, largest, **w), x)
    with_positions = torch.ops.aten.max_pool2d_with_indices
    prove(lambda x: with_positions(x, kernel)[0], lambda x: naive.pool(x, largest, **w), x)
    prove(lambda x: F.avg_pool2d(x, kernel), lambda x: naive.pool(x, mean, **w), x)


@pytest.mark.parametrize("dimensions", [1, 2, 3])
@EXACT
@given(data=st.data())
def test_adaptive_pooling_has_windows_of_different_sizes(
    dimensions: int, data: st.DataObject
) -> None:
    length = st.integers(1, 7 if dimensions < 3 else 4)
    both = st.lists(length, min_size=dimensions, max_size=dimensions)
    sizes, outs = data.draw(both), data.draw(both)
    planes = data.draw(SIZE)
    (x,) = draw_normal((1, planes, *sizes))
    prove(
        lambda x: ADAPTIVE_AVERAGE[dimensions](x, outs),
        lambda x: naive.adaptive_pool(x, mean, outs),
        x,
        formula=formula.adaptive_average_pool(planes, sizes, outs),
    )
    prove(
        lambda x: ADAPTIVE_MAX[dimensions](x, outs),
        lambda x: naive.adaptive_pool(x, largest, outs),
        x,
        formula=formula.adaptive_max_pool(planes, sizes, outs),
    )


@EXACT
@given(size=st.integers(1, 30), out=st.integers(1, 30))
def test_adaptive_windows_reach_from_floor_to_ceiling(size: int, out: int) -> None:
    assert formula.adaptive_windows(size, out) == [
        math.ceil((i + 1) * size / out) - math.floor(i * size / out) for i in range(out)
    ]


LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}


@pytest.mark.parametrize("corners", [False, True], ids=["half pixels", "aligned corners"])
@pytest.mark.parametrize("dimensions", [1, 2, 3])
@EXACT
@given(data=st.data())
def test_linear_interpolation_weighs_2_to_the_d_neighbours(
    dimensions: int, corners: bool, data: st.DataObject
) -> None:
    sizes, outs = (
        data.draw(st.tuples(*[st.integers(1, 6 if dimensions < 3 else 3)] * dimensions))
        for _ in range(2)
    )
    (x,) = draw_normal((1, 2, *sizes))
    prove(
        lambda x: F.interpolate(x, outs, mode=LINEAR[dimensions], align_corners=corners),
        lambda x: naive.interpolate(
            x, outs, naive.linear_with_corners if corners else naive.linear
        ),
        x,
        formula=formula.linear_interpolation(2 * math.prod(outs), dimensions),
    )


def test_bilinear_interpolation_is_7_an_output() -> None:
    assert formula.linear_interpolation(10, 2).flops == 70


@EXACT
@given(sizes=st.tuples(SIZE, SIZE), outs=st.tuples(SIZE, SIZE))
def test_bicubic_interpolation_weighs_16_neighbours(
    sizes: tuple[int, int], outs: tuple[int, int]
) -> None:
    (x,) = draw_normal((1, 2, *sizes))
    prove(
        lambda x: F.interpolate(x, outs, mode="bicubic"),
        lambda x: naive.interpolate(x, outs, naive.cubic),
        x,
        formula=formula.cubic_interpolation(2 * math.prod(outs), 2),
    )


@pytest.mark.parametrize("mode", ["bilinear", "nearest"])
@pytest.mark.parametrize("padding", ["zeros", "border"])
@pytest.mark.parametrize("aligned", [False, True])
@EXACT
@given(channels=SIZE, h=SIZE, w=SIZE, points=SIZE)
def test_sampling_at_points_of_a_grid(
    aligned: bool, padding: str, mode: str, channels: int, h: int, w: int, points: int
) -> None:
    x, grid = draw_normal((2, channels, h, w), (2, points, 2, 2))
    n = 2 * points * 2
    places = formula.grid_positions(n, 2, aligned=aligned, clamped=padding == "border")
    taken = formula.linear_grid_weights(n, 2) + formula.linear_interpolation(n * channels, 2)
    prove(
        lambda x, g: F.grid_sample(x, g, mode, padding, aligned),
        lambda x, g: naive.sample_grid(
            x, g, aligned=aligned, clamped=padding == "border", nearest=mode == "nearest"
        ),
        x,
        grid,
        formula=places + (formula.nearest_grid(n, 2) if mode == "nearest" else taken),
    )


def interpolate_deformed(x: Tensor, places: Tensor, offsets: Tensor, mask: Tensor | None) -> Tensor:
    """Interpolate a deformable convolution's inputs by torch's own operators."""
    moved = places + offsets
    floors = moved.floor()
    i, j = floors.long().unbind(1)
    above = moved - floors
    below = 1 - above
    (v, u), (b, a) = below.unbind(1), above.unbind(1)
    near = (v * u) * x[:, i, j] + (v * a) * x[:, i, j + 1]
    taps = near + (b * u) * x[:, i + 1, j] + (b * a) * x[:, i + 1, j + 1]
    return taps if mask is None else taps * mask


@EXACT
@given(channels=SIZE, points=SIZE, masked=st.booleans())
def test_taps_of_a_deformable_convolution(channels: int, points: int, masked: bool) -> None:
    x, mask = draw_normal((channels, 5, 5), (points,))
    (offsets,) = draw_uniform(-0.9, 0.9, (points, 2))
    places = torch.arange(2 * points).reshape(points, 2) % 3 + 1
    prove(
        interpolate_deformed,
        naive.interpolate_deformed,
        x,
        places,
        offsets,
        mask if masked else None,
        formula=formula.deformed_taps(channels * points, points, masked=masked),
    )


def test_sampling_volumes_takes_eight_corners() -> None:
    x, grid = draw_normal((1, 2, 3, 4, 5), (1, 2, 3, 4, 3))
    n = 2 * 3 * 4
    expected = formula.grid_positions(n, 3, aligned=True, clamped=False)
    expected += formula.linear_grid_weights(n, 3) + formula.linear_interpolation(2 * n, 3)
    prove(
        lambda x, g: F.grid_sample(x, g, align_corners=True),
        lambda x, g: naive.sample_grid(x, g, aligned=True, clamped=False, nearest=False),
        x,
        grid,
        formula=expected,
    )


@EXACT
@given(h=st.integers(1, 6), w=st.integers(2, 6), outs=st.tuples(SIZE, st.integers(2, 4)))
def test_antialiased_interpolation_widens_its_filter(h: int, w: int, outs: tuple[int, int]) -> None:
    """Images have two columns or more, before and after: with one, torch repeats the first row."""
    (x,) = draw_normal((1, 2, h, w))
    prove(
        lambda x: F.interpolate(x, outs, mode="bilinear", antialias=True),
        lambda x: naive.interpolate_antialiased(x, outs),
        x,
        formula=formula.antialiased_interpolation(2, (h, w), outs, 2),
    )


@pytest.mark.parametrize(("size", "out"), [(6, 3), (3, 6), (7, 2), (4, 4)])
def test_windows_of_antialiased_interpolation(size: int, out: int) -> None:
    """An output's window holds the inputs that change it."""
    x = torch.eye(size, dtype=torch.float64)[None, :, None]
    y = F.interpolate(x, (1, out), mode="bicubic", antialias=True)
    reach = formula.antialiased_windows(size, out, 4)
    assert all(n >= read for n, read in zip(reach, y[0].count_nonzero((0, 1)), strict=True))
    assert sum(reach) <= out * size


def test_an_affine_grid_is_a_product_for_each_coordinate() -> None:
    (theta,) = draw_normal((2, 2, 3))
    report = count_cost(lambda t: F.affine_grid(t, [2, 1, 4, 5], align_corners=False), theta)
    assert report == OpCost(macs=2 * 4 * 5 * 2 * 3)


def test_fractional_pooling_compares_within_windows() -> None:
    (x,) = draw_normal((1, 2, 8, 8))
    assert count_cost(lambda x: F.fractional_max_pool2d(x, 2, 3), x) == formula.max_pool(18, (2, 2))
