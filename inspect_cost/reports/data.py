"""Results of this tool, read back from the files that they were written to."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from types import MappingProxyType
from typing import Any, NoReturn, TypeVar, overload

from inspect_cost.reports.inspection import Inspection
from inspect_cost.reports.validation import HOW_TO_WRITE, check_schema
from inspect_cost.values.errors import UsageError
from inspect_cost.values.presentable import Presentable
from inspect_cost.values.text_files import read_text

R = TypeVar("R", bound=Presentable)

#: Larger files are refused unread. A report on a model of 2,000 modules is 2 MB.
LARGEST_FILE_B = 64_000_000


@dataclass(frozen=True)
class Reader:
    """Reads the results of one schema.

    Attributes:
        module: the module that it is in; imported when such a result is read.
        name: name of a function from plain data to a result.
    """

    module: str
    name: str

    def read(self, written: Mapping[str, Any]) -> Presentable:
        """Return the result that was written."""
        read: Any = attrgetter(self.name)(import_module(self.module))
        result: Presentable = read(written)
        return result


#: Schema -> what reads it.
READERS: Mapping[str, Reader] = MappingProxyType(
    {
        "inspect-cost/report/1": Reader("inspect_cost.reports.schema_1", "read_report"),
        "inspect-cost/report/2": Reader("inspect_cost.reports.inspection", "Inspection.from_dict"),
        "inspect-cost/count/1": Reader("inspect_cost.counting.report", "CostReport.from_dict"),
        "inspect-cost/explanation/1": Reader(
            "inspect_cost.counting.explanation", "CostExplanation.from_dict"
        ),
        "inspect-cost/law/1": Reader("inspect_cost.counting.law", "CostLaw.from_dict"),
        "inspect-cost/measurement/1": Reader(
            "inspect_cost.measuring.measurement", "Measurement.from_dict"
        ),
        "inspect-cost/standing/1": Reader("inspect_cost.paper.places", "Standing.from_dict"),
        "inspect-cost/carbon/1": Reader("inspect_cost.carbon.estimate", "CarbonEstimate.from_dict"),
        "inspect-cost/carbon-models/1": Reader(
            "inspect_cost.reports.results", "TrainingCarbon.from_dict"
        ),
        "inspect-cost/laws/1": Reader("inspect_cost.reports.results", "Laws.from_dict"),
        "inspect-cost/crosscheck/1": Reader(
            "inspect_cost.crosschecking.results", "CrossCheck.from_dict"
        ),
    }
)


@overload
def load(path: str | Path) -> Any: ...
@overload
def load(path: str | Path, cls: type[R]) -> R: ...
def load(path: str | Path, cls: type[Presentable] = Presentable) -> Any:
    """Return the result in a JSON file that this tool wrote.

        >>> inspect_cost.load("flowavenet.json").count.macs

    Args:
        path: of a file of one result: a report of schema 1 or 2, a count, an explanation, a law,
            a measurement, a training's carbon, a cross-check.
        cls: the class that the result must be of.

    Raises:
        UsageError: the file cannot be read, or holds something else; says where and what.
    """
    results = _read_results(Path(path))
    if len(results) != 1:
        raise UsageError(f"{path} has {len(results)} results, not one", HOW_TO_WRITE)
    return _check_class(results[0], cls, path)


def load_inspections(path: str | Path) -> list[Inspection]:
    """Return the reports in a JSON file, which has one of them or a list.

    Raises:
        UsageError: the file cannot be read, or holds something else; says where and what.
    """
    results = _read_results(Path(path))
    if not results:
        raise UsageError(f"{path} has no reports", HOW_TO_WRITE)
    return [_check_class(result, Inspection, path) for result in results]


def _check_class(result: Presentable, cls: type[R], path: str | Path) -> R:
    if not isinstance(result, cls):
        raise UsageError(
            f"{path} holds {_name(type(result))}, not {_name(cls)}", "Give another file."
        )
    return result


def _name(kind: type) -> str:
    return f"{'an' if kind.__name__[0] in 'AEIOU' else 'a'} {kind.__name__}"


def _read_results(path: Path) -> list[Presentable]:
    """Read each result in a file, once all of them are known to be valid."""
    content = _parse(path)
    several = isinstance(content, list)
    parts = content if several else [content]
    readers = [
        READERS[check_schema(part, str(path), f"/{n}" if several else "", READERS)]
        for n, part in enumerate(parts)
    ]
    return [reader.read(part) for reader, part in zip(readers, parts, strict=True)]


def _parse(path: Path) -> Any:
    """Return the plain data in a JSON file."""
    _check_size(path)
    text = read_text(path)
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        problem = f"line {error.lineno} is not JSON ({error.msg})"
    except ValueError as error:  # of a constant, or of a number of more digits than Python takes
        problem = str(error).partition(";")[0]
    except RecursionError:
        problem = "it is nested too deeply"
    raise UsageError(f"{path} is not a result of inspect-cost: {problem}", HOW_TO_WRITE)


def _check_size(path: Path) -> None:
    try:
        size = path.stat().st_size
    except OSError:
        return  # reading it will say why
    if size > LARGEST_FILE_B:
        raise UsageError(
            f"{path} is not a result of inspect-cost: {size:,} bytes are more than any has",
            HOW_TO_WRITE,
        )


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number in JSON")
