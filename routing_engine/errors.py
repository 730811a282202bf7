"""Every error of the engine, grouped by who must act.

RoutingEngineError
├── RouteError             the author of a YAML file: carries every Problem found
├── ProviderError          a look-up did not answer; the route's `when_down` decides what that means
│   ├── ProviderUnreachable    time: nobody answered, or not in time
│   │   ├── ProviderThrottled      the other side: asked us to wait
│   │   └── ProviderHeld           nobody: we spare a system that is failing or at its limits
│   ├── ProviderRefused        an administrator: credentials, rights, address, quota
│   └── ProviderMisread        us, or the other side's developer: the answer has an unexpected shape
├── AmiRefused             an administrator of Asterisk: the manager's user, its secret or its rights
├── PbxDown                time: a PBX that was told to do something did not answer
├── CommandRefused         whoever dials, or passes a call on: it cannot be done, and why
├── SpeechError            an administrator: the synthesiser did not speak; the caller does not hear the text
├── EditRefused            whoever edits a call: it is not there, or is not any more what it was
│   ├── UnknownCall            there is no call with this id
│   └── StaleVersion           somebody else has changed it meanwhile: read it again
├── StorageError           an administrator: the database cannot be written or read; the calls go on
└── ChannelError           the conversation with Asterisk
    ├── CallerHungUp           nobody: the caller has gone, the work stops quietly
    └── ChannelBroken          an administrator: the other side does not speak FastAGI, or stopped in mid-call
"""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

#: Who must act, for a look-up that failed: nobody, the administrator here, the other system's vendor or administrator,
#: who runs the network, or who wrote the other side or its description.
Who: TypeAlias = Literal["nobody", "administrator", "vendor", "network", "developer"]


def traceback_frames(error: BaseException) -> list[str]:
    """Return where an error arose, frame by frame, for a log: without its text, which may hold a number or a secret."""
    frames = traceback.extract_tb(error.__traceback__)
    return [f"{frame.filename}:{frame.lineno} in {frame.name}" for frame in frames]


class RoutingEngineError(Exception):
    """Whatever the engine raises on purpose."""


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One fault of a YAML file: where it is, what it is, what to do. `line` counts from 1; 0 is the whole file."""

    file: str
    line: int
    sentence: str
    remedy: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.sentence}; {self.remedy}"


class ConfigError(RoutingEngineError):
    """The configuration cannot be used; `problems` names every fault that was found, never only the first."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(map(str, self.problems)))


class RevisionError(RoutingEngineError):
    """A revision is not kept, or not as it was, or cannot be put back; `remedy` says what to do."""

    def __init__(self, sentence: str, remedy: str) -> None:
        self.sentence, self.remedy = sentence, remedy
        super().__init__(f"{sentence}; {remedy}")


class DeskRefused(RoutingEngineError):
    """What a person asks for about a contact cannot be done: a `code` for pages, a sentence and a remedy for people."""

    def __init__(self, code: str, message: str, remedy: str) -> None:
        self.code, self.message, self.remedy = code, message, remedy
        super().__init__(f"{message}; {remedy}")


class ProviderError(RoutingEngineError):
    """A look-up that was not answered. Its text is shown in trails and logs: it never holds a secret or a number.

    `who` must act; `remedy` says what to do, where that is known: "" leaves it to whoever shows the error.
    """

    def __init__(self, text: str, who: Who = "administrator", remedy: str = "") -> None:
        super().__init__(text)
        self.who, self.remedy = who, remedy


class ProviderUnreachable(ProviderError):
    """Nobody answered, or not in time: it may be better the next time.

    `again` says that the same question may well be answered at once: the connection broke, a gateway was restarting.
    """

    def __init__(self, text: str, again: bool = False, who: Who = "network", remedy: str = "") -> None:
        super().__init__(text, who, remedy)
        self.again = again


class ProviderThrottled(ProviderUnreachable):
    """The system answered that it is asked too much. `retry_after_s` is how long it wants to be left alone."""

    def __init__(self, text: str, retry_after_s: float) -> None:
        super().__init__(text, who="nobody")
        self.retry_after_s = retry_after_s


class ProviderSkipped(ProviderUnreachable):
    """The system was not asked: it failed too often, or its limits are used up."""


class ProviderRefused(ProviderError):
    """The system answered that it will not serve us: an administrator must look at credentials, rights or address.

    `theirs` says that it is the administrator of the other system who must act: rights, a switched-off API, a quota.
    """

    def __init__(self, text: str, theirs: bool = False, remedy: str = "", who: Who | None = None) -> None:
        super().__init__(text, who or ("vendor" if theirs else "administrator"), remedy)
        self.theirs = self.who == "vendor"


class ProviderMisread(ProviderError):
    """The system answered something that is neither a record nor "no record"."""

    def __init__(self, text: str, who: Who = "developer", remedy: str = "") -> None:
        super().__init__(text, who, remedy)


class AmiRefused(RoutingEngineError):
    """Asterisk's manager interface refused the log-in or an action; the text is Asterisk's own."""


class PbxDown(RoutingEngineError):
    """A PBX did not answer, or its connection broke: nobody knows whether it did what it was told."""


class CommandRefused(RoutingEngineError):
    """Something that was to be done with a call cannot be done: `code` for programs, a sentence and a remedy."""

    def __init__(self, code: str, message: str, remedy: str) -> None:
        self.code, self.message, self.remedy = code, message, remedy
        super().__init__(f"{message}; {remedy}")


class SpeechError(RoutingEngineError):
    """A text was not spoken. Its own text is shown in logs: it never holds what was to be said."""


class EditRefused(RoutingEngineError):
    """A call was not changed; the text says why, for whoever wanted it."""


class UnknownCall(EditRefused):
    """There is no call with this id."""


class StaleVersion(EditRefused):
    """The call has changed since whoever edits it has read it."""


class StorageError(RoutingEngineError):
    """The database does not work now, or not for us. Its text holds neither what was to be written nor a password."""


class ChannelError(RoutingEngineError):
    """The conversation with Asterisk cannot go on."""


class CallerHungUp(ChannelError):
    """The caller has gone. Expected at every moment of a call; stops the work and cancels its look-ups."""


class ChannelBroken(ChannelError):
    """The other side sent what no Asterisk sends, sent too much, or stopped answering."""
