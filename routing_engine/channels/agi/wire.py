"""FastAGI on the wire, without a socket: bytes in, environment, replies and hang-ups out; commands to bytes.

Source: Asterisk's res_agi as it behaves (version 22): 22 lines `agi_name: value` and an empty line open a session,
then every command line gets one reply, `200 result=...`. `HANGUP` may stand before any reply; a usage error is many
lines long (`520-...` to `520 End of proper usage.`); `1xx` is not final.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote

from routing_engine.core.caller import arrived
from routing_engine.core.check_digits import KEYS
from routing_engine.core.model import Caller
from routing_engine.core.phone import HIDDEN_WORDS, Plus
from routing_engine.core.ports import Now
from routing_engine.core.prompts import LANGUAGE
from routing_engine.errors import ChannelBroken

#: Asterisk cuts a command line at 8,191 bytes and answers the rest as another command.
MAX_COMMAND = 8190
#: An environment has 22 lines and at most 127 arguments.
MAX_ENVIRONMENT_LINES = 200
MAX_ENVIRONMENT_BYTES = 64 * 1024
#: No reply that we ask for is longer; a client that sends more without a newline is not Asterisk.
MAX_LINE = 64 * 1024
MAX_USAGE_LINES = 200
#: So much is taken of a number, a name, what was dialled and a route: whoever reaches the port chooses them, and
#: caches, logs and the journal keep them.
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply: the code, what follows `result=`, and the rest of the line."""

    code: int
    result: str = ""
    rest: str = ""

    @property
    def value(self) -> str:
        """The text in brackets, to the last one: what GET VARIABLE gives."""
        start, end = self.rest.find("("), self.rest.rfind(")")
        return self.rest[start + 1 : end] if 0 <= start < end else ""


@dataclass(frozen=True, slots=True)
class Environment:
    """The lines that open a session, without their `agi_`; arguments in their order."""

    values: Mapping[str, str]
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Hangup:
    """The caller has hung up. The session stays open until we close it."""


@dataclass(slots=True)
class AgiWire:
    """The receiving half of one session. `feed` it bytes as they come, split anywhere."""

    #: What came without its end. Bytes, not a bytearray: a call that waits has none, and shares the empty one.
    _rest: bytes = b""
    #: The lines of the environment so far; None before the first, and behind the last.
    _environment: dict[str, str] | None = None
    _opened: bool = False
    _taken: int = 0
    _usage_lines: int = 0

    def feed(self, data: bytes | memoryview) -> list[Environment | Reply | Hangup]:
        """Take bytes, give what they complete. Raises `ChannelBroken` for what no Asterisk sends."""
        received = self._rest + bytes(data)
        if self._opened and (usual := self._usual(received)):
            return usual
        events: list[Environment | Reply | Hangup] = []
        start = self._whole_environment(received, events) if not self._opened and self._environment is None else 0
        end = received.rfind(b"\n") + 1
        for line in received[start : end - 1].decode("utf-8", "replace").split("\n") if end > start else ():
            event = self._line(line)
            if event is not None:
                events.append(event)
        self._rest = received[max(start, end) :]
        if len(self._rest) > MAX_LINE:
            raise ChannelBroken("a line without an end")
        return events

    def _usual(self, received: bytes) -> list[Environment | Reply | Hangup] | None:
        """Return the replies where all are `200 result=1`, as to a whole closing burst: counted, and not read."""
        count = received.count(_SET)
        if not count or count * len(_SET) != len(received) or self._usage_lines:
            return None
        self._rest = b""
        return [_WAS_SET] * count

    def _whole_environment(self, received: bytes, events: list[Environment | Reply | Hangup]) -> int:
        """Read an environment that came in one piece, as it nearly always does: a third of the time that lines take.

        Return how many bytes were used: none when it is not whole, or has anything in it that needs a closer look.
        """
        end = received.find(b"\n\n")
        if not 0 < end < MAX_ENVIRONMENT_BYTES or received[:4] != b"agi_":
            return 0
        lines = received[4:end].decode("utf-8", "replace").split("\nagi_")
        if len(lines) != received.count(b"\n", 0, end) + 1 or len(lines) > MAX_ENVIRONMENT_LINES:
            return 0
        pairs = [line.split(": ", 1) for line in lines]
        if b"\r" in received or min(map(len, pairs)) < 2:
            return 0
        values = dict[str, str](pairs)
        if ":" in "".join(values):
            return 0
        self._opened = True
        events.append(_environment_of(values))
        return end + 2

    def _line(self, line: str) -> Environment | Reply | Hangup | None:
        if not self._opened:
            return self._environment_line(line.rstrip("\r"))
        if self._usage_lines:
            return self._usage_line(line)
        if (usual := _USUAL.get(line)) is not None:
            return usual
        if line.startswith("HANGUP"):
            return Hangup()
        if line.startswith("520-"):
            self._usage_lines = 1
            return None
        return read_reply(line)

    def _environment_line(self, line: str) -> Environment | None:
        environment = self._environment = self._environment if self._environment is not None else {}
        if not line:
            self._environment, self._opened = None, True
            return _environment_of(environment)
        name, colon, value = line.partition(":")
        self._taken += len(line)
        if not colon or not name.startswith("agi_"):
            raise ChannelBroken("the session does not begin with agi_ lines: the other side is not Asterisk")
        if len(environment) >= MAX_ENVIRONMENT_LINES or self._taken > MAX_ENVIRONMENT_BYTES:
            raise ChannelBroken("an environment longer than any Asterisk sends")
        environment[name[4:]] = value[1:] if value.startswith(" ") else value
        return None

    def _usage_line(self, line: str) -> Reply | None:
        self._usage_lines += 1
        if line.startswith("520 "):
            self._usage_lines = 0
            return Reply(520)
        if self._usage_lines > MAX_USAGE_LINES:
            raise ChannelBroken("a usage text without an end")
        return None


