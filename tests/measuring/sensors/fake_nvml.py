"""NVIDIA's management library without a GPU: answers as ``pynvml`` does, by a script."""

# ruff: noqa: N802 - the functions have pynvml's names

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TypeVar

T = TypeVar("T")


class NVMLError(Exception):
    """What pynvml raises."""


class NVMLError_NotSupported(NVMLError):  # noqa: N801, N818 - pynvml's name
    """The GPU cannot do that."""


class NVMLError_LibraryNotFound(NVMLError):  # noqa: N801, N818 - pynvml's name
    """There is no driver."""


@dataclass
class FakeGpu:
    """One GPU: functions give its counter and its power at the moment."""

    uuid: str
    name: str = "NVIDIA H100 PCIe"
    energy_mj: Callable[[], int] | None = lambda: 0
    power_mw: Callable[[], int] | None = lambda: 50_000
    limit_mw: int | None = 350_000
    mig: bool | None = False
    reasons: int = 0
    processes: Sequence[int] = ()
    lost: bool = False


def known(value: T | None) -> T:
    """The value, or the error of a GPU that does not know it."""
    if value is None:
        raise NVMLError_NotSupported("Not Supported")
    return value


class FakeNvml:
    """The functions of pynvml that are used, for some GPUs."""

    NVMLError = NVMLError

    def __init__(self, *gpus: FakeGpu, error: Exception | None = None) -> None:
        self.gpus, self.error = gpus, error

    def nvmlInit(self) -> None:
        if self.error:
            raise self.error

    def nvmlDeviceGetCount(self) -> int:
        return len(self.gpus)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> FakeGpu:
        return self.gpus[index]

    def nvmlDeviceGetUUID(self, gpu: FakeGpu) -> str:
        return f"GPU-{gpu.uuid}"

    def nvmlDeviceGetName(self, gpu: FakeGpu) -> str:
        return gpu.name

    def nvmlDeviceGetTotalEnergyConsumption(self, gpu: FakeGpu) -> int:
        if gpu.lost:
            raise NVMLError("GPU is lost")
        return known(gpu.energy_mj)()

    def nvmlDeviceGetPowerUsage(self, gpu: FakeGpu) -> int:
        if gpu.lost:
            raise NVMLError("GPU is lost")
        return known(gpu.power_mw)()

    def nvmlDeviceGetPowerManagementDefaultLimit(self, gpu: FakeGpu) -> int:
        return known(gpu.limit_mw)

    def nvmlDeviceGetMigMode(self, gpu: FakeGpu) -> list[int]:
        return [int(known(gpu.mig)), 0]

    def nvmlDeviceGetCurrentClocksEventReasons(self, gpu: FakeGpu) -> int:
        return gpu.reasons

    def nvmlDeviceGetComputeRunningProcesses(self, gpu: FakeGpu) -> list[SimpleNamespace]:
        return [SimpleNamespace(pid=pid) for pid in gpu.processes]


class LateCounter:
    """An energy counter as NVML has it: late, coarse, and blind for a part of the time.

    Args:
        energy_j: returns what the GPU had consumed by a moment in the past.
        now: the moment.
        period_s: the counter advances this often.
        lag_s: what it shows then is as old as this.
        sampled: share of each period in which power is sampled; it stands for the whole period.
        phase: of the periods, from 0 to 1.
    """

    def __init__(
        self,
        energy_j: Callable[[float], float],
        now: Callable[[], float],
        *,
        period_s: float,
        lag_s: float = 0.0,
        sampled: float = 1.0,
        phase: float = 0.0,
    ) -> None:
        self.energy_j, self.now = energy_j, now
        self.period_s, self.lag_s, self.sampled, self.phase = period_s, lag_s, sampled, phase
        self.shown_j, self.periods = 0.0, 0

    def energy_mj(self) -> int:
        """The counter now."""
        while self._end_of(self.periods + 1) + self.lag_s <= self.now():
            self.periods += 1
            end_s = self._end_of(self.periods)
            start_s = max(0.0, end_s - self.sampled * self.period_s)
            seen_j = self.energy_j(end_s) - self.energy_j(start_s)
            self.shown_j += seen_j / self.sampled
        return round(1000 * self.shown_j)

    def _end_of(self, period: int) -> float:
        return (period - 1 + self.phase) * self.period_s
