"""The folder in, a Configuration out: routes, engine.yaml and integrations, or every problem of every file.

`load` reads a folder, `store` holds what is in force, `route/` and `engine_yaml` say what their files hold, `lint` has
remarks, `schema` is for editors. May import core, settings, storage and errors, never the other rooms of its floor. To
add a key: a field in the dataclass of its section, and a bad file per fault in tests/config/bad.
"""
