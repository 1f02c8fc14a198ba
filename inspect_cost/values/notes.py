"""Notes: remarks on a result that people read as a sentence and programs by their code."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal, Self

Severity = Literal["info", "warning"]


class Note(str):
    """A sentence about a result, with a code for programs.

    A note *is* its text, so that notes print, join and compare as before they had codes.

    Attributes:
        code: what it is about, such as "no-sensor" or "real-run"; "" if the file that it was
            read from has none.
        severity: "warning" where a number is not what a reader would expect, else "info".
    """

    __slots__ = ("code", "severity")

    code: str
    severity: Severity

    def __new__(cls, code: str, text: str, severity: Severity = "info") -> Self:
        """Make a note of a sentence."""
        note = super().__new__(cls, text)
        note.code = code
        note.severity = severity
        return note

    @property
    def text(self) -> str:
        """The sentence as a plain string."""
        return str.__str__(self)

    def __repr__(self) -> str:
        return f"Note({self.code!r}, {self.text!r})"

    def __reduce__(self) -> tuple[type[Self], tuple[str, str, Severity]]:
        return type(self), (self.code, self.text, self.severity)

    def to_dict(self) -> dict[str, str]:
        """Return the note as plain data, for JSON."""
        return {"code": self.code, "text": self.text, "severity": self.severity}

    @classmethod
    def from_dict(cls, written: str | Mapping[str, Any]) -> Self:
        """Read what `to_dict` gives, or the bare sentence that older reports have."""
        if isinstance(written, str):
            return cls("", written)
        return cls(str(written["code"]), str(written["text"]), written.get("severity", "info"))


def codes(notes: Iterable[Note]) -> tuple[str, ...]:
    """Return the notes' codes, in their order.

    >>> codes([Note("no-sensor", "No energy: no sensor was found.")])
    ('no-sensor',)
    """
    return tuple(note.code for note in notes)


def write_notes(notes: Iterable[str]) -> list[dict[str, str]]:
    """Return notes as plain data, for JSON; a bare sentence has no code."""
    known = (note if isinstance(note, Note) else Note("", note) for note in notes)
    return [note.to_dict() for note in known]


def read_notes(written: Iterable[str | Mapping[str, Any]]) -> tuple[Note, ...]:
    """Read what `write_notes` gives, or the bare sentences that older files have."""
    return tuple(Note.from_dict(note) for note in written)
