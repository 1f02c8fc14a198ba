"""Rule for Einstein sums, whose operands are multiplied in pairs from the left, as torch does."""

from math import prod

from inspect_cost.counting.onnx.call import NodeCall
from inspect_cost.formulas.contraction import dot_products
from inspect_cost.formulas.reduction import summation
from inspect_cost.values.cost import FREE, OpCost

Sizes = dict[str, int]


def einsum(call: NodeCall) -> OpCost | None:
    """Count an Einstein sum.

    For each pair of operands, indices that only one of them has are summed over first; the rest is
    a batched matrix product. An index that occurs twice in one term takes that operand's diagonal,
    which is free.
    """
    terms, result = parse_equation(call)
    sizes: Sizes = {}
    for position, term in enumerate(terms):
        for index, size in zip(term, call.operand(position).sizes, strict=True):
            before = sizes.setdefault(index, size)
            if before != size and 1 not in {before, size}:
                raise ValueError(f"the index {index} is both {before} and {size}")
            sizes[index] = max(size, before)
        _check_diagonals(term, call.operand(position).sizes)
    terms = [list(dict.fromkeys(term)) for term in terms]
    cost, left = FREE, terms[0]
    for position, right in enumerate(terms[1:], 1):
        later = set(result).union(*map(set, terms[position + 1 :]))
        summed_left, left_cost = _sum_out(left, set(right) | later, sizes)
        summed_right, right_cost = _sum_out(right, set(left) | later, sizes)
        together = list(dict.fromkeys([*summed_left, *summed_right]))
        kept = [index for index in together if index in later]
        every = prod(sizes[index] for index in together)
        outputs = prod(sizes[index] for index in kept)
        cost += left_cost + right_cost + dot_products(outputs, every // max(outputs, 1))
        left = kept
    return cost + _sum_out(left, set(result), sizes)[1]


def _check_diagonals(term: list[str], sizes: tuple[int, ...]) -> None:
    """Refuse an index that stands for different sizes of one operand."""
    pairs = set(zip(term, sizes, strict=True))
    if len(pairs) != len(set(term)):
        raise ValueError(f"an operand of {sizes} has no such diagonal: {''.join(term)}")


def parse_equation(call: NodeCall) -> tuple[list[list[str]], list[str]]:
    """Return the indices of each operand and of the result; an ellipsis becomes digits."""
    equation = call.get("equation").decode().replace(" ", "")
    left, arrow, right = equation.partition("->")
    terms = [
        _spell_out(term, len(value.sizes) if value else 0)
        for term, value in zip(left.split(","), call.inputs, strict=True)
    ]
    if arrow:
        return terms, _spell_out(right, len(call.out.sizes))
    every = [index for term in terms for index in term]
    dots = sorted({index for index in every if index.isdigit()}, reverse=True)
    return terms, dots + sorted(i for i in set(every) if every.count(i) == 1 and i.isalpha())


def _spell_out(term: str, rank: int) -> list[str]:
    before, dots, after = term.partition("...")
    hidden = rank - len(before) - len(after) if dots else 0
    return [*before, *(str(i) for i in reversed(range(hidden))), *after]


def _sum_out(term: list[str], needed: set[str], sizes: Sizes) -> tuple[list[str], OpCost]:
    """Return the term without the indices that nothing else needs, and the cost of summing them."""
    kept = [index for index in term if index in needed]
    if len(kept) == len(term):
        return term, FREE
    rows = prod(sizes[index] for index in kept)
    return kept, summation(rows, prod(sizes[index] for index in term) // max(rows, 1))
