"""The report that a person reads: totals first, then the module tree."""

from collections.abc import Iterator
from dataclasses import asdict

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from inspect_cost.counting.report import CostReport, ModuleCost
from inspect_cost.reports.inspection import Audio, Report
from inspect_cost.reports.law import law_table
from inspect_cost.reports.measured import measured_part
from inspect_cost.reports.text import rendered
from inspect_cost.reports.view import View
from inspect_cost.reports.waste import folding_lines, waste_lines
from inspect_cost.values.cost import CONVENTIONAL
from inspect_cost.values.units import exact, percent, si

BAR_WIDTH = 10


def table_text(report: Report, view: View) -> str:
    """The report as tables for a terminal, plain text where there are no colours."""
    parts: list[RenderableType] = [
        heading(report),
        Text(),
        totals(report),
        *waste_lines(report.count),
        *folding_lines(report.count),
        Text(),
        *measured_part(report),
        tree(report.count, view),
    ]
    if report.count.uncounted:
        parts += [Text(), uncounted(report.count)]
    if report.law:
        parts += [Text(), law_table(report.law)]
    if report.standing:
        parts += [Text(), Text(report.standing.text)]
    parts += [Text(), *(Text(note, style="dim") for note in footnotes(report))]
    return rendered(Group(*parts), view)


def heading(report: Report) -> Text:
    """What was inspected."""
    subject, audio = report.subject, report.audio
    text = Text(subject.title, style="bold")
    text.append(f"  {subject.call}", style="default")
    if audio:
        requested = audio.samples_requested / audio.sample_rate
        text.append(f" ({requested:.3g} s at {exact(audio.sample_rate)} Hz)", style="default")
    if subject.source:
        text.append(f"\n{subject.source}", style="dim")
    for name, value in subject.settings.items():
        text.append(f"\n{name} = {value}, not as published", style="yellow")
    if audio and audio.samples_generated != audio.samples_requested:
        text.append(f"\n{cropping(audio)}", style="yellow")
    return text


def cropping(audio: Audio) -> str:
    """Why the call makes more samples than were asked for."""
    return (
        f"{exact(audio.samples_requested)} samples cannot be made: it generates "
        f"{exact(audio.samples_generated)} ({audio.seconds:.4g} s) and crops them."
    )


def totals(report: Report) -> Padding:
    """Parameters, MACs, FLOPs and bytes of the whole call."""
    count, audio = report.count, report.audio
    least = "" if count.complete else " at least"
    grid = Table.grid(padding=(0, 3))
    grid.add_column(style="bold")
    grid.add_column(justify="right")
    grid.add_column(style="dim")
    for name, value, remark in (
        ("Parameters", exact(count.params), stored(count)),
        (f"MACs{least}", exact(count.macs), rate(count.macs, "MAC", audio)),
        (f"FLOPs{least}", exact(count.flops), rate(count.flops, "FLOP", audio)),
        ("", "", by_class(count)),
        *weighted(report),
        ("Bytes moved", exact(count.bytes_moved), intensity(count)),
        ("Peak activations", *activations(count)),
        ("Uncounted", coverage(count), "" if count.complete else "see below: no total has them"),
        *([] if report.measurements else [("Measured", "nothing", "left out by --no-measure")]),
    ):
        grid.add_row(name, value, remark)
    return Padding(grid, (0, 0, 0, 2))


def weighted(report: Report) -> list[tuple[str, str, str]]:
    """FLOPs by the user's own weights, if there are any."""
    if report.weights is None or report.weighted_flops is None:
        return []
    weights = asdict(report.weights)
    changed = [f"{n} = {w}" for n, w in weights.items() if w != getattr(CONVENTIONAL, n)]
    return [("  weighted", exact(report.weighted_flops), f"with {', '.join(changed) or 'nothing'}")]


def stored(count: CostReport) -> str:
    """Size and types of the parameters, and how many are left once weight norm is folded."""
    storage = count.storage
    text = f"{si(storage.param_bytes, 'B')}, {' + '.join(storage.dtypes) or 'none'}"
    if storage.weight_norm_lengths:
        text += f"; {exact(storage.folded_params)} with weight norm folded"
    return text


def rate(amount: int, unit: str, audio: Audio | None) -> str:
    """The amount with an SI prefix, and per second of audio where there is some."""
    text = si(amount, unit)
    if audio:
        text += f"; {si(audio.per_second(amount), unit)} per second of audio"
    return text


