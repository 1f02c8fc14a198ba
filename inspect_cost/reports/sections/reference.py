"""What can be looked up: the meaning of each number, the models of the zoo."""

from inspect_cost.reports.document import Cell, Definition, Definitions, Document, make_cells
from inspect_cost.reports.results import Catalogue, Conventions
from inspect_cost.reports.view import View


def compose_conventions(conventions: Conventions, view: View) -> Document:
    """Return each topic with its convention."""
    del view
    entries = (Definition(topic, (Cell(text),)) for topic, text in conventions.texts.items())
    return Document.of("Conventions", [Definitions(tuple(entries), max_width=92)])


def compose_catalogue(catalogue: Catalogue, view: View) -> Document:
    """Return what is known of each preset."""
    del view
    entries = (
        Definition(
            preset.name,
            make_cells(
                f"{preset.title}: {preset.paper}",
                f"generates {preset.generates}, at {preset.sample_rate:,} Hz",
                f"{preset.params:,} parameters; published: {preset.reported_params}",
                f"deviations: {preset.deviations}",
            ),
        )
        for preset in catalogue.presets
    )
    return Document.of("Models of the zoo", [Definitions(tuple(entries), hanging=4)])
