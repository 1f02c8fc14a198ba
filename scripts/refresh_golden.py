"""Write the golden texts of the terminal's output anew, and say which of them changed.

python scripts/refresh_golden.py [CASE ...]

Look at the difference before you commit it: these texts hold the layout.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.cli.golden_cases import CASES, GOLDEN, make_text


def refresh(case: str) -> bool:
    """Write the text of a case, and return whether it changed."""
    path, text = GOLDEN / f"{case}.txt", make_text(case).encode()
    if path.exists() and path.read_bytes() == text:
        return False
    path.write_bytes(text)
    return True


def main() -> None:
    """Refresh the cases that are named, or else all of them; remove texts without a case."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*", metavar="CASE", help="all unless given")
    cases = parser.parse_args().cases or list(CASES)
    GOLDEN.mkdir(exist_ok=True)
    for path in GOLDEN.iterdir():
        if path.stem not in CASES:
            path.unlink()
    changed = [case for case in cases if refresh(case)]
    print("\n".join(changed) or "nothing changed")


if __name__ == "__main__":
    main()
