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

from inspect_cost.counting.report import Tally, ancestry
from inspect_cost.crosschecking.comparison import Gap, Gaps, settle
from inspect_cost.crosschecking.families import CONTRACTIONS, FUSED, OTHER, family_of, plain_name
from inspect_cost.crosschecking.peers import Peer
from inspect_cost.crosschecking.results import Amount, Entry, Explanation, whole

#: numpy's cost of an einsum, which fvcore reads, is printed with four digits.
EINSUM_ROUNDING = 5.1e-4


@dataclass(frozen=True)
class Evidence:
    """One gap, and what else bears on it.

    Attributes:
        gap: the gap.
        rest: MACs of it that have no reason yet.
        peer: whose it is.
        model: the caller's model, of which attributes are read.
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
        """How many places of the model the module is in; two names in one parent are one."""
        return _visits(self.model, self.module)

    @property
    def our_calls(self) -> int:
        """How often operators of MACs ran here."""
        return sum(tally.calls for tally in self.gap.ours if tally.cost.macs)

    @property
    def their_calls(self) -> int | None:
        """How often the peer met such operators, with a rule or without."""
        calls = [entry.calls for entry in self.gap.theirs]
        return None if None in calls else sum(filter(None, calls))


def _visits(root: nn.Module, module: nn.Module) -> int:
    """How often one meets a module who goes from each module to its children."""
    return (root is module) + sum(_visits(child, module) for child in root.children())


NO_RULE = "{} counted 0: it has no rule for that"

Reason = tuple[str, Amount]
Rule = Callable[[Evidence], Reason | None]


def without_rule(e: Evidence) -> Reason | None:
    """It met operators that do this work, or a layer of a class, and has no rule for them."""
    named = () if e.peer.by_layer else _passed_over(e.gap)
    unknown = [entry for entry in e.gap.unknown if entry not in named]
    told_apart = e.gap.family in CONTRACTIONS or not e.gap.their_macs
    if e.rest >= 0 or not unknown or not told_apart:
        return None
    return NO_RULE.format(_names(unknown)), e.rest


def inside_opaque(e: Evidence) -> Reason | None:
    """The work was done inside one operator that counts 0: a fused layer, or one not of torch."""
    if e.rest >= 0:
        return None
    here = e.opaque.get(e.gap.module, [])
    around = (e.opaque.get(path, []) for path in ancestry(e.gap.module))
    fused = [entry for met in around for entry in met if family_of(entry.operator) == FUSED]
    names = _names(here or fused)
    return (NO_RULE.format(names), e.rest) if names else None


def times_stride(e: Evidence) -> Reason | None:
    """A transposed convolution's taps at each output position, instead of each input position."""
    module = e.module
    if e.rest <= 0 or not isinstance(module, nn.modules.conv._ConvTransposeNd):  # noqa: SLF001 - the common base has no public name
        return None
    taps = module.weight.numel()
    inputs, outputs = e.gap.our_macs / taps, (e.gap.our_macs + e.rest) / taps
    if prod(module.stride) == 1 or inputs != int(inputs) or outputs != int(outputs):
        return None
    ratio = f"x{outputs / inputs:.4g}"
    return f"transposed convolution {ratio} (stride {_sizes(module.stride)})", e.rest


def shared_places(e: Evidence) -> Reason | None:
    """A module in several places of the model, counted once more for each."""
    ratio = _ratio(e)
    if e.places == 1 or ratio is None or ratio not in {e.places, e.places**2}:
        return None
    return f"module in {e.places} places counted x{ratio}", e.rest


def fewer_calls(e: Evidence) -> Reason | None:
    """Of a module that is called several times, the peer counted one call."""
    once = e.gap.our_macs == e.our_calls * (e.gap.our_macs + e.rest)
    if e.our_calls == 1 or e.rest >= 0 or not once:
        return None
    return f"called {e.our_calls} times, counted once", e.rest


