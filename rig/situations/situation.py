"""How a situation is made known to the recorder."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from inspect import getdoc

from rig.office import Office
from rig.tape import HEARD
from rig.told import Told

Play = Callable[[Office], Awaitable[Sequence[Told]]]


@dataclass(frozen=True)
class Situation:
    """One stream to record. `alone` has an Asterisk of its own; `broken` may lack the end of its calls."""

    name: str
    story: str
    play: Play
    classes: str = HEARD
    alone: bool = False
    broken: bool = False


SITUATIONS: dict[str, Situation] = {}


def situation(classes: str = HEARD, *, alone: bool = False, broken: bool = False) -> Callable[[Play], Play]:
    """Make a function known as a situation."""

    def known(play: Play) -> Play:
        name = play.__name__.replace("_", "-")
        story = " ".join((getdoc(play) or "").split())
        SITUATIONS[name] = Situation(name, story, play, classes, alone, broken)
        return play

    return known
