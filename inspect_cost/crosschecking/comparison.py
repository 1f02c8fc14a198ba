"""Where a peer's tallies and ours differ: gaps by module and family of operators."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from inspect_cost.counting.report import CostReport
from inspect_cost.counting.tally import Tally, ancestry
from inspect_cost.crosschecking.families import CONTRACTIONS, OTHER, find_family
from inspect_cost.crosschecking.peers import Peer
from inspect_cost.crosschecking.results import Amount, Entry, PeerCount, to_whole

#: The only family of a peer that reports layers as a whole.
LAYER = "layer"


@dataclass
class Gap:
    """Both counts of one family of operators in one module.

    Attributes:
        module: path of the module.
        family: family of the operators.
        ours: our tallies.
        theirs: the peer's.
        macs: the peer's MACs minus ours, less what is settled already.
    """

    module: str
    family: str
    ours: list[Tally] = field(default_factory=list)
    theirs: list[Entry] = field(default_factory=list)
    macs: Amount = 0

    @property
    def our_macs(self) -> int:
        """Our MACs of this family here."""
        return sum(tally.cost.macs for tally in self.ours)

    @property
    def their_macs(self) -> Amount:
        """MACs that the peer counted for this family here."""
        return sum(entry.macs for entry in self.theirs)

    @property
    def unknown(self) -> list[Entry]:
        """Operators that the peer met here and has no rule for."""
        return [entry for entry in self.theirs if not entry.known]

    @property
    def known(self) -> list[Entry]:
        """Operators that the peer met here and has a rule for."""
        return [entry for entry in self.theirs if entry.known]


Gaps = Mapping[tuple[str, str], Gap]


def compare(report: CostReport, count: PeerCount, peer: Peer) -> Gaps:
    """Return the difference in each module and family; they add up to that of the totals."""
    gaps = _collect(report, count, peer)
    for gap in gaps.values():
        gap.macs = to_whole(gap.their_macs - gap.our_macs)
    return gaps


def settle(gaps: Gaps) -> None:
    """Cancel differences of the same work under another name or in another module.

    The sum of the gaps stays as it is.
    """
    _settle_within_modules(gaps)
    _settle_across_modules(gaps)


def _collect(report: CostReport, count: PeerCount, peer: Peer) -> dict[tuple[str, str], Gap]:
    """Sort tallies and entries by module and family."""
    covering = {entry.module for entry in count.entries if entry.covers}
    gaps: dict[tuple[str, str], Gap] = {}

    def gap(module: str, operator: str) -> Gap:
        place = _find_place(module, covering)
        family = LAYER if peer.by_layer else find_family(operator)
        return gaps.setdefault((place, family), Gap(place, family))

    for tally in report.tallies:
        gap(report.find_path(tally.module), tally.operator).ours.append(tally)
    for entry in count.entries:
        gap(entry.module, entry.operator).theirs.append(entry)
    return gaps


def _find_place(module: str, covering: Iterable[str]) -> str:
    """Return the outermost module around this one that the peer takes as a whole, or this one."""
    return next((path for path in reversed(ancestry(module)) if path in covering), module)


def _settle_within_modules(gaps: Gaps) -> None:
    """Settle attention that one calls attention and the other matrix products."""
    inside: dict[str, list[Gap]] = defaultdict(list)
    for gap in gaps.values():
        if gap.family in CONTRACTIONS:
            inside[gap.module].append(gap)
    for members in inside.values():
        for gap in members:
            for other in members:
                _settle(gap, other)


def _settle_across_modules(gaps: Gaps) -> None:
    """Settle work that one sees in a module and the other in one around it."""
    pairs = [
        (gap, gaps[path, kind])
        for (module, family), gap in gaps.items()
        if family != OTHER
        for path in ancestry(module)[1:]
        for kind in (CONTRACTIONS if family in CONTRACTIONS else (family,))
        if (path, kind) in gaps
    ]
    for gap, other in sorted(pairs, key=_rank_unlikeness):
        _settle(gap, other)


def _rank_unlikeness(pair: tuple[Gap, Gap]) -> tuple[bool, bool]:
    """Return a key that sorts work of the same kind first, and in it what cancels to nothing."""
    gap, other = pair
    return gap.family != other.family, gap.macs != -other.macs


def _settle(gap: Gap, other: Gap) -> None:
    """Cancel a surplus of one against a lack of the other."""
    if gap.macs * other.macs < 0:
        amount = min(abs(gap.macs), abs(other.macs))
        gap.macs += amount if gap.macs < 0 else -amount
        other.macs += amount if other.macs < 0 else -amount
