"""Results of measuring: frozen; what is unknown is None, and a note says why."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from inspect_cost.measuring.memory.memory import Memory
from inspect_cost.measuring.protocol.window import Window
from inspect_cost.values.identity import Output
from inspect_cost.values.notes import Note, read_notes, write_notes
from inspect_cost.values.presentable import Presentable
from inspect_cost.values.quantity import Quantity


@dataclass(frozen=True)
class Histogram:
    """Durations of calls by bins.

    Attributes:
        edges_s: (n + 1) ends of the bins, ascending.
        counts: (n) calls, or groups of calls, in each.
    """

    edges_s: tuple[float, ...]
    counts: tuple[int, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, for JSON."""
        return {"edges_s": list(self.edges_s), "counts": list(self.counts)}

    @classmethod
    def from_dict(cls, written: Mapping[str, Any]) -> Self:
        """Read what `to_dict` gives."""
        return cls(tuple(written["edges_s"]), tuple(written["counts"]))


@dataclass(frozen=True, repr=False)
class Measurement(Presentable):
    """One measured inference. Energy and power are gross unless named net of idle.

    Attributes:
        energy_j: of one call, all sensors together.
        energy_net_j: the same less what the machine draws when idle.
        power_w: during the calls.
        power_net_w: the same less the idle power.
        idle_power_w: before and after each window.
        energy_by_domain_j: ``energy_j`` by the sensors' domains.
        latency_s: of a typical call: the geometric mean of the windows' medians; the median of
            all calls where these are of two kinds.
        latency_quartiles_s: a quarter of the calls are below the first, and above the second.
        latency_p95_s: 5 % of the calls are above, however few calls there are.
        latency_percentiles_s: "p50", "p90", "p95" and "p99" of all calls, as far as there are
            enough calls; the source of each says of how many.
        latency_histogram: of all calls; None if none was timed.
        first_call_s: the first call, which is cold: it may load, compile or allocate. It is in no
            other figure.
        setup_s: compiling or exporting before the first call; None where there is none.
        speedup: latency of the first backend over that of this one.
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
        output: what one call yields, a batch together; None if nobody said.
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
    latency_percentiles_s: Mapping[str, Quantity] = field(default_factory=dict)
    latency_histogram: Histogram | None = None
    first_call_s: Quantity | None = None
    setup_s: Quantity | None = None
    speedup: Quantity | None = None
    sensors: tuple[str, ...] = ()
    memory: Memory | None = None
    windows: tuple[Window, ...] = ()
    calls: int = 0
    notes: tuple[Note, ...] = ()
    partial: bool = False
    backend: str = "eager"
    device: str = "cpu"
    dtype: str = ""
    threads: int | None = None
    output: Output | None = None
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
    def audio_s(self) -> float | None:
        """Seconds of audio that one call makes, a batch together; None if it makes none."""
        return self.output.units if self.output is not None and self.output.is_audio else None

    @property
    def throughput_per_s(self) -> Quantity | None:
        """Inferences a second; each one of a batch counts."""
        latency = self.latency_s
        if latency is None or not latency.value:
            return None
        ends = latency.ci95
        low_high = (self.batch / ends[1], self.batch / ends[0]) if ends and min(ends) > 0 else None
        rate = self.batch / latency.value
        return Quantity(rate, "1/s", latency.kind, latency.source, low_high)

    @property
    def energy_per_audio_second_j(self) -> Quantity | None:
        """Gross energy for a second of audio."""
        return self.energy_per_output_j if self.audio_s else None

    @property
    def energy_per_output_j(self) -> Quantity | None:
        """Gross energy for a unit of output."""
        return self._per_output(self.energy_j)

    @property
    def latency_per_output_s(self) -> Quantity | None:
        """Seconds of computing for a unit of output."""
        return self._per_output(self.latency_s)

    def _per_output(self, quantity: Quantity | None) -> Quantity | None:
        if quantity is None or self.output is None:
            return None
        return quantity.scaled(1 / self.output.units)

    def __repr__(self) -> str:
        latency = f"{self.latency_s.value:.3g} s" if self.latency_s else "no latency"
        energy = f"{self.energy_j.value:.3g} J" if self.energy_j else "no energy"
        interrupted = ", interrupted" if self.partial else ""
        return f"<Measurement {self.backend} on {self.device}: {latency}, {energy}{interrupted}>"

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, for JSON; quantities carry their kind and source."""
        return {
            **self.summarize(),
            **{name: _to_dict(getattr(self, name)) for name in LATER},
            "latency_percentiles_s": [
                {"name": name, **quantity.to_dict()}
                for name, quantity in self.latency_percentiles_s.items()
            ],
            "latency_histogram": self.latency_histogram and self.latency_histogram.to_dict(),
            "notes": write_notes(self.notes),
            "windows": [window.to_dict() for window in self.windows],
        }

    def summarize(self) -> dict[str, Any]:
        """Return plain data as of schema 1: bare notes, no single latencies in windows."""
        quartiles = self.latency_quartiles_s
        return {
            **{name: _to_dict(getattr(self, name)) for name in QUANTITIES},
            "energy_by_domain_j": _write_quantities(self.energy_by_domain_j),
            "latency_quartiles_s": list(quartiles) if quartiles else None,
            "latency_p95_s": self.latency_p95_s,
            "sensors": list(self.sensors),
            "memory": _to_dict(self.memory),
            "windows": [window.summarize() for window in self.windows],
            "calls": self.calls,
            "notes": [note.text for note in self.notes],
            "partial": self.partial,
            "backend": self.backend,
            "device": self.device,
            "dtype": self.dtype,
            "threads": self.threads,
            "output": self.output and self.output.to_dict(),
            "audio_s": self.audio_s,
            "batch": self.batch,
            "max_relative_difference": self.max_relative_difference,
            "derived": _write_quantities(self.derived),
        }

    @classmethod
    def from_dict(cls, written: Mapping[str, Any]) -> Self:
        """Read what `to_dict` gives."""
        quartiles, memory, output = (
            written[name] for name in ("latency_quartiles_s", "memory", "output")
        )
        histogram = written.get("latency_histogram")
        return cls(
            **{name: Quantity.or_none(written[name]) for name in MEASURED},
            **{name: Quantity.or_none(written.get(name)) for name in LATER},
            latency_percentiles_s={
                each["name"]: Quantity.from_dict(each)
                for each in written.get("latency_percentiles_s", ())
            },
            latency_histogram=histogram and Histogram.from_dict(histogram),
            energy_by_domain_j=_read_quantities(written["energy_by_domain_j"]),
            latency_quartiles_s=quartiles and (quartiles[0], quartiles[1]),
            latency_p95_s=written["latency_p95_s"],
            sensors=tuple(written["sensors"]),
            memory=memory and Memory.from_dict(memory),
            windows=tuple(Window.from_dict(window) for window in written["windows"]),
            calls=written["calls"],
            notes=read_notes(written["notes"]),
            partial=written["partial"],
            backend=written["backend"],
            device=written["device"],
            dtype=written["dtype"],
            threads=written["threads"],
            output=output and Output.from_dict(output),
            batch=written["batch"],
            max_relative_difference=written["max_relative_difference"],
            derived=_read_quantities(written["derived"]),
        )


#: Fields that are quantities.
MEASURED = (
    "energy_j",
    "energy_net_j",
    "power_w",
    "power_net_w",
    "idle_power_w",
    "latency_s",
    "estimated_energy_j",
)
#: Fields and properties that are quantities, in the order of the JSON.
QUANTITIES = (
    *MEASURED[:-1],
    "real_time_factor",
    "throughput_per_s",
    "energy_per_audio_second_j",
    "latency_per_output_s",
    "energy_per_output_j",
    "estimated_energy_j",
)
#: Quantities that reports of before did not have.
LATER = ("first_call_s", "setup_s", "speedup")


def _write_quantities(quantities: Mapping[str, Quantity]) -> dict[str, dict[str, Any]]:
    return {name: quantity.to_dict() for name, quantity in quantities.items()}


def _read_quantities(written: Mapping[str, Any]) -> dict[str, Quantity]:
    return {name: Quantity.from_dict(value) for name, value in written.items()}


def _to_dict(value: Quantity | Memory | None) -> dict[str, Any] | None:
    return None if value is None else value.to_dict()
