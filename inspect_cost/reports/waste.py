"""The part of the table that says what a call does in vain, or need not do in every call."""

from collections.abc import Iterator

from rich.text import Text

from inspect_cost.counting.report import CostReport
from inspect_cost.counting.waste import ModuleWaste, Waste, find_pattern, group_by_pattern
from inspect_cost.values.cost import total
from inspect_cost.values.units import exact, percent, si

#: Modules whose work can be folded that are named; of more the number is told.
FEW_MODULES = 3
#: Groups of modules, or of parameters, that are named; of more the number is told.
LARGEST_LIST = 8


def waste_lines(count: CostReport) -> Iterator[Text]:
    """What never reaches the output, in which modules, and what was never touched."""
    waste = count.waste
    if not waste:
        return
    yield Text()
    if waste.flops or waste.params:
        yield Text(f"  {sentence(waste, count)}", style="yellow")
        lines = [group_line(name, group) for name, group in group_by_pattern(waste.modules).items()]
        yield from (Text(f"    {line}", style="dim") for line in shortened(lines))
    if waste.untouched_params:
        yield Text(f"  {untouched(waste)}", style="yellow")
        lines = [f"{name}.*" if name else "(itself)" for name in untouched_modules(waste)]
        yield from (Text(f"    {line}", style="dim") for line in shortened(lines))


def folding_lines(count: CostReport) -> Iterator[Text]:
    """What is the same in every call, and in which modules."""
    if not count.foldable:
        return
    flops = total(count.foldable.values()).flops
    modules = [path or "the model itself" for path in count.foldable]
    where = ", ".join(modules) if len(modules) <= FEW_MODULES else f"{exact(len(modules))} modules"
    amount = f"{si(flops, 'FLOP')} ({percent(flops, count.flops)})"
    yield Text()
    yield Text(f"  {amount} in {where} depend on parameters and buffers alone:")
    yield Text("  folded into them once, they are saved in every call.")


def sentence(waste: Waste, count: CostReport) -> str:
    """The waste in one sentence: 3.236 M parameters and 6.383 GMAC (4.5 %) ..."""
    parts = [f"{si(waste.params)} parameters"] if waste.params else []
    if waste.macs:
        parts.append(f"{si(waste.macs, 'MAC')} ({percent(waste.macs, count.macs)})")
    elif waste.flops:
        parts.append(f"{si(waste.flops, 'FLOP')} ({percent(waste.flops, count.flops)})")
    return f"{' and '.join(parts)} never reach the output:"


def group_line(name: str, group: list[ModuleWaste]) -> str:
    """Modules alike: their pattern, how many they are, and what they waste."""
    amounts = {
        "parameters": sum(m.params for m in group),
        "MAC": sum(m.macs for m in group),
        "FLOP": sum(m.flops for m in group),
    }
    told = [
        f"{si(amounts['parameters'])} parameters" if amounts["parameters"] else "",
        si(amounts["MAC"], "MAC") if amounts["MAC"] else "",
        si(amounts["FLOP"], "FLOP") if amounts["FLOP"] and not amounts["MAC"] else "",
    ]
    times = f" ({exact(len(group))} modules)" if len(group) > 1 else ""
    return f"{name}{times}: {', '.join(filter(None, told))}"


def untouched(waste: Waste) -> str:
    """How many parameters nothing read."""
    tensors = len(waste.untouched_params)
    return (
        f"{si(waste.untouched_elements)} parameters, {exact(tensors)} "
        f"tensor{'s' if tensors > 1 else ''}, are never touched:"
    )


def untouched_modules(waste: Waste) -> list[str]:
    """Patterns of the modules that the untouched parameters belong to."""
    modules = dict.fromkeys(name.rpartition(".")[0] for name in waste.untouched_params)
    alike: dict[tuple[str, ...], list[str]] = {}
    for path in modules:
        shape = tuple("*" if part.isdigit() else part for part in path.split("."))
        alike.setdefault(shape, []).append(path)
    return [find_pattern(paths) for paths in alike.values()]


def shortened(lines: list[str]) -> list[str]:
    """The first lines, and how many more there are."""
    more = len(lines) - LARGEST_LIST
    return lines if more <= 0 else [*lines[:LARGEST_LIST], f"and {more} more"]
