"""What a cross-check yields: frozen values, from a peer's tallies to explained differences."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

from inspect_cost.counting.report import CostReport
from inspect_cost.values.notes import Note, read_notes, write_notes
from inspect_cost.values.presentable import Presentable
from inspect_cost.values.units import percent, si

#: MACs as some peer sees them: whole numbers, unless the peer's are not.
Amount = int | float


@dataclass(frozen=True, slots=True)
class Entry:
    """A peer's count of one operator, or of one layer, in one module.

    Attributes:
        module: path of the module, "" for the model itself.
        operator: name of the operator or layer, in the peer's words.
        macs: what the peer counted, as MACs.
        calls: number of calls that it saw; None if it does not say.
        known: False if the peer met it and has no rule for it.
        covers: whether it stands for everything inside the module.
    """

    module: str
    operator: str
    macs: Amount = 0
    calls: int | None = None
    known: bool = True
    covers: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return the entry as plain data, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, written: Mapping[str, Any]) -> Self:
        """Read what `to_dict` gives."""
        return cls(**{f.name: written[f.name] for f in fields(cls)})


@dataclass(frozen=True, slots=True)
class PeerCount:
    """A peer's count of one call.

    Attributes:
        reported: the peer's total, in its own unit.
        entries: its parts as MACs; their sum is the total as MACs.
        notes: remarks on how it was made.
    """

    reported: Amount
    entries: tuple[Entry, ...]
    notes: tuple[Note, ...] = ()

    @property
    def macs(self) -> Amount:
        """The total as MACs."""
        return to_whole(sum(entry.macs for entry in self.entries))


@dataclass(frozen=True, slots=True)
class Explanation:
    """One reason for which a peer's MACs differ from ours.

    Attributes:
        reason: what the peer does, or does not do.
        macs: the part of the difference that it makes: the peer's MACs minus ours.
        modules: paths of the modules in which it does.
    """

    reason: str
    macs: Amount
    modules: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the explanation as plain data, for JSON."""
        return {"reason": self.reason, "macs": self.macs, "modules": list(self.modules)}

    @classmethod
    def from_dict(cls, written: Mapping[str, Any]) -> Self:
        """Read what `to_dict` gives."""
        return cls(written["reason"], written["macs"], tuple(written["modules"]))


@dataclass(frozen=True, slots=True)
class PeerResult:
    """One peer beside ours.

    Attributes:
        name: name of the tool.
        version: version of the tool; None if it is not installed.
        unit: unit of the number that it reports, in words.
        count: what it counted; None if it failed.
        failure: why it counted nothing; "" if it did.
        difference: its MACs minus ours; None if it failed.
        explanations: parts of the difference, the largest first.
        unexplained: the rest of the difference, without a reason, and the modules that it is in.
        duration_s: seconds that it took, its start included.
    """

    name: str
    version: str | None
    unit: str
    count: PeerCount | None = None
    failure: str = ""
    difference: Amount | None = None
    explanations: tuple[Explanation, ...] = ()
    unexplained: Explanation | None = None
    duration_s: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain data, for JSON."""
        return {
            "name": self.name,
            "version": self.version,
            "unit": self.unit,
            "status": "failed" if self.failure else "counted",
            "failure": self.failure or None,
            "reported": self.count.reported if self.count else None,
            "macs": self.count.macs if self.count else None,
            "difference_macs": self.difference,
            "explanations": [part.to_dict() for part in self.explanations],
            "unexplained_macs": _count_rest(self),
            "unexplained_modules": list(self.unexplained.modules) if self.unexplained else [],
            "unexplained_reason": self.unexplained.reason if self.unexplained else None,
            "notes": write_notes(self.count.notes) if self.count else [],
            "duration_s": self.duration_s,
            "entries": [entry.to_dict() for entry in self.count.entries] if self.count else None,
        }

    @classmethod
    def from_dict(cls, written: Mapping[str, Any]) -> Self:
        """Read what `to_dict` gives."""
        return cls(
            name=written["name"],
            version=written["version"],
            unit=written["unit"],
            count=_read_peer_count(written),
            failure=written["failure"] or "",
            difference=written["difference_macs"],
            explanations=tuple(Explanation.from_dict(part) for part in written["explanations"]),
            unexplained=_read_unexplained(written),
            duration_s=written["duration_s"],
        )


@dataclass(frozen=True, repr=False)
class CrossCheck(Presentable):
    """Our count of a call, and the peers' counts of the same.

    Attributes:
        report: our count.
        peers: one result for each peer, those that failed included.
        title: what was counted, in words.
        provenance: versions, platform, time and command.
    """

    report: CostReport
    peers: tuple[PeerResult, ...]
    title: str = ""
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        peers = ", ".join(
            f"{result.name} {_summarize(result, self.report)}" for result in self.peers
        )
        return f"<CrossCheck of {self.report.model}: {si(self.report.macs, 'MACs')}; {peers}>"

    @property
    def by_peer(self) -> Mapping[str, PeerResult]:
        """Name -> result."""
        return {result.name: result for result in self.peers}

    @property
    def unexplained(self) -> Mapping[str, Amount]:
        """Name -> MACs of its difference that no reason was found for; empty if all have one."""
        return {r.name: r.unexplained.macs for r in self.peers if r.unexplained}

    def to_dict(self) -> dict[str, Any]:
        """Return the cross-check as plain data, for JSON; the schema's name is in it."""
        return {
            "schema": "inspect-cost/crosscheck/1",
            "model": {"title": self.title or self.report.model, "class": self.report.model},
            "ours": {
                "kind": "counted",
                "unit": "MACs",
                "macs": self.report.macs,
                "flops": self.report.flops,
                "complete": self.report.complete,
                "uncounted": dict(self.report.uncounted),
                "notes": write_notes(self.report.notes),
            },
            "title": self.title,
            "count": self.report.to_dict(),
            "peers": [result.to_dict() for result in self.peers],
            "provenance": dict(self.provenance),
        }

    @classmethod
    def from_dict(cls, written: Mapping[str, Any]) -> Self:
        """Read what `to_dict` gives."""
        return cls(
            report=CostReport.from_dict(written["count"]),
            peers=tuple(PeerResult.from_dict(result) for result in written["peers"]),
            title=written["title"],
            provenance=dict(written["provenance"]),
        )


def to_whole(number: Amount) -> Amount:
    """Return the number as an int if it is whole."""
    return int(number) if number == int(number) else number


def _summarize(result: PeerResult, report: CostReport) -> str:
    """Return a peer's difference in a word: "+1.2 %", "failed"."""
    if result.difference is None:
        return "failed"
    return percent(result.difference, report.macs) if result.difference else "equal"


def _read_peer_count(written: Mapping[str, Any]) -> PeerCount | None:
    if written["entries"] is None:
        return None
    entries = tuple(Entry.from_dict(entry) for entry in written["entries"])
    return PeerCount(written["reported"], entries, read_notes(written["notes"]))


def _read_unexplained(written: Mapping[str, Any]) -> Explanation | None:
    reason = written["unexplained_reason"]
    if reason is None:
        return None
    modules = tuple(written["unexplained_modules"])
    return Explanation(reason, written["unexplained_macs"], modules)


def _count_rest(result: PeerResult) -> Amount | None:
    """Return the MACs without a reason: 0 of no difference, None if the peer failed."""
    if result.difference is None:
        return None
    return result.unexplained.macs if result.unexplained else 0
