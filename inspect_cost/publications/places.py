"""Places of entries in a TOML file, for messages: the standard parser reports no lines."""

import re
from dataclasses import dataclass
from pathlib import Path

from inspect_cost.values.errors import UsageError


@dataclass(frozen=True)
class Place:
    """A table in a file.

    Attributes:
        path: the file.
        text: its content.
        keys: the table's name, ("model", "sing").
        number: the position among several tables of that name.
    """

    path: Path
    text: str
    keys: tuple[str, ...]
    number: int = 0

    def enter(self, key: str, number: int) -> "Place":
        """Return the place of a table inside this one."""
        return Place(self.path, self.text, (*self.keys, key), number)

    def error(self, key: str, message: str, advice: str) -> UsageError:
        """Return an error that names file, line and entry; the table itself if the key is ""."""
        name = f"[{'.'.join(self.keys)}]" + (f" {key}" if key else "")
        place = f"{self.path}, line {self.find_line(key)}, {name}"
        return UsageError(f"{place}: {message}", advice, field=key)

    def find_line(self, key: str) -> int:
        """Return the line of an entry, or of the table if there is no such entry."""
        lines = self.text.splitlines()
        start = self._find_start(lines)
        for number, line in enumerate(lines[start:], start + 1):
            if number > start + 1 and line.lstrip().startswith("["):
                break
            if key and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=", line):
                return number
        return start + 1

    def _find_start(self, lines: list[str]) -> int:
        """Return the index of the line that opens the table, or 0 if it is written otherwise."""
        name = r"\s*\.\s*".join(rf"[\"']?{re.escape(key)}[\"']?" for key in self.keys)
        opening = re.compile(rf"\s*\[\[?\s*{name}\s*\]")
        found = [index for index, line in enumerate(lines) if opening.match(line)]
        return found[self.number] if self.number < len(found) else 0
