"""The HTTP listener: programs ask for calls, write to them, and tell of those of other telephone systems.

`api` has every address in one table with the right that it needs; rights are looked at there and nowhere else. May
import the rooms below it, but no composer. To add an address, write a function and a row.
"""
