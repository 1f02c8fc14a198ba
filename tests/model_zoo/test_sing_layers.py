"""SING's convolutions as matrix products against torch's own convolutions."""

import pytest
import torch
from torch.nn import functional as F

from model_zoo.sing_layers import (
    conv1d_as_matmul,
    conv_transpose1d_as_overlap_add,
    multiply_in_lines,
)
from tests.model_zoo.fidelity import relative_error


@pytest.mark.parametrize("gradients", [False, True])
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize(("kernel_size", "frames"), [(1, 7), (1, 32), (3, 20)])
def test_matmul_form_is_the_convolution(
    gradients: bool, batch: int, kernel_size: int, frames: int
) -> None:
    generator = torch.Generator().manual_seed(0)
    x, weight, bias = (
        torch.randn(size, generator=generator, dtype=torch.float64)
        for size in [(batch, 5, frames), (6, 5, kernel_size), (6,)]
    )
    with torch.set_grad_enabled(gradients):
        result = conv1d_as_matmul(x, weight, bias)
    assert relative_error(result, F.conv1d(x, weight, bias)) < 1e-14


@pytest.mark.parametrize("gradients", [False, True])
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize(("kernel_size", "stride", "padding"), [(8, 2, 6), (7, 3, 4), (4, 4, 0)])
def test_overlap_add_form_is_the_transposed_convolution(
    gradients: bool, batch: int, kernel_size: int, stride: int, padding: int
) -> None:
    generator = torch.Generator().manual_seed(0)
    x, weight, bias = (
        torch.randn(size, generator=generator, dtype=torch.float64)
        for size in [(batch, 5, 9), (5, 1, kernel_size), (1,)]
    )
    with torch.set_grad_enabled(gradients):
        result = conv_transpose1d_as_overlap_add(x, weight, bias, stride, padding)
    expected = F.conv_transpose1d(x, weight, bias, stride, padding)
    assert result.shape == expected.shape
    assert relative_error(result, expected) < 1e-14


@pytest.mark.parametrize(("columns", "apart"), [(1, 16), (16, 16), (17, 32)])
def test_rows_of_a_product_start_on_cache_lines(columns: int, apart: int) -> None:
    a, b = torch.randn(3, 4), torch.randn(4, columns)
    with torch.no_grad():
        product = multiply_in_lines(a, b)
    assert product.stride() == (apart, 1)
    assert torch.allclose(product, a @ b)
