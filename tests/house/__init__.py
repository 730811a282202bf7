"""The bars that hold the house: figures over the whole tree, each measured here and held against a limit.

`python -m tests.house` prints them all, `python -m tests.house routing_engine/core` those of one room with every place.
`source` reads Python files once, `code` measures the package by them, `words` everything that is written for people,
`scripts` the shell scripts, `bars` is the table of limits. Standard library only.
"""
