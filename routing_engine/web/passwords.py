"""Passwords: argon2id, a few at a time, and in the same time for people who are not there.

Imports nothing heavy: the command line makes hashes too.
"""

from __future__ import annotations

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

#: OWASP's least is 19 MiB and two rounds. More memory would let a flood of log-ins push the engine out of its own.
_HASHER = PasswordHasher(time_cost=3, memory_cost=19_456, parallelism=1)
#: Shorter ones are found by trying (NIST SP 800-63B asks for 8, and 15 where nothing else proves who it is).
SHORTEST, LONGEST = 10, 200
# Of no password at all: whoever is not known is held against it, which takes as long as any other.
_NOBODYS = "$argon2id$v=19$m=19456,t=3,p=1$+OyO9jzBTRk3wSMNuZNp0Q$+fFsDDrykgetDJ6vTXfLx+kBVR/W/yTZb+1Ovfjt2lk"


def fault_of(password: str, *names: str) -> str:
    """Return why a password cannot be taken; "" when it can."""
    if not SHORTEST <= len(password) <= LONGEST:
        return f"a password has {SHORTEST} to {LONGEST} characters"
    if len(set(password)) < 5 or any(name and password.casefold() == name.casefold() for name in names):
        return "this password is guessed at once"
    return ""


def hash_of(password: str) -> str:
    """Return what is kept of a password. Takes some 50 ms of a processor."""
    return _HASHER.hash(password)


def is_right(hashed: str | None, password: str) -> bool:
    """Return whether a password is the one that was hashed; None takes as long, and is never right."""
    try:
        found = _HASHER.verify(hashed or _NOBODYS, password[: LONGEST + 1])
    except (VerificationError, InvalidHashError):
        return False
    return found and hashed is not None
