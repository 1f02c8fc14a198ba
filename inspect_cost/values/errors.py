"""Errors that a user can meet: each says what is wrong and what to do next.

Messages speak of parameters, in backticks (`` `measure_time_s` ``); the command line rewrites them
as the options that its users know (`inspect_cost.cli.wording`).
"""


class InspectCostError(Exception):
    """Base class of errors that the user can fix; never a fault in this package.

    Attributes:
        advice: one sentence on what to do, or "".
        field: the parameter at fault, or "" if there is no single one.
    """

    def __init__(self, message: str, advice: str = "", *, field: str = "") -> None:
        super().__init__(message)
        self.advice = advice
        self.field = field


class CountError(InspectCostError):
    """A model's forward could not be followed to its end.

    Attributes:
        module_path: the innermost module that was running, "" for the model itself.
    """

    def __init__(
        self, message: str, advice: str = "", module_path: str = "", *, field: str = ""
    ) -> None:
        super().__init__(message, advice, field=field)
        self.module_path = module_path


class NoLawError(CountError):
    """A model's cost is not a polynomial in the length."""


class MismatchError(CountError):
    """An exported graph computes something other than the model."""


class MeasurementError(InspectCostError, RuntimeError):
    """A call failed while it was being measured."""


class UsageError(InspectCostError, ValueError):
    """An argument is invalid, or names something that does not exist."""


class Unsupported(UsageError):  # noqa: N818 - reads as the fact that it states
    """A kind of subject cannot do what was asked of it."""


def one_line(error: BaseException, longest: int = 300) -> str:
    """Return an error's type and the first line of its message.

    Errors of this package are written to be read, so their type is left out.

    >>> one_line(KeyError("weight"))
    "KeyError: 'weight'"
    """
    text = str(error).strip().partition("\n")[0].rstrip()
    text = text if len(text) <= longest else text[:longest] + "..."
    if text and isinstance(error, InspectCostError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
