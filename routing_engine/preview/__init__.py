"""A route as a person would draw it: what happens, step by step, and where each way leads.

`steps.py` says it in words, once; `text.py`, `mermaid.py` and `svg.py` draw the same steps, and `overview.py` draws the
folder. Pure, and it knows the core only: it reads a `Route` and decides nothing. A new form is a file that turns
`RoutePreview` into text, and a word for it in `routing-engine show`.
"""