def by_class(count: CostReport) -> str:
    """The FLOPs' parts: 2 x MACs and each class that occurs, a few to a line."""
    parts = [f"{si(n)} {name}" for name, n in count.flops_by_class.items() if n]
    lines = [", ".join(parts[i : i + 4]) for i in range(0, len(parts), 4)]
    other = count.flops - 2 * count.macs
    return f"{si(2 * count.macs)} in MACs, {si(other)} other\n" + ",\n".join(lines)


def intensity(count: CostReport) -> str:
    """Bytes with an SI prefix, and FLOPs for each."""
    per_byte = count.arithmetic_intensity
    return si(count.bytes_moved, "B") + (f"; {per_byte:.1f} FLOP/B" if per_byte else "")


def activations(count: CostReport) -> tuple[str, str]:
    """The most bytes of results alive at once, and what they are."""
    peak = count.peak_activation_bytes
    if peak is None:
        return "not known", "results of operators alive at once"
    return exact(peak), f"{si(peak, 'B')} of results alive at once"


def coverage(count: CostReport) -> str:
    """Whether operators are missing from the totals."""
    kinds = len(count.uncounted)
    return f"{kinds} operator{'s' if kinds > 1 else ''}" if kinds else "nothing"


def tree(count: CostReport, view: View) -> Table:
    """Modules with their parameters, MACs, FLOPs and share of the FLOPs."""
    table = Table(box=None, padding=(0, 1), pad_edge=False, header_style="bold")
    shown = exact if view.exact else si
    numbers = [
        ("Parameters", [shown(module.params) for module in count.by_module.values()]),
        ("MACs", [shown(count.macs)]),
        ("FLOPs", [shown(count.flops)]),
        ("Share", ["100.0 %"]),
    ]
    listed = list(rows(count, view.depth))
    names = max(len(label) for label, _, _ in listed)
    table.add_column("Module", no_wrap=True, overflow="ellipsis", min_width=min(names, 40))
    table.add_column("Type", no_wrap=True, overflow="ellipsis", style="dim")
    for name, widest in numbers:
        # Digits are never cut: where the line is too short, names are.
        width = max(map(len, (name, *widest)))
        table.add_column(name, justify="right", no_wrap=True, min_width=width)
    table.add_column("", no_wrap=True, style="cyan", overflow="crop")
    for label, kind, module in listed:
        flops = module.own_cost.flops if kind is OWN else module.flops
        table.add_row(
            label,
            "" if kind is OWN else module.type,
            "" if kind is OWN else shown(module.params),
            shown(module.own_cost.macs if kind is OWN else module.macs),
            shown(flops),
            percent(flops, count.flops),
            bar(flops, count.flops),
        )
    return table


OWN = "own"
INSIDE = "inside"


def rows(count: CostReport, depth: int) -> Iterator[tuple[str, str, ModuleCost]]:
    """(label, kind, module) of each line; what a module does itself has a line of its own.

    So the lines of one level add up to the line above them.
    """
    parents = {path.rpartition(".")[0] for path in count.by_module if path}
    for path, module in count.by_module.items():
        if module.depth > depth:
            continue
        indent = "  " * module.depth
        yield indent + (path.rpartition(".")[2] or count.model), INSIDE, module
        if path in parents and module.depth < depth and module.own_cost.flops:
            yield f"{indent}  (itself)", OWN, module


def bar(part: int, whole: int) -> str:
    """A share as a bar."""
    return "█" * round(BAR_WIDTH * part / whole) if whole else ""


def uncounted(count: CostReport) -> Text:
    """The operators that no total has, and how to give them a cost."""
    text = Text("Uncounted operators, whose arithmetic is in no total:", style="bold red")
    for name, calls in count.uncounted.items():
        modules = dict.fromkeys(t.module for t in count.tallies if t.operator == name)
        where = ", ".join(path or count.model for path in list(modules)[:3])
        more = f" and {len(modules) - 3} more modules" if len(modules) > 3 else ""  # noqa: PLR2004
        text.append(f"\n  {name}: {exact(calls)} calls in {where}{more}", style="red")
    first = next(iter(count.uncounted))
    text.append(
        "\nGive an operator a cost from Python:\n"
        "  inspect_cost.count(model, *inputs,\n"
        f'      op_costs={{"{first}": lambda out, *args, **kw: OpCost(mul=out.numel())}})',
        style="default",
    )
    return text


def footnotes(report: Report) -> Iterator[str]:
    """How the count was made."""
    yield from report.count.notes
    yield (
        f"Counted from shapes but for what is measured: one call, policy {report.count.policy}. "
        "FLOPs = 2 x MACs + other arithmetic: inspect-cost conventions."
    )
