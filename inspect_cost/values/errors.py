"""The errors that a user can meet: each says what is wrong, and what to do next."""


class InspectCostError(Exception):
    """Base of the errors that are the user's to mend; never a fault in this package.

    Attributes:
        advice: one sentence on what to do, or "".
    """

    def __init__(self, message: str, advice: str = "") -> None:
        super().__init__(message)
        self.advice = advice


class CountError(InspectCostError):
    """A model's forward could not be followed to its end.

    Attributes:
        module_path: the innermost module that was running, "" for the model itself.
    """

    def __init__(self, message: str, advice: str = "", module_path: str = "") -> None:
        super().__init__(message, advice)
        self.module_path = module_path


class NoLawError(CountError):
    """A model's cost follows no polynomial in the length that was sought."""


class MeasurementError(InspectCostError):
    """A call that was to be measured failed."""


class UsageError(InspectCostError):
    """What was asked for does not exist or does not fit."""
