"""Systems described in YAML: one file says how a CRM is asked, one engine asks.

Descriptions that ship lie in `providers/descriptions/`, an operator's own in `config/providers/`; both are read alike,
compiled once, and checked like routes. `read.py` reads a description, `settings.py` an integration that uses it,
`provider.py` answers look-ups. To add a system, write a description and run `tests/providers/crm/` on it.
"""
