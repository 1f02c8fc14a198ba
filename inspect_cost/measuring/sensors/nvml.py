"""NVIDIA GPUs, through the driver's management library (NVML).

From Volta on, a GPU counts its energy in mJ since the driver was loaded. Older ones tell their
power only, which `sampled_power` integrates. A GPU is numbered differently by torch (which obeys
``CUDA_VISIBLE_DEVICES`` and puts fast ones first) and by NVML (in the order of the PCI bus): the
UUID says which is which.

Source: the NVML API reference of NVIDIA, "Device Queries"; for the counter's period and the
windows that it asks for, arXiv 2312.02741.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pynvml  # type: ignore[import-untyped] # nvidia-ml-py has no annotations

from inspect_cost.measuring.sensors.protocol import (
    EnergySensor,
    SensorError,
    Sensors,
    Unavailable,
)
from inspect_cost.measuring.sensors.sampled_power import SampledPowerSensor

MILLI = 1e-3
#: The counter advances every 20 to 100 ms.
PERIOD_S = 0.1
#: Twenty periods; A100 and H100 sample their power only a quarter of the time.
WINDOW_S = 2.0

#: Reasons for slower clocks, as bits. Idleness and settings by the user are none.
THROTTLING = {
    0x004: "the power limit",
    0x008: "a hardware slowdown",
    0x020: "heat (by software)",
    0x040: "heat (by hardware)",
    0x080: "the power brake",
    0x200: "the board's limit",
    0x400: "reliability",
}

#: The errors of nvmlInit(), by name -> (reason, fix).
FAILED_STARTS = {
    "NVMLError_LibraryNotFound": (
        "the NVIDIA driver's library libnvidia-ml is not there",
        "Install the NVIDIA driver; in a container, give it the GPU (docker run --gpus all).",
    ),
    "NVMLError_DriverNotLoaded": (
        "the NVIDIA driver is not loaded",
        "Load it with: modprobe nvidia. In a container, give it the GPU (--gpus all).",
    ),
    "NVMLError_LibRmVersionMismatch": (
        "the NVIDIA driver was updated, and the old one is still loaded",
        "Restart the machine.",
    ),
}


@dataclass
class NvmlGpu:
    """One GPU: what spoils a window, and its limits. Its energy is in the sensors beside it.

    Attributes:
        nvml: the module ``pynvml``, or one that answers like it.
        handle: NVML's own.
        index: NVML's number.
        name: as sold, "NVIDIA H100 PCIe".
    """

    nvml: Any
    handle: Any
    index: int
    name: str

    @property
    def power_limit_w(self) -> float | None:
        """The default power limit, by its maker; None where it is not told."""
        try:
            limit = self.nvml.nvmlDeviceGetPowerManagementDefaultLimit(self.handle)
        except self.nvml.NVMLError:
            return None
        return float(limit) * MILLI

    def power_w(self) -> float:
        """The power that it draws now."""
        try:
            return float(self.nvml.nvmlDeviceGetPowerUsage(self.handle)) * MILLI
        except self.nvml.NVMLError as error:
            raise SensorError(f"NVML gpu {self.index} ({self.name}): {error}") from error

    def energy_j(self) -> float:
        """Its energy counter."""
        try:
            return float(self.nvml.nvmlDeviceGetTotalEnergyConsumption(self.handle)) * MILLI
        except self.nvml.NVMLError as error:
            raise SensorError(f"NVML gpu {self.index} ({self.name}): {error}") from error

    def disturbance(self) -> str | None:
        """Throttled clocks or foreign processes, as they are at this moment."""
        bits = self._clock_reasons()
        slow = [reason for bit, reason in THROTTLING.items() if bits & bit]
        foreign = foreign_processes(self._processes())
        found = []
        if slow:
            found.append(f"its clocks were throttled by {' and '.join(slow)}")
        if foreign:
            found.append(f"other processes computed on it: {', '.join(map(str, foreign))}")
        return f"gpu {self.index}: {'; '.join(found)}" if found else None

    def _clock_reasons(self) -> int:
        # The name since driver 535, and the one before.
        for name in ("ClocksEventReasons", "ClocksThrottleReasons"):
            try:
                return int(getattr(self.nvml, f"nvmlDeviceGetCurrent{name}")(self.handle))
            except (self.nvml.NVMLError, AttributeError):
                continue
        return 0

    def _processes(self) -> list[int]:
        try:
            running = self.nvml.nvmlDeviceGetComputeRunningProcesses(self.handle)
        except self.nvml.NVMLError:
            return []
        return sorted({process.pid for process in running})


def foreign_processes(running: Sequence[int]) -> list[int]:
    """Those that are not this one.

    NVML gives the numbers of the host. In a container, ours is unknown to us there: one of those
    that do not exist here is then taken for this process.
    """
    foreign = [pid for pid in running if pid != os.getpid()]
    outside = [pid for pid in foreign if not Path(f"/proc/{pid}").exists()]
    if os.getpid() not in running and outside:
        foreign.remove(outside[0])
    return foreign


@dataclass
class NvmlSensor:
    """The energy counter of one GPU; see `EnergySensor` for the attributes."""

    gpu: NvmlGpu
    device: str
    domain: str
    source: str
    period_s: float = PERIOD_S
    recommended_window_s: float = WINDOW_S
    range_j: float | None = None

    def read_j(self) -> float:
        """Joules since the driver was loaded."""
        return self.gpu.energy_j()

    def disturbance(self) -> str | None:
        """Throttled clocks or foreign processes, as they are at this moment."""
        return self.gpu.disturbance()


def torch_uuids() -> list[str]:
    """The UUIDs of the GPUs as torch numbers them."""
    import torch  # noqa: PLC0415 - NVML needs no torch; only its numbering does

    if not torch.cuda.is_available():
        return []
    count = torch.cuda.device_count()
    return [str(torch.cuda.get_device_properties(index).uuid) for index in range(count)]


def nvml_sensors(
    device: str | None = None,
    *,
    nvml: Any = pynvml,
    uuids: Callable[[], Sequence[str]] = torch_uuids,
) -> Sensors:
    """The energy sensors of NVIDIA GPUs.

    Args:
        device: the GPU in torch's numbering, "cuda:1" ("cuda" is the first); all unless given.
        nvml: the module ``pynvml``, or one that answers like it.
        uuids: the GPUs' UUIDs in torch's numbering.
    """
    try:
        nvml.nvmlInit()
        count = nvml.nvmlDeviceGetCount()
    except nvml.NVMLError as error:
        reason, fix = FAILED_STARTS.get(type(error).__name__, (f"NVML does not start: {error}", ""))
        return Sensors((), (Unavailable("nvml", reason, fix),))
    names = {bare(uuid): f"cuda:{index}" for index, uuid in enumerate(uuids())}
    wanted = device and (device if ":" in device else f"{device}:0")
    found = [gpu_sensor(nvml, index, names) for index in range(count)]
    chosen = [(sensors, name) for sensors, name in found if wanted in {None, name}]
    if not chosen:
        # The UUID that torch knows may be a partition's: say what was refused.
        refused = tuple(why for sensors, _ in found for why in sensors.unavailable)
        reason = f"no GPU that can be read is torch's {wanted}"
        return Sensors((), (Unavailable("nvml", reason), *refused))
    return sum((sensors for sensors, _ in chosen), Sensors())


def bare(uuid: str) -> str:
    """A UUID without its kind: NVML writes "GPU-...", torch does not."""
    return uuid.removeprefix("GPU-").removeprefix("MIG-").lower()


def gpu_sensor(nvml: Any, index: int, names: dict[str, str]) -> tuple[Sensors, str]:
    """What there is for NVML's GPU of that number, and its device in torch."""
    source, device = f"nvml gpu {index}", ""
    try:
        handle = nvml.nvmlDeviceGetHandleByIndex(index)
        # A GPU that torch does not see can be read all the same.
        device = names.get(bare(nvml.nvmlDeviceGetUUID(handle)), f"gpu:{index}")
        gpu = NvmlGpu(nvml, handle, index, nvml.nvmlDeviceGetName(handle))
        sensor = counter_or_samples(gpu, device)
    except (nvml.NVMLError, SensorError) as error:
        return Sensors((), (Unavailable(source, str(error), "", "refused"),)), device
    if isinstance(sensor, Unavailable):
        return Sensors((), (sensor,)), device
    return Sensors((sensor,)), device


