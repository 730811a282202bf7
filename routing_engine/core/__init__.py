"""The decision: from a route and a caller to a destination, and why.

Pure values and functions: no await, clock, log, file, random or network, and no import from a higher floor.
`decide` is the only implementation of the route language; live calls, dry runs, examples and tests all drive it.
To add a condition operator, write one function in `operators`; to add a kind of destination, one row in `destinations`.
"""
