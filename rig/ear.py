"""What a telephone hears: received u-law samples laid out in time, and told as stretches of sound and silence."""

import cmath
import math
import wave
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

RATE = 8000
WINDOW = 160
SILENT_DB = -45.0
BREATH_S = 0.1
# What a telephone holds at most of sound that came early.
JITTER_S = 0.06
# A jump between the sender's clock and the arrival larger than this is a pause of the sender, not a late packet.
DRIFT = RATE // 5


def _linear(code: int) -> int:
    """One u-law code as a 16-bit sample (ITU-T G.711)."""
    code = ~code & 0xFF
    size = (((code & 0x0F) << 3) + 0x84) << ((code & 0x70) >> 4)
    return 0x84 - size if code & 0x80 else size - 0x84


LINEAR = tuple(_linear(code) for code in range(256))
SQUARES = tuple(sample * sample for sample in LINEAR)


def ulaw_of(sample: int) -> int:
    """The u-law code of a 16-bit sample (ITU-T G.711)."""
    size = min(abs(sample), 32635) + 0x84
    exponent = size.bit_length() - 8
    return ~((0x80 if sample < 0 else 0) | exponent << 4 | (size >> (exponent + 3) & 0x0F)) & 0xFF


def tone(hz: float, seconds: float = 1.0, level: float = 0.3) -> bytes:
    """A sine tone in u-law; `level` 1.0 is the loudest."""
    step = 2 * math.pi * hz / RATE
    return bytes(ulaw_of(round(32000 * level * math.sin(step * n))) for n in range(int(seconds * RATE)))


@dataclass(frozen=True)
class Segment:
    """A stretch of sound or silence; `hz` is its strongest frequency near its start (0 for silence)."""

    start_s: float
    end_s: float
    sound: bool
    level_db: float
    hz: float

    @property
    def lasts_s(self) -> float:
        """How long it is."""
        return self.end_s - self.start_s

    @property
    def silent(self) -> bool:
        """Whether nothing was heard."""
        return not self.sound


Wanted = Callable[[Segment], bool]


def sound(min_s: float = 0.1, hz: float | None = None, within_hz: float = 15.0) -> Wanted:
    """A predicate for `Call.hears`: sound of at least this length, and of this frequency if one is given."""
    return lambda heard: heard.sound and heard.lasts_s >= min_s and (hz is None or abs(heard.hz - hz) <= within_hz)


def silence(min_s: float) -> Wanted:
    """A predicate for `Call.hears`: at least this long nothing."""
    return lambda heard: heard.silent and heard.lasts_s >= min_s


