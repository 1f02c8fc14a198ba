"""Convolutions of SING's decoder as matrix products, which a CPU computes at full speed.

Wide layers over a few hundred frames are an uncommon shape for convolutions, for which generic
implementations reach about half the rate of a matrix product (float32, AMD EPYC, PyTorch 2.13 with
oneDNN).
"""

import torch
from torch import Tensor
from torch.nn import functional as F

FLOATS_PER_LINE = 16  # float32 values in a cache line of 64 bytes


def multiply_in_lines(a: Tensor, b: Tensor) -> Tensor:
    """Compute ``a @ b`` with each row of the result starting on a cache line of its own.

    A note has 257 frames in the decoder. Rows of 257 floats straddle the cache lines, which reduces
    the rate of the product by about a quarter; rows that start 272 floats apart do not.

    Shape:
        a: (M, I); b: (I, N); result: (M, N), with gaps between its rows in memory.
    """
    # Autograd and compilers do not support writing a product into existing memory, and autocast
    # does not change the types of its operands.
    if torch.is_grad_enabled() or torch.compiler.is_compiling() or a.dtype != b.dtype:
        return a @ b
    columns = b.shape[1]
    lines = -(-columns // FLOATS_PER_LINE)  # division rounded up
    out = a.new_empty(a.shape[0], lines * FLOATS_PER_LINE)[:, :columns]
    return torch.mm(a, b, out=out)


def conv1d_as_matmul(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Compute `F.conv1d` without padding or stride as one matrix product, with a column per frame.

    Shape:
        x: (B, I, L); weight: (O, I, K); bias: (O,); result: (B, O, L - K + 1).
    """
    neighbours = x.unfold(2, weight.shape[2], 1).permute(1, 3, 0, 2)  # (I, K, B, L - K + 1)
    columns = neighbours.flatten(0, 1).flatten(1)
    out = multiply_in_lines(weight.flatten(1), columns).add_(bias.unsqueeze(1))
    return out.unflatten(1, neighbours.shape[2:]).transpose(0, 1)


def conv_transpose1d_as_overlap_add(
    x: Tensor, weight: Tensor, bias: Tensor, stride: int, padding: int
) -> Tensor:
    """Compute `F.conv_transpose1d` to one channel as a matrix product and an overlap-add.

    On the "meta" device, where there is no speed to gain, the published operator runs and is
    counted.

    Shape:
        x: (B, C, N); weight: (C, 1, K); bias: (1,); result: (B, 1, (N - 1) stride + K - 2 padding).
    """
    if x.is_meta:
        return F.conv_transpose1d(x, weight, bias, stride, padding)
    batch, _, frames = x.shape
    kernel_size = weight.shape[2]
    columns = x.transpose(0, 1).flatten(1)  # (C, B N)
    pieces = multiply_in_lines(weight.squeeze(1).t(), columns).unflatten(1, (batch, frames))
    length = (frames - 1) * stride + kernel_size
    summed = F.fold(pieces.transpose(0, 1), (1, length), (1, kernel_size), stride=(1, stride))
    return summed.squeeze(2)[..., padding : length - padding] + bias
