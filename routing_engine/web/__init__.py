"""The HTTP listener: programs ask for calls, write to them, and tell of those of other telephone systems.

`api` looks at the right of every request, and nowhere else is one looked at. A row (`endpoints`) says all about its
address: right, parameters, body and answers; OpenAPI and the reference come from it. May import the rooms below it, but
no composer. To add an address, write a function and a row.
"""
