"""CRMs described in YAML: one file says how a system is asked, one engine asks.

Descriptions that ship lie in `providers/descriptions/`, an operator's own in `config/providers/`; both are read alike
(`read_description` and what it calls), compiled once into `model.Description`, and checked like routes. `settings`
reads an integration that uses one, `client` and `login` talk to the system, `provider` answers look-ups. May import
`net/`, `answers/` and `oauth/`. To add a system, write a description and run `tests/providers/crm/` on it: no code.
"""