#: What most commands are answered, read once.
_WAS_SET, _SET = Reply(200, "1"), b"200 result=1\n"
_USUAL = {"200 result=0": Reply(200, "0"), "200 result=1": _WAS_SET}
_OCTET = re.compile(r"[0-9]{1,3}\Z", re.ASCII)
_ARGUMENT = re.compile(r"arg_[0-9]+\Z")


def _environment_of(values: dict[str, str]) -> Environment:
    arguments = tuple([value for name, value in values.items() if name[:4] == "arg_" and _ARGUMENT.match(name)])
    return Environment(values, arguments)


def key_of(result: str) -> str:
    """Return the key of an ASCII code, as commands that listen answer it; "" when there was none."""
    code = int(result) if result.isascii() and result.isdigit() and len(result) < 4 else 0
    return chr(code) if chr(code) in KEYS else ""


def read_reply(line: str) -> Reply | None:
    """Read one reply line; None for `1xx`, which is followed by the final one."""
    code, _, text = line.rstrip("\r").partition(" ")
    if len(code) != 3 or not (code.isascii() and code.isdigit()):
        raise ChannelBroken("a line that is not a reply: the other side is not Asterisk")
    if code[0] == "1":
        return None
    if not text.startswith("result="):
        return Reply(int(code), "", text)
    result, _, rest = text[7:].partition(" ")
    return Reply(int(code), result, rest)


_QUOTES = str.maketrans({**{chr(code): " " for code in (*range(0x20), 0x7F)}, "\\": "\\\\", '"': '\\"'})


def _is_plain(value: str) -> bool:
    """Return whether a value needs no quoting: nearly all do not, and translating costs ten times as much."""
    return value.isascii() and value.isprintable() and '"' not in value and "\\" not in value


def command(verb: str, *values: str) -> bytes:
    """Return a command line: `verb` as it is, every value quoted.

    Control characters become spaces: a newline would begin a second command. Raises `ValueError` for a line that
    Asterisk would cut in two.
    """
    quoted = "".join([f' "{value if _is_plain(value) else value.translate(_QUOTES)}"' for value in values])
    line = (verb + quoted).encode("utf-8", "replace")
    if len(line) > MAX_COMMAND:
        raise ValueError(f"a command of {len(line)} bytes; Asterisk takes {MAX_COMMAND}")
    return line + b"\n"