def counter_or_samples(gpu: NvmlGpu, device: str) -> EnergySensor | Unavailable:
    """The GPU's counter; where it has none, the integral of its power."""
    source, domain = f"NVML energy counter of gpu {gpu.index} ({gpu.name})", f"gpu-{gpu.index}"
    if partitioned(gpu):
        reason = "it is partitioned (MIG is on), and its counter covers all partitions together"
        fix = f"As root, without jobs on it: nvidia-smi --id={gpu.index} --multi-instance-gpu=0."
        return Unavailable(f"nvml gpu {gpu.index} ({gpu.name})", reason, fix, "refused")
    try:
        gpu.nvml.nvmlDeviceGetTotalEnergyConsumption(gpu.handle)
    except gpu.nvml.NVMLError:
        gpu.power_w()  # an error if there is no power either
        sampled = f"sampled power of gpu {gpu.index} ({gpu.name}), which has no energy counter"
        return SampledPowerSensor(gpu.power_w, gpu.disturbance, domain, sampled, device)
    return NvmlSensor(gpu, device, domain, source)


def partitioned(gpu: NvmlGpu) -> bool:
    """Whether MIG is on."""
    try:
        current, _ = gpu.nvml.nvmlDeviceGetMigMode(gpu.handle)
    except gpu.nvml.NVMLError:
        return False  # most GPUs know no MIG
    return bool(current)
