"""Meta kernel of the inverse short-time Fourier transform, for which torch has none."""

from typing import Any

import torch
from torch import Tensor


def inverse_short_time_transform(
    x: Tensor,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Tensor | None = None,
    *options: Any,
    **named: Any,
) -> Tensor | None:
    """Take the length that a few frames give, and a hop for each further one.

    Torch's own kernel asks whether the windows leave gaps, which it reads from their values. It
    is run on a few empty frames, so that it refuses what it would refuse, gaps apart.
    """
    hop = n_fft // 4 if hop_length is None else hop_length
    if not x.is_complex() or x.dim() not in {2, 3} or not x.numel() or hop < 1:
        return None
    bins, frames = x.shape[-2:]
    few = min(frames, 2 * -(-n_fft // hop) + 2)
    cut = hop * (frames - few)
    names = "center", "normalized", "onesided", "length", "return_complex"
    given = dict(zip(names, options, strict=False))
    given |= named
    length = given.get("length")
    if length is not None:
        given["length"] = max(1, length - cut)
    known = torch.ones(win_length or n_fft) if window is None else window
    own = torch.ones(known.shape, dtype=known.dtype)
    spectrum = torch.zeros((bins, few), dtype=x.dtype)
    signal = torch.istft(spectrum, n_fft, hop, win_length, own, **given)
    samples = len(signal) + cut if length is None else length
    return torch.empty((*x.shape[:-2], samples), dtype=signal.dtype, device="meta")
