"""Why a peer differs: each rule reads the evidence of one gap and says how much of it that makes.

A rule is asked about what the rules before it have left. It answers with the MACs that its reason
accounts for, which it has computed, or with nothing.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod

from torch import nn

from inspect_cost.counting.tally import Tally, ancestry
from inspect_cost.crosschecking.comparison import Gap, Gaps, settle
from inspect_cost.crosschecking.families import (
    CONTRACTIONS,
    FUSED,
    OTHER,
    find_family,
    strip_namespace,
)
from inspect_cost.crosschecking.peers import Peer
from inspect_cost.crosschecking.results import Amount, Entry, Explanation, to_whole

#: numpy's cost of an einsum, which fvcore reads, is printed with four digits.
EINSUM_ROUNDING = 5.1e-4


@dataclass(frozen=True)
class Evidence:
    """One gap, and what else bears on it.

    Attributes:
        gap: the gap.
        rest: MACs of it that have no reason yet.
        peer: the peer that it is of.
        model: the caller's model, whose attributes are read.
        opaque: modules in which the peer met operators without a rule that do the work of
            others, and those operators.
    """

    gap: Gap
    rest: Amount
    peer: Peer
    model: nn.Module
    opaque: Mapping[str, list[Entry]]

    @cached_property
    def module(self) -> nn.Module:
        """The module that the gap is in."""
        return self.model.get_submodule(self.gap.module)

    @cached_property
    def places(self) -> int:
        """Number of places of the model that the module is in; two names in one parent are one."""
        return _count_visits(self.model, self.module)

    @property
    def our_calls(self) -> int:
        """Number of calls of operators with MACs here."""
        return sum(tally.calls for tally in self.gap.ours if tally.cost.macs)

    @property
    def their_calls(self) -> int | None:
        """Number of calls that the peer met, with a rule or without; None if it does not say."""
        calls = [entry.calls for entry in self.gap.theirs]
        return None if None in calls else sum(filter(None, calls))


def _count_visits(root: nn.Module, module: nn.Module) -> int:
    """Return how many times a recursive walk over `children()` visits a module."""
    return (root is module) + sum(_count_visits(child, module) for child in root.children())


NO_RULE = "{} counted 0: it has no rule for that"

Reason = tuple[str, Amount]
Rule = Callable[[Evidence], Reason | None]


def explain_missing_rule(e: Evidence) -> Reason | None:
    """Explain by operators, or a layer of a class, that the peer met and has no rule for."""
    named = () if e.peer.by_layer else _list_passed_over(e.gap)
    unknown = [entry for entry in e.gap.unknown if entry not in named]
    told_apart = e.gap.family in CONTRACTIONS or not e.gap.their_macs
    if e.rest >= 0 or not unknown or not told_apart:
        return None
    return NO_RULE.format(_join_names(unknown)), e.rest


def explain_opaque_operator(e: Evidence) -> Reason | None:
    """Explain by work inside one operator that counts 0: a fused layer, or one not of torch."""
    if e.rest >= 0:
        return None
    here = e.opaque.get(e.gap.module, [])
    around = (e.opaque.get(path, []) for path in ancestry(e.gap.module))
    fused = [entry for met in around for entry in met if find_family(entry.operator) == FUSED]
    names = _join_names(here or fused)
    return (NO_RULE.format(names), e.rest) if names else None


def explain_stride(e: Evidence) -> Reason | None:
    """Explain by a transposed convolution's taps at each output instead of input position."""
    module = e.module
    if e.rest <= 0 or not isinstance(module, nn.modules.conv._ConvTransposeNd):  # noqa: SLF001 - the common base has no public name
        return None
    taps = module.weight.numel()
    inputs, outputs = e.gap.our_macs / taps, (e.gap.our_macs + e.rest) / taps
    if prod(module.stride) == 1 or inputs != int(inputs) or outputs != int(outputs):
        return None
    ratio = f"x{outputs / inputs:.4g}"
    return f"transposed convolution {ratio} (stride {_format_sizes(module.stride)})", e.rest


