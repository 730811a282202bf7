"""What can be typed, and what makes it valid: keys, length, pattern and check digit."""

from __future__ import annotations

from routing_engine.core.model import Input

#: The keys of a telephone.
KEYS = "0123456789*#"


def keys_of(text: str) -> str:
    """Return the keys that a text names: `664 123#` is what a person writes, and no telephone types a space."""
    return "".join(char for char in text if char in KEYS)


def why_invalid(one: Input, digits: str) -> str:
    """Return why typed digits are not valid; "" when they are. The digits may be secret: no sentence holds them."""
    if not digits:
        return "nothing typed"
    if len(digits) < one.min:
        return f"{len(digits)} digits, fewer than {one.min}"
    if len(digits) > one.max:
        return f"{len(digits)} digits, more than {one.max}"
    if not digits.isascii():
        return "a key among the digits is not a digit"
    if one.pattern is not None:
        if one.pattern.fullmatch(digits) is None:
            return "the digits do not fit the pattern"
    elif not (digits.isascii() and digits.isdigit()):
        return "a key among the digits is not a digit"
    if one.check and not _CHECKS[one.check](digits):
        return f"the check digit ({one.check}) is wrong"
    return ""


def is_luhn(digits: str) -> bool:
    """Return whether the last digit is the check digit of ISO/IEC 7812-1, annex B (Luhn)."""
    if not (digits.isascii() and digits.isdigit()):
        return False
    doubled = (int(char) * (1 + place % 2) for place, char in enumerate(reversed(digits)))
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


def is_mod11(digits: str) -> bool:
    """Return whether the last digit makes the weighted sum divisible by 11; weights 2 to 7 repeat from the right."""
    if not (digits.isascii() and digits.isdigit()) or len(digits) < 2:
        return False
    weighted = sum(int(char) * (2 + place % 6) for place, char in enumerate(reversed(digits[:-1])))
    return (weighted + int(digits[-1])) % 11 == 0


_CHECKS = {"luhn": is_luhn, "mod11": is_mod11}
