"""What a cross-check yields: frozen values, from a peer's tallies to explained differences."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from inspect_cost.counting.report import CostReport
from inspect_cost.values.presentable import Presentable

#: MACs as some peer sees them: whole numbers, unless the peer's are not.
Amount = int | float


@dataclass(frozen=True, slots=True)
class Entry:
    """What a peer says of one operator, or of one layer, in one module.

    Attributes:
        module: path of the module, "" for the model itself.
        operator: the operator's or the layer's name, in the peer's words.
        macs: what the peer counted, as MACs.
        calls: how often it saw it; None where it does not tell.
        known: False where the peer met it and has no rule for it.
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
        notes: sentences on how it was made, where that is not as usual.
    """

    reported: Amount
    entries: tuple[Entry, ...]
    notes: tuple[str, ...] = ()

    @property
    def macs(self) -> Amount:
        """The total as MACs."""
        return whole(sum(entry.macs for entry in self.entries))


@dataclass(frozen=True, slots=True)
class Explanation:
    """One reason for which a peer's MACs differ from ours.

    Attributes:
        reason: what the peer does, or does not do.
        macs: how much that makes: the peer's minus ours.
        modules: paths of the modules in which it does.
    """

    reason: str
    macs: Amount
    modules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PeerResult:
    """One peer beside ours.

    Attributes:
        name: of the tool.
        version: of the tool; None where it is not installed.
        unit: of the number that it reports, in words.
        count: what it counted; None where it failed.
        failure: why it counted nothing; "" where it did.
        difference: its MACs minus ours; None where it failed.
        explanations: what makes the difference, the largest part first.
        unexplained: the rest of the difference, without a reason, and the modules that it is in.
        duration_s: how long it took, its start included.
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
        """As plain data, for JSON."""
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
            "unexplained_macs": _rest(self),
            "unexplained_modules": list(self.unexplained.modules) if self.unexplained else [],
            "notes": list(self.count.notes) if self.count else [],
            "duration_s": self.duration_s,
        }


@dataclass(frozen=True)
class CrossCheck(Presentable):
    """Our count of a call, and what the peers say of the same.

    Attributes:
        report: ours.
        peers: one result for each, those that failed included.
        title: what was counted, in words.
        provenance: what made this.
    """

    report: CostReport
    peers: tuple[PeerResult, ...]
    title: str = ""
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def by_peer(self) -> Mapping[str, PeerResult]:
        """Name -> result."""
        return {result.name: result for result in self.peers}

    @property
    def unexplained(self) -> Mapping[str, Amount]:
        """Name -> MACs of its difference that no reason was found for; empty if all have one."""
        return {r.name: r.unexplained.macs for r in self.peers if r.unexplained}

    def to_dict(self) -> dict[str, Any]:
        """As plain data, for JSON; the schema's name is in it."""
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


def whole(number: Amount) -> Amount:
    """The number as an int where it is one."""
    return int(number) if number == int(number) else number


def _explanation_dict(part: Explanation) -> dict[str, Any]:
    return {"reason": part.reason, "macs": part.macs, "modules": list(part.modules)}


def _rest(result: PeerResult) -> Amount | None:
    """MACs without a reason: none of no difference, unknown where the peer failed."""
    if result.difference is None:
        return None
    return result.unexplained.macs if result.unexplained else 0
