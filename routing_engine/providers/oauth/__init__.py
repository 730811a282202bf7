"""OAuth2, for every provider: what a vendor wants, what an operator gives, and tokens that are kept and renewed.

`plan.py` reads what a description says of a vendor, `settings.py` what the operator's YAML adds. `credential.py` gives
the values that requests are built with; it asks (`ask.py`) and keeps (`store.py`, encrypted with `key.py`).
`login.py` is the part that needs a person. Another grant is a line in `plan.GRANTS` and a form in `ask.py`.
"""
