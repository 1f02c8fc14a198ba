"""One model's report: everything that is known of its cost, as data for any renderer."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from inspect_cost.counting.law import CostLaw
from inspect_cost.counting.report import CostReport, ModuleCost, Storage
from inspect_cost.counting.waste import Waste
from inspect_cost.measuring.measurement import Measurement
from inspect_cost.reports.data import SCHEMA
from inspect_cost.values.conventions import CONVENTIONS
from inspect_cost.values.cost import FlopWeights, OpCost
from inspect_cost.values.identity import Identity, Output, Phase
from inspect_cost.values.presentable import Presentable

if TYPE_CHECKING:
    from inspect_cost.paper.standing import Standing


@dataclass(frozen=True)
class PhaseResult:
    """What is known of one phase of a subject.

    Attributes:
        phase: which.
        count: what one call costs by its shapes.
        law: its cost as a polynomial in the length, if that was asked for and there is one.
        weights: of the classes of FLOPs, for a further total; None unless given.
        measurements: one for each backend, in the order asked for; none if nothing was run.
    """

    phase: Phase
    count: CostReport
    law: CostLaw | None = None
    weights: FlopWeights | None = None
    measurements: tuple[Measurement, ...] = ()

    @property
    def measurement(self) -> Measurement | None:
        """Measurement with the first backend; None if nothing was run."""
        return self.measurements[0] if self.measurements else None

    @property
    def weighted_flops(self) -> int | None:
        """FLOPs by the weights; None if there are none."""
        return None if self.weights is None else self.count.cost.weighted_flops(self.weights)


@dataclass(frozen=True)
class Inspection(Presentable):
    """The complete report on a subject: what inspecting it gave.

    Attributes:
        identity: what was inspected.
        phases: what is known of each of its phases; most subjects have one.
        provenance: what made this report.
        standing: its place beside the paper's models; None for other subjects.
    """

    identity: Identity
    phases: tuple[PhaseResult, ...]
    provenance: Mapping[str, Any]
    standing: "Standing | None" = None

    @property
    def only(self) -> PhaseResult:
        """The one phase of a subject that has one.

        Raises:
            ValueError: it has several; ask for them by name.
        """
        if len(self.phases) != 1:
            names = ", ".join(result.phase.name for result in self.phases)
            raise ValueError(f"{self.identity.name} has several phases: {names}")
        return self.phases[0]

    @property
    def count(self) -> CostReport:
        """Count of the only phase."""
        return self.only.count

    @property
    def law(self) -> CostLaw | None:
        """Cost law of the only phase; None if there is none."""
        return self.only.law

    @property
    def measurements(self) -> tuple[Measurement, ...]:
        """Measurements of the only phase."""
        return self.only.measurements

    @property
    def measurement(self) -> Measurement | None:
        """First measurement of the only phase; None if nothing was run."""
        return self.only.measurement

    @property
    def output(self) -> Output | None:
        """What one call of the only phase yields; None if nobody said."""
        return self.only.phase.output


@dataclass(frozen=True)
class Subject:
    """What was inspected.

    Attributes:
        name: as the user named it: "flowavenet", "net.py:Net".
        title: its name in print, or its class.
        call: the call that was inspected, in words.
        source: where it was published; "" for a user's own model.
        settings: settings that differ from the published ones.
    """

    name: str
    title: str
    call: str
    source: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Audio:
    """The audio that one call makes.

    Attributes:
        sample_rate: in Hz.
        samples_requested: how many samples were asked for.
        samples_generated: how many the model makes, of which the first are kept.
    """

    sample_rate: int
    samples_requested: int
    samples_generated: int

    @property
    def seconds(self) -> float:
        """Duration of what is generated."""
        return self.samples_generated / self.sample_rate

    def per_second(self, amount: int) -> float:
        """An amount per call, as one per second of generated audio."""
        return amount * self.sample_rate / self.samples_generated


@dataclass(frozen=True)
class Report:
    """What inspecting a model gives.

    Attributes:
        subject: what was inspected.
        count: what one call costs by its shapes.
        audio: what it generates, if that is audio.
        provenance: what made this report.
        measurements: one for each backend, in the order asked for; none where nothing was run.
        law: its cost as a polynomial in the length, if that was asked for and there is one.
        weights: of the classes of FLOPs, for a further total.
        standing: an `inspect_cost.paper.standing.Standing`, beside other models; or None.
    """

    subject: Subject
    count: CostReport
    audio: Audio | None
    provenance: Mapping[str, Any]
    measurements: tuple[Measurement, ...] = ()
    law: CostLaw | None = None
    weights: FlopWeights | None = None
    standing: Any = None  # its type is made of reports, and so cannot be imported here

    @property
    def weighted_flops(self) -> int | None:
        """FLOPs by the weights; None where there are none."""
        return None if self.weights is None else self.count.cost.weighted_flops(self.weights)

    @property
    def measurement(self) -> Measurement | None:
        """That of the first backend; None where nothing was run."""
        return self.measurements[0] if self.measurements else None

    def to_dict(self) -> dict[str, Any]:
        """The report as plain data, for JSON; the schema's name is in it."""
        return {
            "schema": SCHEMA,
            "model": _model_dict(self.subject, self.count),
            "count": _count_dict(self.count),
            "audio": _audio_dict(self.audio, self.count),
            "law": self.law and self.law.to_dict(),
            "weighted_flops": self.weights
            and {"weights": asdict(self.weights), "flops": self.weighted_flops},
            "measurement": _measurement_dict(self.measurements),
            "standing": self.standing and self.standing.to_dict(),
            "conventions": dict(CONVENTIONS),
            "provenance": dict(self.provenance),
        }


