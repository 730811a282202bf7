"""YAML in, routes out: the configuration folder read whole, or every problem of every file.

`read` turns one route's text into the model, `settings` reads engine.yaml, `examples` runs what stands beside the
rules, `lint` gives remarks, `store` holds the configuration in force. May import core, integration, marked and errors,
never the other rooms of its floor. To add a key: read it in its section, add a bad file per fault in tests/config/bad.
"""
