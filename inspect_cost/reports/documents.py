"""What each kind of result says: from a result to its document, its records, its plain data."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any, TypeVar

from inspect_cost.reports.document import Document
from inspect_cost.reports.sections.carbon import compose_carbon, compose_models
from inspect_cost.reports.sections.crosscheck import compose_crosscheck
from inspect_cost.reports.sections.doctor import compose_diagnosis
from inspect_cost.reports.sections.explanation import compose_explanation
from inspect_cost.reports.sections.inspection import (
    compose_count,
    compose_inspection,
)
from inspect_cost.reports.sections.law import compose_law, compose_laws
from inspect_cost.reports.sections.measurement import compose_measurement
from inspect_cost.reports.sections.paper import compose_paper
from inspect_cost.reports.sections.ranking import (
    Record,
    compose_comparison,
    compose_ranking,
    list_comparison_records,
    list_ranking_records,
)
from inspect_cost.reports.sections.reference import compose_catalogue, compose_conventions
from inspect_cost.reports.sections.standing import compose_standing
from inspect_cost.reports.view import View

Compose = Callable[[Any, View], Document]
ListRecords = Callable[[Any], Sequence[Record]]
T = TypeVar("T")

#: Result type -> what composes its document. Types are named, so that showing a result loads
#: nothing but what made it.
DOCUMENTS: Mapping[str, Compose] = MappingProxyType(
    {
        "CarbonEstimate": compose_carbon,
        "Catalogue": compose_catalogue,
        "Comparison": compose_comparison,
        "Conventions": compose_conventions,
        "CostLaw": compose_law,
        "CostReport": compose_count,
        "CrossCheck": compose_crosscheck,
        "Diagnosis": compose_diagnosis,
        "CostExplanation": compose_explanation,
        "Inspection": compose_inspection,
        "Laws": compose_laws,
        "Measurement": compose_measurement,
        "Ranking": compose_ranking,
        "Reproduction": compose_paper,
        "Standing": compose_standing,
        "TrainingCarbon": compose_models,
    }
)
#: Result type -> what lists its records, one for each model; most results are no lists.
RECORDS: Mapping[str, ListRecords] = MappingProxyType(
    {"Comparison": list_comparison_records, "Ranking": list_ranking_records}
)
#: Result type -> schema of its data, if the data do not name it.
SCHEMAS: Mapping[str, str] = MappingProxyType(
    {
        "CostLaw": "inspect-cost/law/1",
        "CostReport": "inspect-cost/count/1",
        "CostExplanation": "inspect-cost/explanation/1",
        "Measurement": "inspect-cost/measurement/1",
        "Ranking": "inspect-cost/points/1",
        "Standing": "inspect-cost/standing/1",
    }
)


@dataclass(frozen=True)
class Presented:
    """A result in the forms that formats read.

    Attributes:
        result: the result itself.
        view: how it is to be shown.
        documents: result type -> what composes its document.
        spell: what is done to each text of the document; None for nothing.
    """

    result: Any
    view: View
    documents: Mapping[str, Compose]
    spell: Callable[[str], str] | None = None

    @cached_property
    def document(self) -> Document:
        """The result as blocks of text and tables."""
        document = find_entry(type(self.result), self.documents)(self.result, self.view)
        return document.map_texts(self.spell) if self.spell else document

    @property
    def records(self) -> Sequence[Record]:
        """Its records, one for each model."""
        return find_entry(type(self.result), RECORDS)(self.result)

    @property
    def data(self) -> Mapping[str, Any]:
        """The result as plain data, with the name of its schema."""
        data: dict[str, Any] = self.result.to_dict()
        if "schema" in data:
            return data
        return {"schema": find_entry(type(self.result), SCHEMAS), **data}


def find_entry(kind: type, table: Mapping[str, T]) -> T:
    """Return a table's entry of a type, or of the nearest of its bases.

    Raises:
        TypeError: there is none.
    """
    for base in kind.__mro__:
        if base.__name__ in table:
            return table[base.__name__]
    raise TypeError(f"{kind.__name__} is no result that can be shown so")


def has_records(kind: type) -> bool:
    """Whether results of a type are lists of models."""
    return any(base.__name__ in RECORDS for base in kind.__mro__)
