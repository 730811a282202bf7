"""Remarks on files that can be used, each with its proof: `lint` in `remarks.py` looks at one route."""
