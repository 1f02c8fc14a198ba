"""What a call computes without use, or need not compute in every call."""

from collections.abc import Iterator

from inspect_cost.counting.report import CostReport
from inspect_cost.counting.waste import ModuleWaste, Waste, find_pattern, group_by_pattern
from inspect_cost.reports.document import Block, Cell, Prose
from inspect_cost.values.cost import total
from inspect_cost.values.units import exact, percent, si

#: Modules whose work can be folded that are named; of more, their number is given.
FEW_MODULES = 3
#: Groups of modules, or of parameters, that are named; of more, their number is given.
LARGEST_LIST = 8


def present_waste(count: CostReport) -> Iterator[Block]:
    """Yield what never reaches the output, in which modules, and what was never touched."""
    waste = count.waste
    if not waste:
        return
    if waste.flops or waste.params:
        yield Prose((Cell(describe_waste(waste, count), style="warning"),), indent=2)
        groups = group_by_pattern(waste.modules).items()
        yield make_list([describe_group(name, group) for name, group in groups])
    if waste.untouched_params:
        yield Prose((Cell(describe_untouched(waste), style="warning"),), indent=2)
        names = find_untouched_modules(waste)
        yield make_list([f"{name}.*" if name else "(itself)" for name in names])


def present_foldable(count: CostReport) -> Iterator[Block]:
    """Yield what is the same in every call, and in which modules."""
    if not count.foldable:
        return
    flops = total(count.foldable.values()).flops
    modules = [path or "the model itself" for path in count.foldable]
    where = ", ".join(modules) if len(modules) <= FEW_MODULES else f"{exact(len(modules))} modules"
    amount = f"{si(flops, 'FLOP')} ({percent(flops, count.flops)})"
    sentence = f"{amount} in {where} depend on parameters and buffers alone:"
    saved = "folded into them once, they are saved in every call."
    yield Prose((Cell(sentence, flops, "FLOP", "counted"), Cell(saved)), indent=2)


def describe_waste(waste: Waste, count: CostReport) -> str:
    """Return the waste in one sentence: 3.236 M parameters and 6.383 GMAC (4.5 %) ..."""
    parts = [f"{si(waste.params)} parameters"] if waste.params else []
    if waste.macs:
        parts.append(f"{si(waste.macs, 'MAC')} ({percent(waste.macs, count.macs)})")
    elif waste.flops:
        parts.append(f"{si(waste.flops, 'FLOP')} ({percent(waste.flops, count.flops)})")
    return f"{' and '.join(parts)} never reach the output:"


def describe_group(name: str, group: list[ModuleWaste]) -> str:
    """Return modules that are alike: their pattern, how many they are, and what they waste."""
    params, macs, flops = (
        sum(getattr(module, amount) for module in group) for amount in ("params", "macs", "flops")
    )
    amounts = [
        f"{si(params)} parameters" if params else "",
        si(macs, "MAC") if macs else "",
        si(flops, "FLOP") if flops and not macs else "",
    ]
    times = f" ({exact(len(group))} modules)" if len(group) > 1 else ""
    return f"{name}{times}: {', '.join(filter(None, amounts))}"


def describe_untouched(waste: Waste) -> str:
    """Return how many parameters nothing read."""
    tensors = len(waste.untouched_params)
    return (
        f"{si(waste.untouched_elements)} parameters, {exact(tensors)} "
        f"tensor{'s' if tensors > 1 else ''}, are never touched:"
    )


def find_untouched_modules(waste: Waste) -> list[str]:
    """Return patterns of the modules that the untouched parameters belong to."""
    modules = dict.fromkeys(name.rpartition(".")[0] for name in waste.untouched_params)
    alike: dict[tuple[str, ...], list[str]] = {}
    for path in modules:
        shape = tuple("*" if part.isdigit() else part for part in path.split("."))
        alike.setdefault(shape, []).append(path)
    return [find_pattern(paths) for paths in alike.values()]


def make_list(lines: list[str]) -> Prose:
    """Make a list of the first lines, and of how many more there are."""
    more = len(lines) - LARGEST_LIST
    shown = lines if more <= 0 else [*lines[:LARGEST_LIST], f"and {more} more"]
    return Prose(tuple(Cell(line, style="remark") for line in shown), indent=4, listed=True)