def explain_shared_places(e: Evidence) -> Reason | None:
    """Explain by a module in several places of the model, counted once more for each."""
    ratio = _compute_ratio(e)
    if e.places == 1 or ratio is None or ratio not in {e.places, e.places**2}:
        return None
    return f"module in {e.places} places counted x{ratio}", e.rest


def explain_fewer_calls(e: Evidence) -> Reason | None:
    """Explain by a module that is called several times, of which the peer counted one call."""
    once = e.gap.our_macs == e.our_calls * (e.gap.our_macs + e.rest)
    if e.our_calls == 1 or e.rest >= 0 or not once:
        return None
    return f"called {e.our_calls} times, counted once", e.rest


def explain_projection(e: Evidence) -> Reason | None:
    """Explain by an LSTM's projection ignored: the full state counted as returning to the gates."""
    module = e.module
    if not isinstance(module, nn.LSTM) or not module.proj_size or e.peer.name != "thop":
        return None
    projected = _count_lstm_step(module, module.proj_size)
    steps = e.gap.our_macs // projected
    return "LSTM without its projection", steps * (_count_lstm_step(module, None) - projected)


def explain_einsum_rounding(e: Evidence) -> Reason | None:
    """Explain by numpy's estimate of an einsum, of which four digits are printed."""
    by_einsum = [entry for entry in e.gap.known if strip_namespace(entry.operator) == "einsum"]
    if not by_einsum or abs(e.rest) > EINSUM_ROUNDING * e.gap.our_macs:
        return None
    return "einsum from four digits of numpy's estimate", e.rest


def explain_spelling(e: Evidence) -> Reason | None:
    """Explain by our contraction that the peer saw as arithmetic of other kinds."""
    if e.gap.family != OTHER or e.rest != -e.gap.our_macs or not e.gap.known:
        return None
    names = ", ".join(dict.fromkeys(t.operator for t in e.gap.ours if t.cost.macs))
    return f"{names} spelt out in operators without MACs", e.rest


def explain_absence(e: Evidence) -> Reason | None:
    """Explain by operators that ran and that the peer never met."""
    met = e.their_calls
    missing = not e.gap.their_macs if met is None else met < e.our_calls
    if e.rest >= 0 or not missing:
        return None
    names = ", ".join(dict.fromkeys(t.operator for t in e.gap.ours if t.cost.macs))
    return f"{names} {e.peer.absence}", e.rest


def explain_elementwise(e: Evidence) -> Reason | None:
    """Explain by arithmetic outside contractions, counted as MACs."""
    if e.gap.family in CONTRACTIONS:
        return None
    beside = sum(t.cost.flops - 2 * t.cost.macs for t in e.gap.ours)
    if e.rest <= 0 or (e.gap.our_macs and e.rest > beside):
        return None
    names = _join_names([entry for entry in e.gap.known if entry.macs])
    return f"element-wise work of {names} counted as MACs", e.rest


#: Asked in this order.
RULES: tuple[Rule, ...] = (
    explain_missing_rule,
    explain_opaque_operator,
    explain_stride,
    explain_shared_places,
    explain_fewer_calls,
    explain_projection,
    explain_einsum_rounding,
    explain_spelling,
    explain_absence,
    explain_elementwise,
)


def explain(
    gaps: Gaps, peer: Peer, model: nn.Module
) -> tuple[tuple[Explanation, ...], Explanation | None]:
    """Return the reasons of all gaps, the largest first, and the rest that has none."""
    opaque = _collect_opaque(gaps)
    amounts: dict[str, dict[str, Amount]] = defaultdict(lambda: defaultdict(int))
    if not peer.by_layer:
        # First what is certain, so that it is not set against work seen elsewhere.
        for gap in gaps.values():
            for reason, macs in _find_certain(gap, peer):
                amounts[reason][gap.module] += macs
                gap.macs -= macs
        settle(gaps)
    for gap in gaps.values():
        for reason, macs in _find_reasons(Evidence(gap, gap.macs, peer, model, opaque)):
            amounts[reason][gap.module] += macs
    rest = amounts.pop(UNEXPLAINED, None)
    parts = [_make_part(reason, places) for reason, places in amounts.items()]
    ranked = tuple(sorted(parts, key=lambda part: -abs(part.macs)))
    return ranked, _make_part(UNEXPLAINED, rest) if rest else None


