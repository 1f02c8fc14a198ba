"""The module tree: parameters, MACs, FLOPs and share of each module."""

from collections.abc import Callable, Iterator

from inspect_cost.counting.report import CostReport
from inspect_cost.counting.tally import ModuleCost
from inspect_cost.reports.document import Block, Cell, Column, Row, Tree
from inspect_cost.reports.view import View
from inspect_cost.values.units import exact, percent, si

BAR_WIDTH = 10


def present_tree(count: CostReport, view: View) -> Iterator[Block]:
    """Yield the modules down to the view's depth, in the order in which they were made."""
    show = exact if view.exact else si
    yield Tree(make_columns(count, show), tuple(make_rows(count, view.depth, show)))


def make_columns(count: CostReport, show: Callable[[int], str]) -> tuple[Column, ...]:
    """Return the columns; those of numbers are as wide as the widest of all modules."""
    params = [show(module.params) for module in count.by_module.values()]
    return (
        Column("Module"),
        Column("Type", style="remark"),
        make_number_column("Parameters", *params),
        make_number_column("MACs", show(count.macs)),
        make_number_column("FLOPs", show(count.flops)),
        make_number_column("Share", "100.0 %"),
        Column(style="bar"),
    )


def make_number_column(name: str, *widest: str) -> Column:
    """Return a column whose digits are never cut."""
    return Column(name, "right", min_width=max(map(len, (name, *widest))))


def make_rows(count: CostReport, depth: int, show: Callable[[int], str]) -> Iterator[Row]:
    """Yield a line for each module; what a module does itself has a line of its own below it.

    So the lines of one level add up to the line above them, unless one of them is of a module
    that runs elsewhere too.
    """
    parents = {path.rpartition(".")[0] for path in count.by_module if path}
    for path, module in count.by_module.items():
        if module.depth > depth:
            continue
        yield make_row(count, module, show)
        if path in parents and module.depth < depth and module.own_cost.flops:
            yield make_own_row(count, module, show)


def make_row(count: CostReport, module: ModuleCost, show: Callable[[int], str]) -> Row:
    """Return the line of a module with everything inside."""
    name = Cell(module.path.rpartition(".")[2] or count.model, module.path)
    params = make_number(module.params, "", show)
    costs = make_costs(count, module.macs, module.flops, show)
    return Row((name, Cell(module.type, module.type), params, *costs), depth=module.depth)


def make_own_row(count: CostReport, module: ModuleCost, show: Callable[[int], str]) -> Row:
    """Return the line of the operators that a module calls itself."""
    own = module.own_cost
    name = Cell("(itself)", module.path)
    costs = make_costs(count, own.macs, own.flops, show)
    return Row((name, Cell(), Cell(), *costs), depth=module.depth + 1)


def make_costs(
    count: CostReport, macs: int, flops: int, show: Callable[[int], str]
) -> tuple[Cell, ...]:
    """Return MACs and FLOPs, and the share of the FLOPs as a number and as a bar."""
    share = flops / count.flops if count.flops else None
    return (
        make_number(macs, "MAC", show),
        make_number(flops, "FLOP", show),
        Cell(percent(flops, count.flops), share),
        Cell("█" * round(BAR_WIDTH * flops / count.flops) if count.flops else "", share),
    )


def make_number(number: int, unit: str, show: Callable[[int], str]) -> Cell:
    """Return a counted number."""
    return Cell(show(number), number, unit, "counted")