def unprojected(e: Evidence) -> Reason | None:
    """An LSTM's projection ignored: the full state counted as what returns to the gates."""
    module = e.module
    if not isinstance(module, nn.LSTM) or not module.proj_size or e.peer.name != "thop":
        return None
    projected = _lstm_step(module, module.proj_size)
    steps = e.gap.our_macs // projected
    return "LSTM without its projection", steps * (_lstm_step(module, None) - projected)


def einsum_rounding(e: Evidence) -> Reason | None:
    """An einsum by numpy's estimate, of which four digits are printed."""
    by_einsum = [entry for entry in e.gap.known if plain_name(entry.operator) == "einsum"]
    if not by_einsum or abs(e.rest) > EINSUM_ROUNDING * e.gap.our_macs:
        return None
    return "einsum from four digits of numpy's estimate", e.rest


def other_order(e: Evidence) -> Reason | None:
    """A bilinear form whose other operand is multiplied first."""
    module = e.module
    if not isinstance(module, nn.Bilinear):
        return None
    first, second = module.in1_features, module.in2_features
    theirs = e.gap.our_macs * second * (first + 1) // (first * (second + 1))
    if e.gap.our_macs + e.rest != theirs:
        return None
    return "bilinear form multiplied in the other order", e.rest


def spelt_out(e: Evidence) -> Reason | None:
    """What we take for a contraction, the peer saw as arithmetic of other kinds."""
    if e.gap.family != OTHER or e.rest != -e.gap.our_macs or not e.gap.known:
        return None
    names = ", ".join(dict.fromkeys(t.operator for t in e.gap.ours if t.cost.macs))
    return f"{names} spelt out in operators without MACs", e.rest


def dropped(e: Evidence) -> Reason | None:
    """The peer never met operators that ran."""
    met = e.their_calls
    missing = not e.gap.their_macs if met is None else met < e.our_calls
    if e.rest >= 0 or not missing:
        return None
    names = ", ".join(dict.fromkeys(t.operator for t in e.gap.ours if t.cost.macs))
    return f"{names} {e.peer.absence}", e.rest


def elementwise(e: Evidence) -> Reason | None:
    """Arithmetic outside contractions, counted as MACs."""
    if e.gap.family in CONTRACTIONS:
        return None
    beside = sum(t.cost.flops - 2 * t.cost.macs for t in e.gap.ours)
    if e.rest <= 0 or (e.gap.our_macs and e.rest > beside):
        return None
    names = _names([entry for entry in e.gap.known if entry.macs])
    return f"element-wise work of {names} counted as MACs", e.rest


#: Asked in this order.
RULES: tuple[Rule, ...] = (
    without_rule,
    inside_opaque,
    times_stride,
    shared_places,
    fewer_calls,
    unprojected,
    einsum_rounding,
    other_order,
    spelt_out,
    dropped,
    elementwise,
)


def explained(
    gaps: Gaps, peer: Peer, model: nn.Module
) -> tuple[tuple[Explanation, ...], Explanation | None]:
    """The reasons, the largest first, and what they leave over."""
    opaque = _opaque(gaps)
    amounts: dict[str, dict[str, Amount]] = defaultdict(lambda: defaultdict(int))
    if not peer.by_layer:
        # First what is certain, so that it is not set against work seen elsewhere.
        for gap in gaps.values():
            for reason, macs in _certain(gap, peer):
                amounts[reason][gap.module] += macs
                gap.macs -= macs
        settle(gaps)
    for gap in gaps.values():
        for reason, macs in _reasons(Evidence(gap, gap.macs, peer, model, opaque)):
            amounts[reason][gap.module] += macs
    rest = amounts.pop(UNEXPLAINED, None)
    parts = [_part(reason, places) for reason, places in amounts.items()]
    ranked = tuple(sorted(parts, key=lambda part: -abs(part.macs)))
    return ranked, _part(UNEXPLAINED, rest) if rest else None


