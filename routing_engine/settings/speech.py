"""The section `speech` of engine.yaml: which program speaks texts, where its sounds lie, and which voices it has."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path, PurePosixPath

from routing_engine.core.prompts import LANGUAGE, SOUND
from routing_engine.settings.spec import setting
from routing_engine.settings.value_types import filled, mapping_of, matching, number, parsed, whole
from routing_engine.settings.yaml_reader import Section

FOLDER = Path("/var/lib/routing-engine/speech")
#: Voices of espeak-ng, for the languages of our prompts.
VOICES: Mapping[str, str] = {"de": "de", "en": "en-gb"}
#: What a command may hold, in a word of its own or within one.
PLACEHOLDERS = ("text", "text_json", "text_file", "language", "voice", "file")
PLACEHOLDER = re.compile(r"\{([A-Za-z_]+)\}")

#: With the name of a file behind it, it must still be a sound's name.
_LONGEST_FOLDER = 78
# Not `-x`: the program would take the voice for an option.
_VOICE = re.compile(r"[^-\s\x00-\x1f\x7f][^\x00-\x1f\x7f]{0,199}\Z")
_QUOTED_TEXT = re.compile(r"[\"']\{text\}|\{text\}[\"']")
_TEXT = re.compile(r"\{text(_json)?\}")
#: What runs a program that stands in a word, and the option that says so, alone or among others: `-c`, `-lc`, `-pe`.
_RUNS = tuple(
    (re.compile(names), re.compile(option, re.S))
    for names, option in (
        ("(ba|da|a|z|k|mk|fi|c|tc|r)?sh|busybox", r"-[A-Za-z]*c[A-Za-z]*|--command(=.*)?"),
        ("(python|pypy)[0-9.]*", "-[A-Za-z]*c"),
        ("(perl|ruby|node|php|lua|deno|bun)[0-9.]*", r"-[A-Za-z]*[eErp]|--(eval|print|run)(=.*)?"),
        ("[gmn]?awk", "-?.*"),
        ("env", "-[A-Za-z]*S|--split-string(=.*)?"),
    )
)
#: Options of shells that have a value behind them.
_VALUED = frozenset({"-o", "+o", "-O", "+O", "--rcfile", "--init-file", "-u", "-C"})
#: They hand their words on to a shell, here or on another machine.
_HANDS_ON = frozenset({"ssh", "rsh", "mosh", "su", "sudo", "doas", "eval", "parallel", "watch"})
_RUN = "a text within a program would be run; leave {text} out and read the text from standard input"


def read_command(line: str) -> tuple[str, ...]:
    """Split a command into words, once. Raises `ValueError` with a sentence when it cannot be used."""
    try:
        words = tuple(shlex.split(line))
    except ValueError as error:
        raise ValueError(f"the command cannot be read: {str(error).lower()}") from None
    if not words or PLACEHOLDER.search(words[0]):
        raise ValueError("the command must begin with a program")
    for place, word in enumerate(words):
        _check_word(words[:place], word)
    if not any("{text" in word for word in words) and _reads_program(words[-1]):
        raise ValueError(f"'{words[-1]}' would run the text that it reads; give it a program")
    return words


def _check_word(before: Sequence[str], word: str) -> None:
    """Refuse the ways in which a text could become more than a text."""
    unknown = [name for name in PLACEHOLDER.findall(word) if name not in PLACEHOLDERS]
    if unknown:
        raise ValueError(f"the command has no placeholder {{{unknown[0]}}}")
    # `sh -c` makes a program of what a CRM says about a caller.
    if ("{text" in word and before and re.fullmatch("-[A-Za-z]*c", before[-1])) or _runs_text(before, word):
        raise ValueError(_RUN)
    if _QUOTED_TEXT.search(word):
        raise ValueError("a quote in the text would end the quotes around {text}; write {text_json} without quotes")


def _runs_text(before: Sequence[str], word: str) -> bool:
    """Return whether something that stands before a word would run the text in it."""
    if not _TEXT.search(word):
        return False
    within = re.split(r"[\s'\"]+", word)
    if any(PurePosixPath(one).name in _HANDS_ON for one in before) or (
        len(within) > 1 and any(map(_option_of, within))
    ):
        return True
    found = ((_option_of(one), before[place + 1 :]) for place, one in enumerate(before))
    return any(option is not None and _is_program(option, behind, word) for option, behind in found)


def _option_of(word: str) -> re.Pattern[str] | None:
    """Return the option with which this runs a program out of a word; None for what does not."""
    return next((option for names, option in _RUNS if names.fullmatch(PurePosixPath(word).name)), None)


def _is_program(option: re.Pattern[str], behind: Sequence[str], word: str) -> bool:
    """Return whether a word with the text is the program of a shell, or a part of it.

    `behind` is what stands between the two. The text may be a word of its own behind a program that reads it as `$1`.
    """
    options = list(takewhile(lambda place: _is_option(behind, place), range(len(behind))))
    if len(options) == len(behind) and word.startswith("-"):
        return True
    if not any(option.fullmatch(behind[place]) for place in options) and not option.fullmatch(""):
        return False
    program = behind[len(options) : len(options) + 1]
    return not _TEXT.fullmatch(word) or not any("$" in one or "argv" in one.lower() for one in program)


def _reads_program(word: str) -> bool:
    option = _option_of(word)
    return option is not None and option.fullmatch("-c") is not None


def _is_option(words: Sequence[str], place: int) -> bool:
    return words[place].startswith(("-", "+")) or (place > 0 and words[place - 1] in _VALUED)


def _folder(path: str) -> Path:
    # Asterisk is told this path, and it starts from another folder than we do.
    if not path.startswith("/") or "\0" in path or ".." in path.split("/"):
        raise ValueError(f"'{path[:80]}' must be an absolute path")
    return Path(path.rstrip("/"))


_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}\Z")
_ENVIRONMENT = mapping_of(
    filled(),
    name=matching(
        re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}\Z"), "'{}' is not a variable", "write for example SPEECH_KEY"
    ),
)
_FOLDER = parsed(_folder, "absolute path", f"write for example: {FOLDER}")


@dataclass(frozen=True, slots=True)
class SpeechSettings:
    """How texts are spoken.

    `command` is in words, with placeholders; () is the machine's own espeak-ng. `folder` is where we write, and
    `asterisk_folder` how Asterisk sees it (None is the same). `voices` are the operator's own, by language.
    """

    command: tuple[str, ...] = setting(
        parsed(
            read_command,
            "a program and its words, with [placeholders](#placeholders)",
            "write a program and its words, such as: my-voice --voice {voice}",
        ),
        (),
        "what speaks",
        usual="`espeak-ng`, then `sox`",
        example="my-voice --voice {voice} --wav {file}",
    )
    folder: Path = setting(_FOLDER, FOLDER, "where the sounds are kept. The engine writes here, Asterisk reads here")
    asterisk_folder: Path | None = setting(
        _FOLDER,
        None,
        "the same folder as Asterisk sees it, where that is another path (containers)",
        usual="`folder`",
        example="/mnt/speech",
    )
    timeout_s: float = setting(
        number(0.1, 30, "seconds"),
        3.0,
        "how long a caller waits for a sound. Then the text is left out and named in the trail",
    )
    cache_mb: int = setting(whole(1, 1_000_000, "MB"), 200, "what the sounds may take on disk")
    voices: Mapping[str, str] = setting(
        mapping_of(
            matching(_VOICE, "'{}' is not a voice", "write the name that the synthesiser knows"),
            name=matching(LANGUAGE, "'{}' is not a language", "write a language of Asterisk, such as en or de_AT"),
        ).called("mapping, language to voice"),
        {},
        "what `{voice}` is. A language without a voice takes that of the language without its region (`de_AT`: `de`), "
        "else its own first letters (`fr`)",
        usual="`{de: de, en: en-gb}` with espeak-ng, else empty",
        example="{de: eva, en: ann}",
    )

    env: Mapping[str, str] = setting(
        replace(_ENVIRONMENT, hidden=True).called("mapping, variable to [secret](integrations.md#secrets) or text"),
        {},
        "the environment variables of the command, beside `PATH`, `HOME`, `LANG` and their like: of the engine's own, "
        "which hold every secret, it sees none",
        usual="empty",
        example="{SPEECH_KEY: '${SPEECH_KEY}'}",
    )

    def check(self, section: Section, what: str) -> None:
        """Note that Asterisk could not name a sound in the folder: it takes few characters, and not many of them."""
        if not SOUND.match(str(self.seen_folder)) or len(str(self.seen_folder)) > _LONGEST_FOLDER:
            key = "asterisk_folder" if self.asterisk_folder else "folder"
            remedy = "use a short path of letters, digits, '-' and '_'"
            section.note(key, f"Asterisk cannot play from this '{key}'", remedy)

    @property
    def seen_folder(self) -> Path:
        """The folder as Asterisk sees it."""
        return self.asterisk_folder or self.folder

    def voice(self, language: str) -> str:
        """Return the voice of a language: its own, else that of the language without its region, else its letters."""
        base = language.replace("_", "-").partition("-")[0].lower()
        # Voices of espeak-ng mean nothing to another program.
        voices = self.voices if self.command else {**VOICES, **self.voices}
        return voices.get(language) or voices.get(base) or base

    def name(self, key: str) -> str:
        """Return what Asterisk plays: an absolute path without extension."""
        return f"{self.seen_folder}/{key}"
