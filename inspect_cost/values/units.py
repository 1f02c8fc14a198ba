"""Numbers as text: SI prefixes, all digits, percentages, lengths, shares."""

import re

THOUSAND = 1000
PREFIXES = ("", "k", "M", "G", "T", "P", "E", "Z", "Y")
#: Tensors cannot be indexed if a dimension is larger, together with their other dimensions.
LARGEST_LENGTH = 10**15

J_PER_WH = 3600.0
J_PER_KWH = 3.6e6
WH_PER_J = 1 / J_PER_WH
W_PER_KW = 1000.0
G_PER_KG = 1000.0
S_PER_MIN = 60.0
S_PER_H = 3600.0
#: Sensors count in mJ, mW and uJ.
MILLI = 1e-3
MICRO = 1e-6


def si(number: float, unit: str = "") -> str:
    """Format a number with four significant digits and an SI prefix.

    >>> si(141_932_560_896, "FLOP")
    '141.9 GFLOP'
    >>> si(196)
    '196'
    """
    if number < THOUSAND and number == int(number):
        return f"{int(number)} {unit}".strip()
    value, power = float(number), 0
    while round(value, _decimals(value)) >= THOUSAND and power < len(PREFIXES) - 1:
        value, power = value / THOUSAND, power + 1
    return f"{value:.{_decimals(value)}f} {PREFIXES[power]}{unit}".strip()


def _decimals(value: float) -> int:
    """Return the number of decimals with which four digits are shown."""
    return 3 - min(3, len(str(int(value))) - 1)


def exact(number: int) -> str:
    """Format a whole number with all digits, in groups of three.

    >>> exact(182644788)
    '182,644,788'
    """
    return f"{number:,}"


def percent(part: float, whole: float) -> str:
    """Format a share with one decimal, or "-" if the whole is 0.

    >>> percent(1, 8)
    '12.5 %'
    """
    return f"{100 * part / whole:.1f} %" if whole else "-"


def parse_length(text: str) -> int:
    """Parse a length as people write it: 16000, 16_000, 16,000, 1e6 or 10^12.

    Raises:
        ValueError: it is not a whole number from 1 to 10^15.
    """
    plain = re.sub(r"[_,\s]", "", text)
    if re.fullmatch(r"[+-]?\d+", plain):
        length = int(plain)
    elif match := re.fullmatch(r"(\d+)[eE](\d{1,2})", plain):
        length = int(match[1]) * 10 ** int(match[2])
    elif match := re.fullmatch(r"(\d{1,4})(?:\^|\*\*)(\d{1,2})", plain):
        length = int(match[1]) ** int(match[2])
    else:
        raise ValueError(f"{text!r} is not a whole number")
    if not 1 <= length <= LARGEST_LENGTH:
        raise ValueError(f"{text} is not between 1 and 10^15")
    return length


def parse_share(text: str) -> float:
    """Parse a share as people write it: 2%, or 0.02.

    Raises:
        ValueError: it is not a number between 0 and 1.
    """
    plain = text.strip()
    try:
        share = float(plain.removesuffix("%")) / (100 if plain.endswith("%") else 1)
    except ValueError:
        share = 0.0
    if not 0 < share < 1:
        raise ValueError(f"{text!r} is not a share between 0 and 1")
    return share
