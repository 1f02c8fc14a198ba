"""Weight normalisation (Salimans & Kingma 2016, eq. 2), stored as published, foldable.

A weight-normed kernel is stored as a direction ``weight_v`` and one length ``weight_g`` per output
channel, the tensors that PyTorch's and the authors' checkpoints hold. The kernel itself is computed
at every call, as in the published implementations; `fold_state_dict` computes it once.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def normalise(direction: Tensor, length: Tensor) -> Tensor:
    """Return the kernel `g * v / ||v||`, with the norm over all dimensions except the first.

    This is one operator, the one behind torch's own weight norm, and saves a pass over the weights.

    Shape:
        direction: (O, ...); length: (O, 1, ..., 1); result: as direction.
    """
    return torch._weight_norm(direction, length, 0)  # noqa: SLF001


def get_kernel(conv: nn.Conv1d) -> Tensor:
    """Return the kernel that a convolution applies, weight-normed or plain."""
    if isinstance(conv, WeightNormConv1d):
        return normalise(conv.weight_v, conv.weight_g)
    return conv.weight


class WeightNormConv1d(nn.Conv1d):
    """`torch.nn.Conv1d` with a weight-normed kernel.

    Shape:
        x: (B, in_channels, T); result: (B, out_channels, T_out).
    """

    weight_g: nn.Parameter
    weight_v: nn.Parameter

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.weight_g, self.weight_v = _split_off_weight(self)

    def forward(self, x: Tensor) -> Tensor:
        return self._conv_forward(x, get_kernel(self), self.bias)


class WeightNormConvTranspose2d(nn.ConvTranspose2d):
    """`torch.nn.ConvTranspose2d` with a kernel weight-normed over its first (input) dimension.

    Shape:
        x: (B, in_channels, H, W); result: (B, out_channels, H_out, W_out).
    """

    weight_g: nn.Parameter
    weight_v: nn.Parameter
    stride: tuple[int, int]
    padding: tuple[int, int]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: tuple[int, int],
        stride: tuple[int, int],
        padding: tuple[int, int],
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, padding)
        self.weight_g, self.weight_v = _split_off_weight(self)

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        if output_size is not None:
            raise NotImplementedError("the output size follows from the kernel, stride and padding")
        kernel = normalise(self.weight_v, self.weight_g)
        return F.conv_transpose2d(x, kernel, self.bias, self.stride, self.padding)


def _split_off_weight(layer: nn.Conv1d | nn.ConvTranspose2d) -> tuple[nn.Parameter, nn.Parameter]:
    """Remove a layer's ``weight`` and return the ``weight_g`` and ``weight_v`` that give it."""
    weight = layer.weight.detach()
    del layer.weight
    dims = tuple(range(1, weight.dim()))
    length = torch.linalg.vector_norm(weight, dim=dims, keepdim=True)
    return nn.Parameter(length), nn.Parameter(weight)


def fold_state_dict(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the state with plain kernels: a ``weight`` for each ``weight_v`` and ``weight_g``."""
    folded = {}
    for name, tensor in state_dict.items():
        if name.endswith("weight_v"):
            length = state_dict[name.removesuffix("_v") + "_g"]
            folded[name.removesuffix("_v")] = normalise(tensor, length)
        elif not name.endswith("weight_g"):
            folded[name] = tensor
    return folded
