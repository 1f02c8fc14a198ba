"""Layers of SampleRNN that are applied to one vector at a time, and the stack of its cells.

Letters in the shapes: B batch, F frames, D width, S size of a cell's state.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class StreamedLayer(nn.Module):
    """A layer that generation applies to single vectors, tens of thousands of times.

    Each product then takes as long as its kernel takes to arrive from memory, and recomputing the
    kernel (weight norm) would take several times as long. Generation therefore computes all kernels
    once, see `hold_kernels_ready`; outside of it they follow the parameters at every call.

    Attributes:
        taps: number of successive vectors that one input consists of.
    """

    taps: int = 1
    _ready: tuple[Tensor, ...] | None = None

    def compute_kernels(self) -> tuple[Tensor, ...]:
        """Compute the kernels from the parameters, each (out, in)."""
        raise NotImplementedError

    def get_kernels(self) -> tuple[Tensor, ...]:
        """Return the kernels to multiply with, each (out, in)."""
        ready = self._ready
        return self.compute_kernels() if ready is None else ready

    def make_ready(self) -> None:
        """Compute the kernels and keep them until `forget`, even if the parameters change."""
        self._ready = tuple(
            lay_out_for_streaming(kernel, self.taps) for kernel in self.compute_kernels()
        )

    def forget(self) -> None:
        """Go back to computing the kernels at every call."""
        self._ready = None


def lay_out_for_streaming(kernel: Tensor, taps: int = 1) -> Tensor:
    """Return an (out, in) kernel with its longer side contiguous in memory.

    Multiplying one vector then reads long runs of consecutive addresses, which a processor
    prefetches: for 1024 x 3072 and wider, in about two thirds of the other layout's time.
    A kernel of several taps is regarded as a sequence of kernels (out, in / taps).
    """
    out_features, in_features = kernel.shape
    wide = out_features > in_features // taps
    return kernel.t().contiguous().t() if wide else kernel.contiguous()


@contextmanager
def hold_kernels_ready(model: nn.Module) -> Iterator[None]:
    """Keep all kernels of a model computed and laid out for streaming within the block."""
    layers = [layer for layer in model.modules() if isinstance(layer, StreamedLayer)]
    try:
        for layer in layers:
            layer.make_ready()
        yield
    finally:
        for layer in layers:
            layer.forget()


class StreamedLinear(StreamedLayer):
    """A linear map, weight-normed or plain; subclasses define how its kernel is stored.

    The parameters are ``weight``, or ``weight_v`` and ``weight_g`` with weight norm, and ``bias``.

    Args:
        weight: initial kernel, in its stored shape.
        length: initial ``weight_g``; None stores a plain ``weight``.
        bias: size of the bias, initially 0; None for no bias.
        taps: as in the parent class.

    Shape:
        x: (..., in); result: (..., out).
    """

    def __init__(
        self, weight: Tensor, length: Tensor | None, bias: int | None, taps: int = 1
    ) -> None:
        super().__init__()
        self.taps = taps
        self.weight_norm = length is not None
        if length is None:
            self.weight = nn.Parameter(weight)
        else:
            self.weight_v, self.weight_g = nn.Parameter(weight), nn.Parameter(length)
        self.bias = None if bias is None else nn.Parameter(torch.zeros(bias))

    @property
    def dtype(self) -> torch.dtype:
        """Type of the kernel."""
        return (self.weight_v if self.weight_norm else self.weight).dtype

    def compute_weight(self) -> Tensor:
        """Compute the kernel in its stored shape, with weight norm applied."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        (kernel,) = self.get_kernels()
        return F.linear(x, kernel, self.bias)

    def apply_taps(self, x: Tensor, tap: int) -> Tensor:
        """Return the contribution of the vectors in x, from ``tap`` on, without the bias."""
        (kernel,) = self.get_kernels()
        start = tap * (kernel.shape[1] // self.taps)
        return F.linear(x, kernel[:, start : start + x.shape[-1]])


class RecurrentStack(nn.Module):
    """Stacked recurrent cells with their initial states.

    A cell maps (B, in) and its state (B, S) to its next state (B, S), whose first D numbers are
    its output: S = D for a GRU, 2 D for an LSTM, which has its memory in the second half.

    Shape:
        x: (B, F, in); states: one (B, S) per cell; result: (B, F, D), states after the last frame.
    """

    h0: Tensor

    def __init__(
        self, cells: Sequence[nn.Module], dim: int, state_size: int, learned: bool
    ) -> None:
        super().__init__()
        self.dim = dim
        self.cells = nn.ModuleList(cells)
        h0 = torch.zeros(len(cells), state_size)
        if learned:
            self.h0 = nn.Parameter(h0)
        else:
            self.register_buffer("h0", h0)

    def make_initial_states(self, batch: int) -> list[Tensor]:
        """Return the initial state of each cell, (B, S)."""
        return [state.repeat(batch, 1) for state in self.h0]

    def step(self, x: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Run one frame, (B, in) -> (B, D)."""
        after = []
        for cell, state in zip(self.cells, states, strict=True):
            after.append(cell(x, state))
            x = after[-1][:, : self.dim]
        return x, after

    def forward(self, x: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        outputs = []
        for frame in x.unbind(1):
            output, states = self.step(frame, states)
            outputs.append(output)
        return torch.stack(outputs, dim=1), states
