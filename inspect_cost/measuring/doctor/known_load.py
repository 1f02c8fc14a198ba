"""A load that every device can run and none can skip: products of two matrices."""

import time

SIZE_ON_CPU, SIZE_ON_GPU = 768, 4096


def multiply_matrices(device: str, seconds: float) -> None:
    """Keep a torch device busy for a number of seconds.

    Raises:
        RuntimeError: torch has no such device.
    """
    import torch  # noqa: PLC0415 - a diagnosis without sensors needs no torch

    size = SIZE_ON_CPU if device == "cpu" else SIZE_ON_GPU
    with torch.no_grad():
        a = torch.rand(size, size, device=device)
        out = torch.empty_like(a)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            torch.mm(a, a, out=out)
            if device != "cpu":
                torch.accelerator.synchronize(device)
