"""The situations of which event streams are recorded, each a function that plays it with the telephones of an `Office`.

A function's name is the stream's, its docstring the story. It waits for what the telephones or Asterisk do, never for
time, and returns what really happened. A new one is written beside those like it.
"""

from rig.situations import clicks, deaths, desks, groups, transfers
from rig.situations.situation import SITUATIONS, Situation

__all__ = ["SITUATIONS", "Situation", "clicks", "deaths", "desks", "groups", "transfers"]
