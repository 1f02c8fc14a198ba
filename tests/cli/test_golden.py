"""What a terminal shows is held byte for byte; see `tests.cli.golden_cases`."""

import pytest

from tests.cli.golden_cases import CASES, GOLDEN, make_text


@pytest.mark.parametrize("case", CASES)
def test_the_terminal_shows_what_it_did(case: str) -> None:
    assert make_text(case) == (GOLDEN / f"{case}.txt").read_bytes().decode()


def test_there_is_no_text_without_a_case() -> None:
    assert {path.stem for path in GOLDEN.iterdir()} == set(CASES)
