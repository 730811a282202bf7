"""From "find this" to an answer in time: the way from a source of a route to the provider of its integration.

Here the deadline is held, and every failure becomes a value: `SourceDown` with a sentence. May import the core, the
errors and `integration`; never another room: providers come in through the port `core.ports.Provider`.
What stands between a source and its provider (a cache, a breaker, limits) wraps `Search` behind the port `Lookup`.
"""
