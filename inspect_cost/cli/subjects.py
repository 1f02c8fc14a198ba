"""The options that complete MODEL, shared by all commands that take one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from inspect_cost.cli.arguments import (
    parse_axis,
    parse_length_option,
    parse_setting,
    parse_trip_count,
)

if TYPE_CHECKING:
    from inspect_cost.subjects import Request, Subject


@Parameter(name="*")
@dataclass(frozen=True)
class SubjectOptions:
    """What a model is called with.

    Attributes:
        input_len: Samples that a preset generates (one second unless given), or the L in shapes.
        inputs: Input of your own model or of an ONNX file, [name=]SHAPE[:dtype], or its values,
            [name=]@VALUE or [name=]@FILE.npy; repeatable.
        axes: Size of an axis that is named in those shapes, or left open in an ONNX file, NAME=N;
            repeatable.
        settings: Setting of a preset that differs from the published one, NAME=VALUE; repeatable.
        trip_counts: Number of times that a Loop of an ONNX file runs, NODE=N, if the file does not
            say; repeatable.
    """

    input_len: Annotated[str | None, Parameter(name="--input-len")] = None
    inputs: Annotated[list[str] | None, Parameter(name="--input", negative="")] = None
    axes: Annotated[list[str] | None, Parameter(name="--axis", negative="")] = None
    settings: Annotated[list[str] | None, Parameter(name="--set", negative="")] = None
    trip_counts: Annotated[list[str] | None, Parameter(name="--trip-count", negative="")] = None

    def request(self, name: str = "", batch: int = 1, *, verify: bool = False) -> "Request":
        """Return a request for the subject of that name.

        Raises:
            UsageError: an option is malformed.
        """
        from inspect_cost.calls.inputs import parse_inputs
        from inspect_cost.subjects import Request

        return Request(
            name=name,
            input_len=parse_length_option("input_len", self.input_len),
            inputs=parse_inputs(self.inputs or ()),
            axes=dict(map(parse_axis, self.axes or ())),
            settings=dict(map(parse_setting, self.settings or ())),
            trip_counts=dict(map(parse_trip_count, self.trip_counts or ())),
            batch=batch,
            verify=verify,
        )

    def resolve(self, model: str, batch: int = 1, *, verify: bool = False) -> "Subject":
        """Return the subject that MODEL names.

        Raises:
            UsageError: no model is called that, or an option does not apply to it.
        """
        return self.resolve_all([model], batch, verify=verify)[0]

    def resolve_all(
        self, models: Sequence[str], batch: int = 1, *, verify: bool = False
    ) -> "list[Subject]":
        """Return the subjects that several names stand for.

        Raises:
            UsageError: no model has one of the names, or an option does not apply to it.
        """
        from inspect_cost.subjects import resolve_all

        return resolve_all(models, self.request(batch=batch, verify=verify))