UNEXPLAINED = "unexplained"


def _find_reasons(evidence: Evidence) -> Iterator[Reason]:
    """Yield what each rule accounts for, and then what is left."""
    gap, rest = evidence.gap, evidence.rest
    for rule in RULES:
        if not rest:
            return
        answer = rule(Evidence(gap, rest, evidence.peer, evidence.model, evidence.opaque))
        if answer and answer[1]:
            yield answer
            rest = to_whole(rest - answer[1])
    if rest:
        yield UNEXPLAINED, rest


def _make_part(reason: str, places: Mapping[str, Amount]) -> Explanation:
    return Explanation(reason, to_whole(sum(places.values())), tuple(places))


def _find_certain(gap: Gap, peer: Peer) -> Iterator[Reason]:
    """Yield reasons that need no other gap: operators without a rule, and those left out."""
    if entries := _list_passed_over(gap):
        yield NO_RULE.format(_join_names(entries)), -_count_our_macs(gap, entries)
    if peer.prunes and (unread := _list_left_out(gap)):
        names = ", ".join(dict.fromkeys(tally.operator for tally in unread))
        reason = f"{names} {peer.absence}, where nothing that is returned depends on it"
        yield reason, -sum(tally.dead_cost.macs for tally in unread)


def _list_left_out(gap: Gap) -> list[Tally]:
    """List our tallies whose result no output depends on, if the peer met that much less."""
    unread = [tally for tally in gap.ours if tally.dead_cost.macs]
    ran = sum(tally.calls for tally in gap.ours if tally.cost.macs)
    met = sum(entry.calls or 0 for entry in gap.theirs)
    return unread if met <= ran - sum(tally.dead_calls for tally in unread) else []


def _list_passed_over(gap: Gap) -> list[Entry]:
    """List operators that the peer has no rule for, and that we counted under the same name."""
    ours = {_strip_name(tally.operator) for tally in gap.ours if tally.cost.macs}
    return [entry for entry in gap.unknown if _strip_name(entry.operator) in ours]


def _count_our_macs(gap: Gap, entries: Iterable[Entry]) -> int:
    """Return the MACs that we counted for these operators of a peer, by their names."""
    names = {_strip_name(entry.operator) for entry in entries}
    return sum(tally.cost.macs for tally in gap.ours if _strip_name(tally.operator) in names)


def _strip_name(operator: str) -> str:
    """Return the name without the underscores of torch's inner operators."""
    return strip_namespace(operator).strip("_")


def _collect_opaque(gaps: Gaps) -> dict[str, list[Entry]]:
    """Collect operators without a rule that are fused or not torch's, by their module."""
    met: dict[str, list[Entry]] = defaultdict(list)
    for gap in gaps.values():
        met[gap.module] += [entry for entry in gap.unknown if _is_opaque(entry.operator)]
    return met


def _is_opaque(operator: str) -> bool:
    return find_family(operator) == FUSED or not operator.startswith("aten")


def _join_names(entries: Iterable[Entry]) -> str:
    """Return the operators in the peer's words, each once."""
    return ", ".join(dict.fromkeys(entry.operator for entry in entries))


def _format_sizes(sizes: tuple[int, ...]) -> str:
    return " x ".join(map(str, sizes))


def _compute_ratio(e: Evidence) -> Amount | None:
    """Return the peer's MACs over ours in this gap; None if we have none."""
    return to_whole((e.gap.our_macs + e.rest) / e.gap.our_macs) if e.gap.our_macs else None


def _count_lstm_step(module: nn.LSTM, projection: int | None) -> int:
    """Return the MACs of one step of all layers in both directions, given the projected size."""
    H, returned = module.hidden_size, projection or module.hidden_size
    directions = 2 if module.bidirectional else 1
    inputs = [module.input_size] + [returned * directions] * (module.num_layers - 1)
    gates = sum(4 * H * (I + returned) for I in inputs)
    return directions * (gates + (module.num_layers * H * returned if projection else 0))
