"""What a cross-check yields: frozen values, from a peer's tallies to explained differences."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from inspect_cost.counting.report import CostReport
from inspect_cost.values.notes import Note
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
            "explanations": [_explanation_dict(part) for part in self.explanations],
            "unexplained_macs": _count_rest(self),
            "unexplained_modules": list(self.unexplained.modules) if self.unexplained else [],
            "notes": list(self.count.notes) if self.count else [],
            "duration_s": self.duration_s,
        }


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
                "notes": list(self.report.notes),
            },
            "peers": [result.to_dict() for result in self.peers],
            "provenance": dict(self.provenance),
        }


def to_whole(number: Amount) -> Amount:
    """Return the number as an int if it is whole."""
    return int(number) if number == int(number) else number


def _summarize(result: PeerResult, report: CostReport) -> str:
    """Return a peer's difference in a word: "+1.2 %", "failed"."""
    if result.difference is None:
        return "failed"
    return percent(result.difference, report.macs) if result.difference else "equal"


def _explanation_dict(part: Explanation) -> dict[str, Any]:
    return {"reason": part.reason, "macs": part.macs, "modules": list(part.modules)}


def _count_rest(result: PeerResult) -> Amount | None:
    """Return the MACs without a reason: 0 of no difference, None if the peer failed."""
    if result.difference is None:
        return None
    return result.unexplained.macs if result.unexplained else 0
