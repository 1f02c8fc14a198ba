"""The picture in docs/architecture.md agrees with the table of allowed imports."""

import re

import pytest

from tests.docs.pages import ROOT, list_blocks
from tests.test_architecture import ALLOWED

PACKAGES = sorted(
    path.name for path in (ROOT / "inspect_cost").iterdir() if (path / "__init__.py").is_file()
)


def read_rows() -> dict[str, int]:
    """Return package -> its row in the picture, from the top."""
    (picture,) = list_blocks(ROOT / "docs" / "architecture.md", "text")
    rows: dict[str, int] = {}
    for row, line in enumerate(picture.text.splitlines()):
        for word in re.findall(r"\b[a-z]+\b", line):
            if word in PACKAGES:
                assert word not in rows, f"{word} is drawn twice"
                rows[word] = row
    return rows


def test_the_picture_has_every_package() -> None:
    assert sorted(read_rows()) == PACKAGES


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_run_downwards(package: str) -> None:
    rows = read_rows()
    below = {name for name, row in rows.items() if row > rows[package]}
    assert (ALLOWED[package] & rows.keys()) - {package} <= below