UNEXPLAINED = "unexplained"


def _reasons(evidence: Evidence) -> Iterator[Reason]:
    """What each rule accounts for, and then what is left."""
    gap, rest = evidence.gap, evidence.rest
    for rule in RULES:
        if not rest:
            return
        answer = rule(Evidence(gap, rest, evidence.peer, evidence.model, evidence.opaque))
        if answer and answer[1]:
            yield answer
            rest = whole(rest - answer[1])
    if rest:
        yield UNEXPLAINED, rest


def _part(reason: str, places: Mapping[str, Amount]) -> Explanation:
    return Explanation(reason, whole(sum(places.values())), tuple(places))


def _certain(gap: Gap, peer: Peer) -> Iterator[Reason]:
    """What needs no other gap to be known: operators without a rule, and those left out."""
    if entries := _passed_over(gap):
        yield NO_RULE.format(_names(entries)), -_our_macs(gap, entries)
    if peer.prunes and (unread := _left_out(gap)):
        names = ", ".join(dict.fromkeys(tally.operator for tally in unread))
        reason = f"{names} {peer.absence}, where nothing that is returned depends on it"
        yield reason, -sum(tally.dead_cost.macs for tally in unread)


def _left_out(gap: Gap) -> list[Tally]:
    """Our tallies whose result reaches nothing in part or whole, if the peer met that much less."""
    unread = [tally for tally in gap.ours if tally.dead_cost.macs]
    ran = sum(tally.calls for tally in gap.ours if tally.cost.macs)
    met = sum(entry.calls or 0 for entry in gap.theirs)
    return unread if met <= ran - sum(tally.dead_calls for tally in unread) else []


def _passed_over(gap: Gap) -> list[Entry]:
    """Operators that the peer has no rule for, and that we have counted under the same name."""
    ours = {_bare_name(tally.operator) for tally in gap.ours if tally.cost.macs}
    return [entry for entry in gap.unknown if _bare_name(entry.operator) in ours]


def _our_macs(gap: Gap, entries: Iterable[Entry]) -> int:
    """What we have counted for these operators of a peer, by their names."""
    names = {_bare_name(entry.operator) for entry in entries}
    return sum(tally.cost.macs for tally in gap.ours if _bare_name(tally.operator) in names)


def _bare_name(operator: str) -> str:
    """The name without the underscores that tell torch's inner operators from its outer ones."""
    return plain_name(operator).strip("_")


def _opaque(gaps: Gaps) -> dict[str, list[Entry]]:
    """Operators without a rule that are fused, or not of torch, by the module that they ran in."""
    met: dict[str, list[Entry]] = defaultdict(list)
    for gap in gaps.values():
        met[gap.module] += [entry for entry in gap.unknown if _is_opaque(entry.operator)]
    return met


def _is_opaque(operator: str) -> bool:
    return family_of(operator) == FUSED or not operator.startswith("aten")


def _names(entries: Iterable[Entry]) -> str:
    """Operators in the peer's words, each once."""
    return ", ".join(dict.fromkeys(entry.operator for entry in entries))


def _sizes(sizes: tuple[int, ...]) -> str:
    return " x ".join(map(str, sizes))


def _ratio(e: Evidence) -> Amount | None:
    """The peer's MACs over ours, as far as this gap is concerned."""
    return whole((e.gap.our_macs + e.rest) / e.gap.our_macs) if e.gap.our_macs else None


def _lstm_step(module: nn.LSTM, projection: int | None) -> int:
    """MACs of one step of all layers in both directions, from the state's size that returns."""
    H, returned = module.hidden_size, projection or module.hidden_size
    directions = 2 if module.bidirectional else 1
    inputs = [module.input_size] + [returned * directions] * (module.num_layers - 1)
    gates = sum(4 * H * (I + returned) for I in inputs)
    return directions * (gates + (module.num_layers * H * returned if projection else 0))
