"""The custom middleware (`provider: http`): one HTTP address that answers who a caller is, as PBXware asks it.

`settings` and `auth` read the keys, `provider` asks. May import `net/`, `answers/` and `oauth/`. Another way to prove
who we are is a function in `auth.py` and a row in `docs/reference/integrations.md`.
"""
