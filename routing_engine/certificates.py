"""The certificate of a listener: taken anew when its files change, so that whoever renews it restarts nothing."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

#: How often the files are looked at.
LOOK_S = 30.0
#: What says that a file is another one than before.
_Mark: TypeAlias = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    """PEM files: the certificate with those that signed it, and its key, without a password."""

    certificate: Path
    key: Path

    def load_into(self, context: ssl.SSLContext) -> None:
        """Let a context prove itself with it. Raises `OSError`, also where the two do not belong together."""
        context.load_cert_chain(self.certificate, self.key, password=_no_password)

    @property
    def fault(self) -> str:
        """Why it cannot be used, "" where it can."""
        try:
            self.load_into(new_context())
        except (OSError, ValueError) as error:
            # OpenSSL's words name a line of its source; the kind is what helps.
            return getattr(error, "strerror", None) or getattr(error, "reason", None) or type(error).__name__
        return ""


class ListenerCertificate:
    """What a listener proves itself with. `tell` hears "" for a certificate that is taken, or why it is not.

    Without one that can be used nobody can connect; calls go on, and it is looked for with each `renew`.
    """

    def __init__(self, files: CertificateFiles, tell: Callable[[str], None]) -> None:
        self.files, self._tell = files, tell
        self.context = new_context()
        self._marks: tuple[CertificateFiles, _Mark | None, _Mark | None] | None = None

    def renew(self, files: CertificateFiles | None = None) -> None:
        """Take the files where they are others than before; connections that are open stay as they are."""
        self.files = files or self.files
        marks = self.files, _mark_of(self.files.certificate), _mark_of(self.files.key)
        if marks == self._marks:
            return
        self._marks = marks
        # Tried elsewhere first: a certificate whose key is not there yet must not take the place of one that works.
        fault = self.files.fault
        if not fault:
            self.files.load_into(self.context)
        self._tell(fault)


def new_context() -> ssl.SSLContext:
    """Return a context for a server, without a certificate yet."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


def _mark_of(path: Path) -> _Mark | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _no_password() -> str:
    """Without this OpenSSL would ask on the terminal for the password of an encrypted key."""
    return ""


async def keep_renewed(certificate: ListenerCertificate, every_s: float = LOOK_S) -> None:
    """Look whether the files are others, for ever."""
    while True:
        await asyncio.sleep(every_s)
        certificate.renew()