def _model_dict(subject: Subject, count: CostReport) -> dict[str, Any]:
    return {
        "name": subject.name,
        "title": subject.title,
        "class": count.model,
        "call": subject.call,
        "source": subject.source or None,
        "settings": dict(subject.settings),
    }


def _count_dict(count: CostReport) -> dict[str, Any]:
    return {
        "kind": "counted",
        "policy": count.policy,
        **_storage_dict(count.storage),
        "macs": count.macs,
        "flops": count.flops,
        "flops_by_class": count.flops_by_class,
        "bytes_moved": count.bytes_moved,
        "arithmetic_intensity": count.arithmetic_intensity,
        "peak_activation_bytes": count.peak_activation_bytes,
        "input_bytes": count.input_bytes,
        "waste": _waste_dict(count.waste),
        "foldable": _foldable_dict(count.foldable),
        "uncounted": dict(count.uncounted),
        "complete": count.complete,
        "notes": list(count.notes),
        "operators": [
            {
                "name": name,
                "calls": tally.calls,
                "macs": tally.cost.macs,
                "flops": tally.cost.flops if tally.counted else None,
                "bytes_moved": tally.bytes_moved,
                "arithmetic_intensity": tally.arithmetic_intensity,
            }
            for name, tally in count.by_operator.items()
        ],
        "modules": [_module_dict(module) for module in count.by_module.values()],
    }


def _waste_dict(waste: Waste | None) -> dict[str, Any] | None:
    if waste is None:
        return None
    return {
        "macs": waste.macs,
        "flops": waste.flops,
        "params": waste.params,
        "param_bytes": waste.param_bytes,
        "share_of_macs": waste.share_of_macs,
        "modules": [asdict(module) for module in waste.modules],
        "untouched_params": list(waste.untouched_params),
        "untouched_elements": waste.untouched_elements,
    }


def _foldable_dict(foldable: Mapping[str, OpCost] | None) -> dict[str, Any] | None:
    if foldable is None:
        return None
    costs = foldable.items()
    return {
        "macs": sum(cost.macs for _, cost in costs),
        "flops": sum(cost.flops for _, cost in costs),
        "modules": [{"path": p, "macs": cost.macs, "flops": cost.flops} for p, cost in costs],
    }


def _storage_dict(storage: Storage) -> dict[str, Any]:
    return {
        "params": storage.params,
        "param_bytes": storage.param_bytes,
        "params_folded": storage.folded_params,
        "trainable": storage.trainable,
        "buffers": storage.buffers,
        "buffer_bytes": storage.buffer_bytes,
        "dtypes": dict(storage.dtypes),
    }


def _module_dict(module: ModuleCost) -> dict[str, Any]:
    return {
        "path": module.path,
        "type": module.type,
        "params": module.params,
        "param_bytes": module.storage.param_bytes,
        "macs": module.macs,
        "flops": module.flops,
        "flops_by_class": module.cost.flops_by_class,
        "bytes_moved": module.bytes_moved,
        "arithmetic_intensity": module.arithmetic_intensity,
        "calls": module.calls,
    }


def _measurement_dict(measurements: tuple[Measurement, ...]) -> dict[str, Any] | None:
    """The first, and where backends were compared, all of them under "backends"."""
    if not measurements:
        return None
    first = measurements[0].to_dict()
    if len(measurements) > 1:
        first["backends"] = [measurement.to_dict() for measurement in measurements]
    return first


def _audio_dict(audio: Audio | None, count: CostReport) -> dict[str, Any] | None:
    if audio is None:
        return None
    return {
        "sample_rate": audio.sample_rate,
        "samples_requested": audio.samples_requested,
        "samples_generated": audio.samples_generated,
        "seconds": audio.seconds,
        "macs_per_second": audio.per_second(count.macs),
        "flops_per_second": audio.per_second(count.flops),
    }
