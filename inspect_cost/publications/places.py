"""Where an entry of a TOML file stands, for messages: its parser tells no lines."""

import re
from dataclasses import dataclass
from pathlib import Path

from inspect_cost.values.errors import UsageError


@dataclass(frozen=True)
class Place:
    """A table in a file.

    Attributes:
        path: the file.
        text: what is in it.
        keys: the table's name, ("model", "sing").
        number: which of several tables of that name.
    """

    path: Path
    text: str
    keys: tuple[str, ...]
    number: int = 0

    def inside(self, key: str, number: int) -> "Place":
        """The table of that name in this one."""
        return Place(self.path, self.text, (*self.keys, key), number)

    def mistake(self, key: str, message: str, advice: str) -> UsageError:
        """The error that says where an entry, or the table where the key is "", is wrong."""
        name = f"[{'.'.join(self.keys)}]" + (f" {key}" if key else "")
        where = f"{self.path}, line {self.line(key)}, {name}"
        return UsageError(f"{where}: {message}", advice, field=key)

    def line(self, key: str) -> int:
        """The line of a key in the table, or of the table itself."""
        lines = self.text.splitlines()
        start = self._start(lines)
        for number, line in enumerate(lines[start:], start + 1):
            if number > start + 1 and line.lstrip().startswith("["):
                break
            if key and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=", line):
                return number
        return start + 1

    def _start(self, lines: list[str]) -> int:
        """The index of the line that opens the table; 0 where it is written otherwise."""
        name = r"\s*\.\s*".join(rf"[\"']?{re.escape(key)}[\"']?" for key in self.keys)
        opening = re.compile(rf"\s*\[\[?\s*{name}\s*\]")
        found = [index for index, line in enumerate(lines) if opening.match(line)]
        return found[self.number] if self.number < len(found) else 0
