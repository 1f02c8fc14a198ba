"""Cost laws: what models cost as polynomials in the length."""

from collections.abc import Iterator

from inspect_cost.counting.law import CostLaw
from inspect_cost.counting.polynomial import format_polynomial
from inspect_cost.reports.document import Block, Cell, Document, Fact, Facts, Heading
from inspect_cost.reports.results import Laws
from inspect_cost.reports.view import View


def compose_law(law: CostLaw, view: View) -> Document:
    """Return the document of one law."""
    del view
    return Document.of("Cost law", [Heading(law.example.model), *present_law(law)])


def compose_laws(laws: Laws, view: View) -> Document:
    """Return a paragraph for each model."""
    del view
    return Document.of("Cost laws", present_laws(laws))


def present_laws(laws: Laws) -> Iterator[Block]:
    """Yield each model's name and its law."""
    for name, law in laws.laws.items():
        yield Heading(name)
        yield from present_law(law)


def present_law(law: CostLaw) -> Iterator[Block]:
    """Yield MACs, FLOPs and bytes as polynomials in the length, and where they hold."""
    polynomials = {"MACs(L)": law.macs, "FLOPs(L)": law.flops, "Bytes(L)": law.bytes_moved}
    texts = {name: format_polynomial(terms) for name, terms in polynomials.items()}
    lengths = ", ".join(f"{n:,}" for n in law.counted_at)
    domain = f"for {law.domain}; counted and verified at {lengths}"
    yield Facts(
        (
            *(Fact(n, Cell(f"= {text}", text, kind="counted")) for n, text in texts.items()),
            Fact("", Cell(domain, style="remark")),
        ),
        align="left",
    )
