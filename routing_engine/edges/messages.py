"""What an edge and its hub say to each other: one JSON object a message, `type` says which; pieces of sound are binary.

Members that are not known are left out and so are messages, so that either side may be newer. Whoever gets something
that is no message ends the line: `LineFault`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Literal, TypeAlias

from routing_engine.calls.changes import ChangeKind
from routing_engine.calls.checked import checked, read_json
from routing_engine.errors import RoutingEngineError

#: The way they talk. A hub understands older ones; an edge that is newer is refused, because the hub would lose things.
SPEAKS = 1
OLDEST = 1
#: No message is larger: a call with thousands of legs has some hundred kB.
MOST_BYTES = 8 << 20
#: So many messages with changes may be on their way: the next waits until the hub has written one of them.
UNDER_WAY = 2
#: What a message carries at most, but one change always fits.
MOST_CHANGES, MOST_CHANGES_BYTES = 50, 256 << 10
#: A piece of sound. Events wait behind one at most, and so many of a recording are on their way.
PIECE, PIECES = 32 << 10, 2
#: So many recordings at a time.
RECORDINGS = 4
#: A line that says nothing for so long is dead.
HEARTBEAT_S = 10.0
_NUMBER_BYTES = 4

#: `unreachable` may be tried again, `refused` not; `down` is a PBX that does not answer.
FaultKind: TypeAlias = Literal["unreachable", "refused", "down"]
AskKind: TypeAlias = Literal["find", "read", "action", "originate", "rest"]


class LineFault(RoutingEngineError):
    """The other side said something that is no message: `code` for programs, the text for people."""

    def __init__(self, code: str, sentence: str, remedy: str) -> None:
        super().__init__(f"{sentence}; {remedy}")
        self.code, self.sentence, self.remedy = code, sentence, remedy


@dataclass(frozen=True, slots=True)
class Hello:
    """The edge's first word. `run` is the process: two of them must not share a key. `at` is its clock."""

    speaks: int
    engine: str
    run: str
    pbxs: tuple[str, ...]
    at: float


@dataclass(frozen=True, slots=True)
class Welcome:
    """The hub's answer. `edge` is the name of the edge's key, `phones` says whose a telephone is: `main/201`."""

    edge: str
    speaks: int = SPEAKS
    phones: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Refused:
    """The hub's other answer, at any time: it ends the line after that."""

    code: str
    message: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Phones:
    """Whose a telephone is, when that has changed."""

    phones: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ToldChange:
    """A call as the edge has it now, in the form that the database keeps; `number` grows with every change."""

    number: int
    kinds: tuple[ChangeKind, ...]
    call: str


@dataclass(frozen=True, slots=True)
class Changes:
    """What happened, in order."""

    changes: tuple[ToldChange, ...]


@dataclass(frozen=True, slots=True)
class NotTaken:
    """A change that the hub cannot take, whatever is done: the edge puts it aside."""

    number: int
    why: str


@dataclass(frozen=True, slots=True)
class Taken:
    """The hub has on its disk all changes up to `number`, except for some."""

    number: int
    but: tuple[NotTaken, ...] = ()


@dataclass(frozen=True, slots=True)
class Health:
    """How the edge is: what waits for the hub and since when, and which PBXs it hears."""

    at: float
    waiting: int
    since: float | None = None
    aside: int = 0
    up: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ask:
    """The hub wants something of a PBX: `body` is the JSON of the action, of the request, or of a recording's name."""

    id: int
    what: AskKind
    pbx: str
    body: str = "{}"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of it. `fault` says that nothing did, `text` why."""

    id: int
    body: str = "null"
    fault: FaultKind | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class More:
    """The hub takes so many pieces of a recording more."""

    id: int
    pieces: int


@dataclass(frozen=True, slots=True)
class Stop:
    """Nobody wants the rest of a recording."""

    id: int


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a recording. The end of one is an `Answer`."""

    id: int
    sound: bytes


FromEdge: TypeAlias = Hello | Changes | Health | Answer
FromHub: TypeAlias = Welcome | Refused | Phones | Taken | Ask | More | Stop
Message: TypeAlias = FromEdge | FromHub

_NAMES: Mapping[str, type[Message]] = {
    "hello": Hello,
    "changes": Changes,
    "health": Health,
    "answer": Answer,
    "welcome": Welcome,
    "refused": Refused,
    "phones": Phones,
    "taken": Taken,
    "ask": Ask,
    "more": More,
    "stop": Stop,
}
_TYPES = {kind: name for name, kind in _NAMES.items()}


def written(message: Message) -> str:
    """Return a message as it is sent."""
    return json.dumps({"type": _TYPES[type(message)], **asdict(message)}, separators=(",", ":"))


def read(text: str) -> Message | None:
    """Return the message that a text is; None for one of a newer version. Raises `LineFault`."""
    try:
        found = read_json(text)
        kind: Callable[..., Message] | None = _NAMES.get(str(found.get("type")))
        return None if kind is None else checked(kind, found)
    except ValueError as error:
        sentence = f"what came over the line is no message: {str(error)[:200]}"
        raise LineFault("no_message", sentence, "bring both engines up to date") from None


def written_piece(piece: Piece) -> bytes:
    """Return a piece as it is sent."""
    return piece.id.to_bytes(_NUMBER_BYTES, "big") + piece.sound


def read_piece(sent: bytes) -> Piece:
    """Return the piece that some bytes are. Raises `LineFault`."""
    if not _NUMBER_BYTES < len(sent) <= _NUMBER_BYTES + PIECE:
        raise LineFault("no_piece", f"{len(sent)} bytes are no piece of a recording", "bring both engines up to date")
    return Piece(int.from_bytes(sent[:_NUMBER_BYTES], "big"), sent[_NUMBER_BYTES:])
