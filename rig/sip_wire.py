"""SIP and SDP as values: bytes in, messages out, and back; no socket and no clock (RFC 3261, RFC 4566)."""

import hashlib
import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass

Headers = tuple[tuple[str, str], ...]

COMPACT = {
    "v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact", "l": "content-length", "c": "content-type",
}  # fmt: skip
NEEDED = ("via", "from", "to", "call-id", "cseq")


@dataclass(frozen=True)
class Message:
    """A SIP request (`method`, `uri`) or response (`status`, `reason`), with its headers in order."""

    method: str
    headers: Headers
    body: bytes = b""
    uri: str = ""
    status: int = 0
    reason: str = ""

    def header(self, name: str) -> str:
        """The first value of a header, "" when it is absent; the name in any case."""
        return next(iter(self.all(name)), "")

    def all(self, name: str) -> list[str]:
        """All values of a header, in order."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    @property
    def call_id(self) -> str:
        """The Call-ID."""
        return self.header("call-id")

    @property
    def cseq(self) -> int:
        """The number in CSeq."""
        return int(self.header("cseq").split()[0])

    @property
    def branch(self) -> str:
        """The branch of the topmost Via: what ties a response to its request."""
        return parameter(self.header("via"), "branch")


def read_message(data: bytes) -> Message | None:
    """The message in one datagram; None for keep-alives and for whatever is no SIP message."""
    head, _, body = data.partition(b"\r\n\r\n")
    lines = re.sub(r"\r\n[ \t]+", " ", head.decode("utf-8", "replace")).split("\r\n")
    headers = tuple(_header(line) for line in lines[1:] if ":" in line)
    names = {name for name, _ in headers}
    cseq = re.fullmatch(r"(\d{1,10})\s+([A-Z]+)", dict(reversed(headers)).get("cseq", ""))
    if not names.issuperset(NEEDED) or cseq is None:
        return None
    if answer := re.fullmatch(r"SIP/2\.0 ([1-6]\d\d) ?(.*)", lines[0]):
        return Message(cseq[2], headers, body, status=int(answer[1]), reason=answer[2])
    if request := re.fullmatch(r"([A-Z]+) (\S+) SIP/2\.0", lines[0]):
        return Message(request[1], headers, body, uri=request[2]) if request[1] == cseq[2] else None
    return None


def _header(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    name = name.strip().lower()
    return COMPACT.get(name, name), value.strip()


def write_message(message: Message) -> bytes:
    """The datagram of a message, its Content-Length included."""
    status = f"SIP/2.0 {message.status} {message.reason}"
    first = status if message.status else f"{message.method} {message.uri} SIP/2.0"
    lines = [first, *(f"{name}: {value}" for name, value in message.headers), f"Content-Length: {len(message.body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + message.body


def parameter(value: str, name: str) -> str:
    """A parameter of a header value (`;tag=x`), "" when it is absent."""
    found = re.search(rf";\s*{name}\s*=\s*([^;,\s>]+)", value[value.rfind(">") + 1 :], re.IGNORECASE)
    return found[1] if found else ""


def uri_in(value: str) -> str:
    """The URI of a From, To or Contact value, without the display name and the header's parameters."""
    inside = re.search(r"<([^>]*)>", value)
    return inside[1] if inside else value.split(";")[0].strip()


def user_in(value: str) -> str:
    """The user part of the URI in a header value: the number."""
    found = re.search(r"sips?:([^@;>]*)@", value)
    return found[1] if found else ""


def name_in(value: str) -> str:
    """The display name of a From or To value, unquoted; "" when there is none."""
    quoted = re.match(r'\s*"((?:[^"\\]|\\.)*)"', value)
    return re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else value.partition("<")[0].strip()


def party(name: str, uri: str, tag: str = "") -> str:
    """A From or To value out of its parts."""
    quoted = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '" ' if name else ""
    return f"{quoted}<{uri}>" + (f";tag={tag}" if tag else "")


def reply(request: Message, status: int, reason: str, tag: str, more: Headers = (), body: bytes = b"") -> Message:
    """The response to a request, with our tag in To."""
    to = request.header("to")
    to = to if parameter(to, "tag") or status == 100 else f"{to};tag={tag}"
    vias = tuple(("Via", value) for value in request.all("via"))
    middle = (("From", request.header("from")), ("To", to), ("Call-ID", request.call_id))
    cseq = (("CSeq", request.header("cseq")),)
    return Message(request.method, vias + middle + cseq + more, body, status=status, reason=reason)


@dataclass(frozen=True)
class MediaPlace:
    """Where the other side wants its RTP, and the payload type it wants digits in (None: no digits)."""

    host: str
    port: int
    digits: int | None


def read_sdp(body: bytes) -> MediaPlace | None:
    """The audio in a session description; None when there is none that we could send to in G.711 u-law."""
    text = body.decode("utf-8", "replace").replace("\r\n", "\n")
    host = re.search(r"^c=IN IP4 ([\d.]+)", text, re.MULTILINE)
    audio = re.search(r"^m=audio (\d{1,5}) \S+ ([\d ]+)$", text, re.MULTILINE)
    if not host or not audio or "0" not in audio[2].split() or not _can_send(host[1], int(audio[1])):
        return None
    digits = re.search(r"^a=rtpmap:(\d\d|1[01]\d|12[0-7]) telephone-event/8000", text, re.MULTILINE | re.IGNORECASE)
    return MediaPlace(host[1], int(audio[1]), int(digits[1]) if digits else None)


def _can_send(host: str, port: int) -> bool:
    try:
        ipaddress.IPv4Address(host)
    except ValueError:
        return False
    return 0 < port < 65536


def write_sdp(host: str, port: int, digits: int = 101, version: int = 1, way: str = "sendrecv") -> bytes:
    """A session description: u-law audio and telephone-events at this address; `way` "sendonly" is a hold."""
    lines: Iterable[str] = (
        "v=0", f"o=rig 1 {version} IN IP4 {host}", "s=rig", f"c=IN IP4 {host}", "t=0 0",
        f"m=audio {port} RTP/AVP 0 {digits}", "a=rtpmap:0 PCMU/8000", f"a=rtpmap:{digits} telephone-event/8000",
        f"a=fmtp:{digits} 0-16", "a=ptime:20", f"a={way}",
    )  # fmt: skip
    return "".join(f"{line}\r\n" for line in lines).encode()


def answer_challenge(challenge: str, method: str, uri: str, user: str, password: str) -> str:
    """Return the header Authorization that answers a challenge of 401 (RFC 7616, with MD5)."""
    asked = dict(re.findall(r'(\w+)="?([^",]+)"?', challenge.partition(" ")[2]))
    realm, nonce = asked["realm"], asked["nonce"]
    secret, what = _md5(f"{user}:{realm}:{password}"), _md5(f"{method}:{uri}")
    if "qop" not in asked:
        proof = f'response="{_md5(f"{secret}:{nonce}:{what}")}"'
    else:
        proof = f'response="{_md5(f"{secret}:{nonce}:00000001:rig:auth:{what}")}", qop=auth, nc=00000001, cnonce="rig"'
    more = f', opaque="{asked["opaque"]}"' if "opaque" in asked else ""
    return f'Digest username="{user}", realm="{realm}", nonce="{nonce}", uri="{uri}", {proof}, algorithm=MD5{more}'


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
