"""Results of measuring: frozen; what is unknown is None, and a note says why."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from inspect_cost.measuring.memory.memory import Memory
from inspect_cost.measuring.protocol.window import Window
from inspect_cost.values.presentable import Presentable
from inspect_cost.values.quantity import Quantity


@dataclass(frozen=True)
class Measurement(Presentable):
    """One measured inference. Energy and power are gross unless named net of idle.

    Attributes:
        energy_j: of one call, all sensors together.
        energy_net_j: the same less what the machine draws when idle.
        power_w: during the calls.
        power_net_w: the same less the idle power.
        idle_power_w: before and after each window.
        energy_by_domain_j: ``energy_j`` by the sensors' domains.
        latency_s: the median of a call.
        latency_quartiles_s: a quarter of the calls are below the first, and above the second.
        latency_p95_s: 5 % of the calls are above.
        sensors: sources of the counters that were read; empty without any.
        memory: of one call; None where it was not measured.
        windows: all of them, including those that were set aside.
        calls: number of calls in the windows that count.
        notes: what was redone or refused, what is missing, and why.
        partial: whether it was interrupted.
        backend: what ran the model: "eager", "compile", "onnxruntime".
        device: "cpu", "cuda:0".
        dtype: of the model's parameters, or "".
        threads: of the CPU.
        audio_s: the audio that one call makes, in seconds; None where it makes none.
        batch: inferences in one call.
        estimated_energy_j: of one call, from maximum powers; never merged with what is measured.
        max_relative_difference: of its outputs from the first backend's, relative to the largest.
        derived: kWh and gCO2e per million calls, hours on a battery.
    """

    energy_j: Quantity | None = None
    energy_net_j: Quantity | None = None
    power_w: Quantity | None = None
    power_net_w: Quantity | None = None
    idle_power_w: Quantity | None = None
    energy_by_domain_j: Mapping[str, Quantity] = field(default_factory=dict)
    latency_s: Quantity | None = None
    latency_quartiles_s: tuple[float, float] | None = None
    latency_p95_s: float | None = None
    sensors: tuple[str, ...] = ()
    memory: Memory | None = None
    windows: tuple[Window, ...] = ()
    calls: int = 0
    notes: tuple[str, ...] = ()
    partial: bool = False
    backend: str = "eager"
    device: str = "cpu"
    dtype: str = ""
    threads: int | None = None
    audio_s: float | None = None
    batch: int = 1
    estimated_energy_j: Quantity | None = None
    max_relative_difference: float | None = None
    derived: Mapping[str, Quantity] = field(default_factory=dict)

    @property
    def kept_windows(self) -> tuple[Window, ...]:
        """Windows that were not set aside."""
        return tuple(window for window in self.windows if not window.redone)

    @property
    def real_time_factor(self) -> Quantity | None:
        """Seconds of computing for a second of audio; below 1 is faster than it plays."""
        if self.latency_s is None or not self.audio_s:
            return None
        return self.latency_s.scaled(1 / self.audio_s, "s/s")

    @property
    def throughput_per_s(self) -> Quantity | None:
        """Inferences a second; each one of a batch counts."""
        latency = self.latency_s
        if latency is None or not latency.value:
            return None
        ends = latency.ci95
        low_high = (self.batch / ends[1], self.batch / ends[0]) if ends and ends[0] > 0 else None
        rate = self.batch / latency.value
        return Quantity(rate, "1/s", latency.kind, latency.source, low_high)

    @property
    def energy_per_audio_second_j(self) -> Quantity | None:
        """Gross energy for a second of audio."""
        if self.energy_j is None or not self.audio_s:
            return None
        return self.energy_j.scaled(1 / self.audio_s)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, for JSON; quantities carry their kind and source."""
        quartiles = self.latency_quartiles_s
        return {
            **{name: _to_dict(getattr(self, name)) for name in QUANTITIES},
            "energy_by_domain_j": {d: _to_dict(q) for d, q in self.energy_by_domain_j.items()},
            "latency_quartiles_s": list(quartiles) if quartiles else None,
            "latency_p95_s": self.latency_p95_s,
            "sensors": list(self.sensors),
            "memory": _to_dict(self.memory),
            "windows": [window.to_dict() for window in self.windows],
            "calls": self.calls,
            "notes": list(self.notes),
            "partial": self.partial,
            "backend": self.backend,
            "device": self.device,
            "dtype": self.dtype,
            "threads": self.threads,
            "audio_s": self.audio_s,
            "batch": self.batch,
            "max_relative_difference": self.max_relative_difference,
            "derived": {name: _to_dict(value) for name, value in self.derived.items()},
        }


#: Attributes that are quantities, in the order of the JSON.
QUANTITIES = (
    "energy_j",
    "energy_net_j",
    "power_w",
    "power_net_w",
    "idle_power_w",
    "latency_s",
    "real_time_factor",
    "throughput_per_s",
    "energy_per_audio_second_j",
    "estimated_energy_j",
)


def _to_dict(value: Quantity | Memory | None) -> dict[str, Any] | None:
    return None if value is None else value.to_dict()
