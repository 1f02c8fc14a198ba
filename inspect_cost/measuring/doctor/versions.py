"""Versions of what takes part in a measurement; None where it is not there."""

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import pynvml  # type: ignore[import-untyped] # nvidia-ml-py has no annotations

PACKAGES = ("inspect-cost", "torch", "nvidia-ml-py", "zeus")


def versions() -> dict[str, str | None]:
    """Of the kernel, the NVIDIA driver, Python and the packages."""
    return {
        "kernel": f"{platform.system()} {platform.release()}",
        "nvidia_driver": nvidia_driver(),
        "python": platform.python_version(),
        **{name: installed(name) for name in PACKAGES},
    }


def nvidia_driver(nvml: Any = pynvml) -> str | None:
    """The version of the NVIDIA driver that is loaded."""
    try:
        nvml.nvmlInit()
        return str(nvml.nvmlSystemGetDriverVersion())
    except nvml.NVMLError:
        return None


def installed(distribution: str) -> str | None:
    """The version of a package."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None
