"""A signed assertion instead of a password: RFC 7523, signed with RS256 (RFC 7518, 3.3)."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

#: Salesforce takes no assertion that lives longer than five minutes; clocks may differ by some.
_LIFETIME_S = 180
_FEWEST_BITS = 2048


def load_key(pem: str) -> RSAPrivateKey | None:
    """Return the RSA key of a PEM text; None when it is none, is too short, or needs a password."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, RSAPrivateKey) and key.key_size >= _FEWEST_BITS else None


def sign_assertion(pem: str, client_id: str, user: str, audience: str, now: float) -> str:
    """Return a JSON Web Token that says: the app `client_id` acts for `user`, until three minutes after `now`."""
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.hashes import SHA256

    key = load_key(pem)
    assert key is not None, "read_oauth has looked"
    claims = {"iss": client_id, "sub": user, "aud": audience, "iat": int(now), "exp": int(now) + _LIFETIME_S}
    signed = f"{_part({'alg': 'RS256', 'typ': 'JWT'})}.{_part({**claims, 'jti': secrets.token_hex(16)})}"
    return f"{signed}.{_text(key.sign(signed.encode(), PKCS1v15(), SHA256()))}"


def _part(members: Mapping[str, object]) -> str:
    return _text(json.dumps(members, separators=(",", ":")).encode())


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
