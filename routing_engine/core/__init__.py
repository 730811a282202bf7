"""The decision: from a route and a caller to a destination, and why.

Pure values and functions: no await, clock, log, file, random or network, and no import from a higher floor.
`decide` is the only implementation of the route language; live calls, dry runs, examples and tests all drive it.
To add an operator, a kind of destination or a type of field, write one row in `operators`, `destinations` or
`field_types`: it says all about its thing. `CONTRIBUTING.md` has the recipes.
"""
