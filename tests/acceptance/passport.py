"""A notary for telephone calls: signs who calls as carriers do (STIR/SHAKEN, RFC 8225 and 8588), with its own CA."""

from __future__ import annotations

import json
import time
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from uuid import uuid4

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.x509.oid import NameOID

#: TNAuthList (RFC 8226, section 9) with the service provider code 1234.
_MAY_SIGN = x509.UnrecognizedExtension(
    x509.ObjectIdentifier("1.3.6.1.5.5.7.1.26"), bytes.fromhex("3008a006160431323334")
)


class Notary:
    """Signs calls. `authority` is the CA's certificate (PEM); the notary's own is at `address`."""

    def __init__(self) -> None:
        ca = ec.generate_private_key(ec.SECP256R1())
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.authority = _certificate("Authority", ca, ca)
        self._own = _certificate("SHAKEN 1234", self._key, ca)
        self.address = ""

    @classmethod
    @asynccontextmanager
    async def working(cls) -> AsyncIterator[Notary]:
        """A notary whose certificate can be fetched."""
        notary = cls()
        application = web.Application()
        application.router.add_get("/own.pem", notary._show)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        notary.address = "http://{}:{}/own.pem".format(*runner.addresses[0])
        try:
            yield notary
        finally:
            await runner.cleanup()

    async def _show(self, _: web.Request) -> web.Response:
        return web.Response(text=self._own)

    def headers(
        self, caller: str, attest: str, age_s: float = 0, forged: bool = False, lost: bool = False
    ) -> dict[str, str]:
        """The SIP headers of a signed call; a forged one is signed by somebody else, a lost one has no certificate."""
        address = self.address + "x" if lost else self.address
        signer = ec.generate_private_key(ec.SECP256R1()) if forged else self._key
        header = {"alg": "ES256", "ppt": "shaken", "typ": "passport", "x5u": address}
        claims = {
            "attest": attest,
            "dest": {"tn": ["217"]},
            "iat": int(time.time() - age_s),
            "orig": {"tn": caller.lstrip("+")},
            "origid": str(uuid4()),
        }
        signed = f"{_packed(header)}.{_packed(claims)}"
        r, s = utils.decode_dss_signature(signer.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        signature = _base64(r.to_bytes(32, "big") + s.to_bytes(32, "big"))
        identity = f"{signed}.{signature};info=<{address}>;alg=ES256;ppt=shaken"
        return {"Identity": identity, "Date": formatdate(usegmt=True)}


def _packed(claims: Mapping[str, object]) -> str:
    return _base64(json.dumps(claims, separators=(",", ":"), sort_keys=True).encode())


def _base64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _certificate(name: str, key: ec.EllipticCurvePrivateKey, signer: ec.EllipticCurvePrivateKey) -> str:
    is_ca, now = key is signer, datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Authority")]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
    )
    made = made if is_ca else made.add_extension(_MAY_SIGN, critical=False)
    return made.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()