class Ear:
    """Everything one call received, on a time line that starts when the media did."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.samples = bytearray()
        self.received = 0
        self._clock = clock
        self._started = clock()
        self._stopped: float | None = None
        self._anchor: tuple[int, int, int] | None = None
        self._levels: list[float] = []
        self._arrivals: list[tuple[float, bytes]] = []

    @property
    def now_s(self) -> float:
        """How long the media is up."""
        return (self._stopped or self._clock()) - self._started

    def stop(self) -> None:
        """Let the time line end here: the call is over."""
        self._stopped = self._stopped or self._clock()

    def take(self, source: int, timestamp: int, payload: bytes, came_at: float | None = None) -> None:
        """Lay one packet's samples at their place; `source` is the SSRC, by whose clock `timestamp` counts.

        `came_at` is when it came, by the ear's clock, where that is not now.
        """
        arrived = int((self.now_s if came_at is None else max(0.0, came_at - self._started)) * RATE)
        at = self._expected(source, timestamp)
        if at is None or abs(at - arrived) > DRIFT:
            at = max(arrived, len(self.samples))
            self._anchor = (source, at, timestamp)
        self.received += len(payload)
        self._arrivals.append((arrived / RATE, payload))
        self._write(max(at, 0), payload)

    def _expected(self, source: int, timestamp: int) -> int | None:
        if self._anchor is None or self._anchor[0] != source:
            return None
        return self._anchor[1] + (timestamp - self._anchor[2] + 2**31) % 2**32 - 2**31

    def _write(self, at: int, payload: bytes) -> None:
        self.samples.extend(b"\xff" * (at - len(self.samples)))
        self.samples[at : at + len(payload)] = payload

    def levels(self) -> Sequence[float]:
        """The loudness of each 20 ms up to about now, in dB below full scale; -96 is nothing at all."""
        settled = max(len(self.samples), int((self.now_s - 0.06) * RATE)) // WINDOW
        while len(self._levels) < len(self.samples) // WINDOW:
            at = len(self._levels) * WINDOW
            self._levels.append(_level(self.samples[at : at + WINDOW]))
        return self._levels + [-96.0] * (settled - len(self._levels))

    def pauses(self, least_s: float = 0.02) -> list[Segment]:
        """Every stretch without sound, to the packet, by when sound really arrived; the last one ends now.

        Unlike in `segments` no pause is too short, and none is hidden by a sender whose clock stood still meanwhile.
        """
        found, end = [], 0.0
        for at, codes in [*self._arrivals, (self.now_s, b"")]:
            if codes and _level(codes) <= SILENT_DB:
                continue
            if at - end >= least_s:
                found.append(Segment(end, at, False, -96.0, 0.0))
            # Packets that come at once, because one of us was busy, are played one after the other.
            end = min(max(end, at) + len(codes) / RATE, at + JITTER_S)
        return found

    def arrivals(self, hz: float, within_hz: float = 40.0) -> list[float]:
        """When each packet arrived whose strongest frequency is this one, in seconds."""
        size = 1 << (WINDOW.bit_length() - 1)
        return [at for at, codes in self._arrivals if abs(strongest_hz(codes[:size]) - hz) <= within_hz]

    def segments(self) -> list[Segment]:
        """What was heard so far, as stretches; pauses shorter than 0.1 s belong to the sound around them."""
        levels = self.levels()
        return [self._segment(levels, start, end) for start, end in _runs(levels)]

    def _segment(self, levels: Sequence[float], start: int, end: int) -> Segment:
        loudest = max(levels[start:end])
        is_sound = loudest > SILENT_DB
        hz = self._hz(start, end) if is_sound else 0.0
        return Segment(start * WINDOW / RATE, end * WINDOW / RATE, is_sound, loudest, hz)

    def _hz(self, start: int, end: int) -> float:
        # Two windows in: the first one holds the onset.
        begin = min(start + 2, end - 1) * WINDOW
        room = min(end * WINDOW, len(self.samples)) - begin
        size = 1 << max(min(room, 2048).bit_length() - 1, 0)
        return strongest_hz(bytes(self.samples[begin : begin + size]))


def save_wav(path: Path, codes: bytes | bytearray) -> None:
    """Write u-law samples as a WAV file."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(array("h", (LINEAR[code] for code in codes)).tobytes())


def _level(codes: bytes | bytearray) -> float:
    power = sum(map(SQUARES.__getitem__, codes)) / len(codes)
    return 10 * math.log10(power / 32768**2) if power > 0.3 else -96.0


def _runs(levels: Sequence[float]) -> list[tuple[int, int]]:
    """Borders of the alternating stretches of sound and silence, in windows."""
    breath = round(BREATH_S * RATE / WINDOW)
    loud = [level > SILENT_DB for level in levels]
    last = -breath - 1
    for at, is_loud in enumerate(loud):
        if is_loud:
            if at - last <= breath:
                loud[last:at] = [True] * (at - last)
            last = at
    borders = [0, *(at for at in range(1, len(loud)) if loud[at] != loud[at - 1]), len(loud)]
    return [(start, end) for start, end in pairwise(borders) if end > start]


@cache
def strongest_hz(codes: bytes) -> float:
    """The strongest frequency in u-law samples, whose number is a power of two."""
    size = len(codes)
    if size < 64:
        return 0.0
    shaped = [LINEAR[code] * (1 - math.cos(2 * math.pi * n / size)) for n, code in enumerate(codes)]
    powers = [abs(value) for value in _fourier([complex(value) for value in shaped])[: size // 2]]
    peak = max(range(1, size // 2 - 1), key=powers.__getitem__)
    left, middle, right = powers[peak - 1 : peak + 2]
    bend = left - 2 * middle + right
    return (peak + (0.5 * (left - right) / bend if bend else 0.0)) * RATE / size


def _fourier(values: list[complex]) -> list[complex]:
    if len(values) == 1:
        return values
    even, odd = _fourier(values[::2]), _fourier(values[1::2])
    turned = [cmath.exp(-2j * math.pi * n / len(values)) * value for n, value in enumerate(odd)]
    pairs = list(zip(even, turned, strict=True))
    return [one + other for one, other in pairs] + [one - other for one, other in pairs]
