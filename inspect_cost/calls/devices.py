"""Devices and data types that calls can run with on this machine."""

import torch

from inspect_cost.values.errors import UsageError


def find_device(device: str | torch.device) -> torch.device:
    """Return a device of this machine, by its name.

    Raises:
        UsageError: there is no such device here.
    """
    try:
        found = torch.device(device)
    except RuntimeError:
        found = torch.device("meta")
    if found.type not in {"cpu", "cuda", "mps"}:
        raise UsageError(
            f"`device` {device} cannot be measured", "Use cpu, cuda or cuda:1.", field="device"
        )
    if found.type == "mps" and not torch.backends.mps.is_available():
        raise UsageError(
            f"there is no device {device}: this torch or machine has none",
            "Use the `device` cpu.",
            field="device",
        )
    if found.type == "cuda" and (found.index or 0) >= torch.cuda.device_count():
        count = torch.cuda.device_count()
        raise UsageError(
            f"there is no device {device}: torch sees {count} CUDA device{'s' * (count != 1)}",
            "Use the `device` cpu, or a torch built for CUDA.",
            field="device",
        )
    return torch.device("cuda", found.index or 0) if found.type == "cuda" else found


def find_dtype(dtype: torch.dtype | str | None) -> torch.dtype | None:
    """Return a floating-point data type, by its name; None for None.

    Raises:
        UsageError: there is no such type, or it is not a floating-point one.
    """
    if dtype is None:
        return None
    found = getattr(torch, dtype, None) if isinstance(dtype, str) else dtype
    if not isinstance(found, torch.dtype) or not found.is_floating_point:
        raise UsageError(
            f"`dtype` {dtype} is not a floating-point type",
            "Use float32, float64, float16 or bfloat16.",
            field="dtype",
        )
    return found
