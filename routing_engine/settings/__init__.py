"""What every key of a YAML file is, declared once: read from it, checked in editors by it, documented by it.

It may import the errors only: whoever reads settings imports it. To add a key, add a field with `spec.setting(...)` to
the dataclass of its section; its reading, its JSON Schema and its row of the reference follow.
"""
