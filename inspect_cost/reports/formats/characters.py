"""Characters that no format may pass on: names come from files, and may hold anything."""

import re

#: Characters that move a cursor, start an escape sequence, or end a text.
CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1b\x1f\x7f\x80-\x84\x86-\x9f]")
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def replace_controls(text: str) -> str:
    r"""Return a text whose control characters, other than breaks of lines, are replaced.

    >>> replace_controls("a\x1b[2J\n")
    'a�[2J\n'
    """
    return CONTROLS.sub(REPLACEMENT, text)