def set_variables(variables: Sequence[tuple[str, str]]) -> bytes:
    """Return the command lines that set variables, each as `command` writes it.

    Where nothing needs quoting, as nearly always, that is seen of all of them together: a third of the time.
    """
    if _is_plain("".join([text for pair in variables for text in pair])):
        lines = "".join([f'SET VARIABLE "{name}" "{value}"\n' for name, value in variables]).encode()
        if len(lines) <= MAX_COMMAND:
            return lines
    return b"".join([command("SET VARIABLE", *pair) for pair in variables])


@dataclass(frozen=True, slots=True)
class ArrivingCall:
    """A call at our door: the route it asks for, who calls, and the language the dialplan asks for ("" for none)."""

    route: str
    caller: Caller
    language: str = ""


def read_call(environment: Environment, region: str, now: Now, plus: Plus = "") -> ArrivingCall:
    """Return the route that is asked for, and the caller.

    `agi://host/support?language=de` names the route and may carry `language`, `called`, `caller` and `name`; the same
    words may come as arguments (`language=de`), and a first argument without `=` is the route where the URL has none.
    A withheld number stays withheld, also when the dialplan hands it over as `caller`.
    """
    route, parameters = _script(environment)
    values = environment.values
    number = parameters.get("caller", _with_plus(values.get("callerid", ""), values.get("callington", "")))
    name = parameters.get("name", values.get("calleridname", ""))
    caller = arrived(
        number[:_LONGEST],
        now(),
        region,
        name=name[:_LONGEST],
        called=parameters.get("called", _called(values))[:_LONGEST],
        language=_language(values.get("language", "")),
        call_id=re.sub(r"[^A-Za-z0-9_.:\-]", "", values.get("uniqueid", ""))[:80],
        withheld=_is_withheld(values.get("callingpres", "0")),
        plus=plus,
    )
    return ArrivingCall(route[:_LONGEST], caller, _language(parameters.get("language", "")))


def _language(text: str) -> str:
    """Return a language; "" for any other text: Asterisk looks for sounds in a folder of its name."""
    return text if LANGUAGE.match(text) else ""


def keys_sent(environment: Environment) -> tuple[str, ...]:
    """Return the words that may be meant as the listener's secret: `?key=` as it came and decoded, or an argument."""
    _, _, query = environment.values.get("network_script", "").partition("?")
    sent = [one.partition("=")[2] for one in (*query.split("&"), *environment.arguments) if one.startswith("key=")]
    return (*sent, *map(unquote, sent))


def _script(environment: Environment) -> tuple[str, dict[str, str]]:
    script = environment.values.get("network_script", "")
    path, _, query = script.partition("?")
    parameters = dict(parse_qsl(query, keep_blank_values=True))
    plain = [argument for argument in environment.arguments if "=" not in argument]
    for argument in environment.arguments:
        key, equals, value = argument.partition("=")
        if equals:
            parameters.setdefault(key.strip(), value.strip())
    return unquote(path).strip("/") or next(iter(plain), ""), parameters


def _with_plus(number: str, kind: str) -> str:
    """Return a number with the + that its type of number, "international" in Q.931 octet 3, stands for."""
    international = kind in ("16", "17") and number[:1].isdigit() and not number.startswith("0")
    return f"+{number}" if international else number


def _called(values: Mapping[str, str]) -> str:
    dialled = values.get("dnid", "")
    return values.get("extension", "") if dialled.lower() in HIDDEN_WORDS else dialled


def _is_withheld(presentation: str) -> bool:
    """Q.931 octet 3a: presentation 01 is "restricted": the number is delivered, and its use forbidden."""
    return _OCTET.match(presentation) is not None and int(presentation) & 0x60 in (0x20, 0x60)
