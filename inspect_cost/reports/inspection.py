"""One model's report: everything that is known of its cost, as data for any renderer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from inspect_cost.counting.as_data import summarize_count
from inspect_cost.counting.law import CostLaw
from inspect_cost.counting.report import CostReport
from inspect_cost.measuring.measurement import Measurement
from inspect_cost.paper.places import Standing
from inspect_cost.reports.facts import find_facts
from inspect_cost.values.conventions import VERSION
from inspect_cost.values.cost import FlopWeights
from inspect_cost.values.identity import Identity, Output, Phase
from inspect_cost.values.presentable import Presentable
from inspect_cost.values.quantity import Quantity

SCHEMA = "inspect-cost/report/2"


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

    def facts(self, origin: str = "") -> dict[str, Quantity]:
        """Return name -> quantity of what is known of the phase; `find_facts` lists the names."""
        return find_facts(self.count, self.phase.output, self.measurement, origin)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, for JSON, with all that it takes to read it back."""
        several = len(self.measurements) > 1
        first = self.measurement and (
            {**self.measurement.summarize(), "backends": [m.to_dict() for m in self.measurements]}
            if several
            else self.measurement.to_dict()
        )
        return {
            **self.phase.to_dict(),
            "count": self.count.to_dict(),
            "law": self.law and self.law.to_dict(),
            "weighted_flops": self._write_weighted_flops(),
            "measurement": first,
        }

    @classmethod
    def from_dict(cls, written: Mapping[str, Any]) -> Self:
        """Read what `to_dict` gives."""
        law, weighted, first = (written[name] for name in ("law", "weighted_flops", "measurement"))
        measurements = first.get("backends", [first]) if first else []
        return cls(
            phase=Phase.from_dict(written),
            count=CostReport.from_dict(written["count"]),
            law=law and CostLaw.from_dict(law),
            weights=weighted and FlopWeights.from_dict(weighted["weights"]),
            measurements=tuple(Measurement.from_dict(m) for m in measurements),
        )

    def summarize(self) -> dict[str, Any]:
        """Return what a report of schema 1 had at its top: it cannot be read back from this."""
        backends = [measurement.summarize() for measurement in self.measurements]
        first = dict(backends[0]) if backends else None
        if first and len(backends) > 1:
            first["backends"] = backends
        return {
            "count": summarize_count(self.count),
            "audio": _write_audio(self.phase.output, self.count),
            "law": self.law and self.law.summarize(),
            "weighted_flops": self._write_weighted_flops(),
            "measurement": first,
        }

    def _write_weighted_flops(self) -> dict[str, Any] | None:
        if self.weights is None:
            return None
        return {"weights": self.weights.to_dict(), "flops": self.weighted_flops}


@dataclass(frozen=True, repr=False)
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
    standing: Standing | None = None

    def facts(self, origin: str = "") -> dict[str, Quantity]:
        """Return name -> quantity of everything that is known.

        Facts of several phases begin with the phase's name: "prefill.macs".

        Args:
            origin: source of the counted values; the subject's name unless given.
        """
        named = origin or self.identity.name
        if len(self.phases) == 1:
            return self.only.facts(named)
        return {
            f"{result.phase.name}.{name}": fact
            for result in self.phases
            for name, fact in result.facts(named).items()
        }

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

    def __repr__(self) -> str:
        phases = "; ".join(
            f"{result.phase.name} {result.count!r}".strip() for result in self.phases
        )
        return f"<Inspection {self.identity.name}: {phases}>"

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, for JSON; docs/reports.md has the format.

        A report of one phase also has at its top what reports of schema 1 had there.
        """
        subject = {**self.identity.to_dict(), "class": self.phases[0].count.model}
        return {
            "schema": SCHEMA,
            "subject": subject,
            **(self._write_top(subject) if len(self.phases) == 1 else {}),
            "phases": [result.to_dict() for result in self.phases],
            "standing": self.standing and self.standing.to_dict(),
            "conventions": {"version": VERSION, "see": "inspect-cost conventions"},
            "provenance": dict(self.provenance),
        }

    def _write_top(self, subject: Mapping[str, Any]) -> dict[str, Any]:
        model = {**subject, "call": self.only.phase.description}
        return {"model": model, **self.only.summarize()}

    @classmethod
    def from_dict(cls, written: Mapping[str, Any]) -> Self:
        """Read what `to_dict` gives."""
        standing = written["standing"]
        return cls(
            identity=Identity.from_dict(written["subject"]),
            phases=tuple(PhaseResult.from_dict(result) for result in written["phases"]),
            provenance=dict(written["provenance"]),
            standing=standing and Standing.from_dict(standing),
        )


def _write_audio(output: Output | None, count: CostReport) -> dict[str, Any] | None:
    """Return the audio that a call makes, by the names of schema 1; None if it makes none."""
    if output is None or not output.is_audio:
        return None
    return {
        "sample_rate": output.rate,
        "samples_requested": output.amount if output.requested is None else output.requested,
        "samples_generated": output.amount,
        "seconds": output.units,
        "macs_per_second": output.per_unit(count.macs),
        "flops_per_second": output.per_unit(count.flops),
    }
