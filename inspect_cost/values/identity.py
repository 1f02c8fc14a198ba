"""Identity of a subject, the phases of its work, and the output of a phase."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

#: The unit of generated audio; a model's sample rate is the `Output.rate`.
AUDIO = "s of audio"


@dataclass(frozen=True)
class Identity:
    """Name, origin and settings of what was inspected.

    Attributes:
        name: as the user named it: "flowavenet", "net.py:Net".
        title: its name in print, or its class.
        source: where it was published; "" for a user's own model.
        settings: settings that differ from the published ones.
    """

    name: str
    title: str
    source: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the identity as plain data, for JSON."""
        return {
            "name": self.name,
            "title": self.title,
            "source": self.source or None,
            "settings": dict(self.settings),
        }

    @classmethod
    def from_dict(cls, written: Mapping[str, Any]) -> Self:
        """Read what `to_dict` gives."""
        return cls(
            name=str(written["name"]),
            title=str(written["title"]),
            source=str(written["source"] or ""),
            settings=dict(written["settings"]),
        )


@dataclass(frozen=True)
class Output:
    """Output of one call: 16,128 samples of audio at 22,050 to the second; 128 tokens.

    Attributes:
        amount: elements that one call makes, a batch together: samples, tokens, images.
        unit: what costs are given per: "s of audio", "token", "image".
        rate: elements to a unit: the sample rate of audio, 1 where an element is the unit.
        requested: elements that were asked for, of which the first are kept; None if no more
            are made than that.
    """

    amount: int
    unit: str
    rate: float = 1
    requested: int | None = None

    @property
    def units(self) -> float:
        """Amount in units: 0.7314 of "s of audio"."""
        return self.amount / self.rate

    @property
    def is_audio(self) -> bool:
        """Whether it is seconds of audio."""
        return self.unit == AUDIO

    def per_unit(self, amount: float) -> float:
        """Return an amount per call as one per unit."""
        return amount * self.rate / self.amount

    def to_dict(self) -> dict[str, Any]:
        """Return the output as plain data, for JSON."""
        return {
            "amount": self.amount,
            "unit": self.unit,
            "rate": self.rate,
            "requested": self.requested,
        }

    @classmethod
    def from_dict(cls, written: Mapping[str, Any]) -> Self:
        """Read what `to_dict` gives."""
        return cls(
            amount=written["amount"],
            unit=str(written["unit"]),
            rate=written["rate"],
            requested=written.get("requested"),
        )


@dataclass(frozen=True)
class Phase:
    """One kind of call that a subject makes.

    Attributes:
        name: "" for the only one, else "prefill", "decode".
        description: the call in words: "generate 16,000 samples", "forward of (1, 3, 224, 224)".
        output: what one call yields; None if nobody said.
    """

    name: str = ""
    description: str = ""
    output: Output | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the phase as plain data, for JSON."""
        return {
            "name": self.name,
            "description": self.description,
            "output": self.output and self.output.to_dict(),
        }

    @classmethod
    def from_dict(cls, written: Mapping[str, Any]) -> Self:
        """Read what `to_dict` gives."""
        output = written["output"]
        return cls(
            name=str(written["name"]),
            description=str(written["description"]),
            output=Output.from_dict(output) if output else None,
        )
