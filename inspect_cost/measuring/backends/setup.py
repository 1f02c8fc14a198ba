"""What backends share: the time that they may take to get ready, and how a call is tried."""

from dataclasses import dataclass

from inspect_cost.calls.call import Call
from inspect_cost.measuring.fresh_process import MakeCall
from inspect_cost.values.errors import MeasurementError, one_line

#: Least number of seconds that compiling or exporting may take; longer budgets allow more.
LEAST_LIMIT_S = 60.0


@dataclass(frozen=True)
class Setup:
    """What a backend needs to know beside the call.

    Attributes:
        make: makes the call anew in a fresh process; it can be pickled.
        threads: CPU threads, or None for torch's choice.
        budget_s: seconds for measuring.
    """

    make: MakeCall
    threads: int | None = None
    budget_s: float = 30.0

    @property
    def limit_s(self) -> float:
        """Seconds that compiling or exporting may take."""
        return max(LEAST_LIMIT_S, self.budget_s)


class SetupTimeoutError(MeasurementError):
    """A backend took too long to get ready."""

    def __init__(self, what: str, limit_s: float) -> None:
        super().__init__(
            f"{what} took longer than {limit_s:.3g} s: give it more `measure_time_s`, or a "
            "shorter input"
        )


def try_call(call: Call, what: str) -> None:
    """Make a call once.

    Raises:
        MeasurementError: it failed.
    """
    try:
        call.run()
    except Exception as error:
        raise MeasurementError(f"{what} failed: {one_line(error)}") from error
