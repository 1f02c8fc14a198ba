"""Results of commands that have no type of their own elsewhere: several laws, several trainings."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from inspect_cost.values.presentable import Presentable

if TYPE_CHECKING:
    from inspect_cost.carbon.estimate import CarbonEstimate
    from inspect_cost.counting.law import CostLaw
    from model_zoo import Preset


@dataclass(frozen=True)
class Laws(Presentable):
    """Cost laws of several models.

    Attributes:
        laws: model -> its law.
    """

    laws: Mapping[str, "CostLaw"]

    def to_dict(self) -> dict[str, Any]:
        """Return the laws as plain data, coefficients as exact fractions."""
        laws = {name: law.to_dict() for name, law in self.laws.items()}
        return {"schema": "inspect-cost/laws/1", "laws": laws}

    @classmethod
    def from_dict(cls, written: Mapping[str, Any]) -> Self:
        """Read what `to_dict` gives."""
        from inspect_cost.counting.law import CostLaw  # noqa: PLC0415 - other results need no laws

        return cls({name: CostLaw.from_dict(law) for name, law in written["laws"].items()})


@dataclass(frozen=True)
class TrainingCarbon(Presentable):
    """Energy and emissions of training several models.

    Attributes:
        estimates: model -> its training; None if that is not published.
    """

    estimates: Mapping[str, "CarbonEstimate | None"]

    def to_dict(self) -> dict[str, Any]:
        """Return the estimates as plain data."""
        models = {
            name: estimate and estimate.to_dict() for name, estimate in self.estimates.items()
        }
        return {"schema": "inspect-cost/carbon-models/1", "models": models}

    @classmethod
    def from_dict(cls, written: Mapping[str, Any]) -> Self:
        """Read what `to_dict` gives."""
        from inspect_cost.carbon.estimate import CarbonEstimate  # noqa: PLC0415 - as above

        models = written["models"].items()
        return cls({name: found and CarbonEstimate.from_dict(found) for name, found in models})


@dataclass(frozen=True)
class Conventions(Presentable):
    """The meaning of each number.

    Attributes:
        texts: topic -> its convention.
    """

    texts: Mapping[str, str]

    def to_dict(self) -> dict[str, Any]:
        """Return the conventions as plain data."""
        return {"schema": "inspect-cost/conventions/1", "conventions": dict(self.texts)}


@dataclass(frozen=True)
class Catalogue(Presentable):
    """Models of the zoo.

    Attributes:
        presets: in the order of the zoo.
    """

    presets: tuple["Preset", ...]

    def to_dict(self) -> dict[str, Any]:
        """Return what is known of each preset as plain data."""
        presets = [
            {
                "name": preset.name,
                "title": preset.title,
                "paper": preset.paper,
                "generates": preset.generates,
                "sample_rate": preset.sample_rate,
                "params": preset.params,
                "reported_params": preset.reported_params,
                "deviations": preset.deviations,
            }
            for preset in self.presets
        ]
        return {"schema": "inspect-cost/zoo/1", "presets": presets}
