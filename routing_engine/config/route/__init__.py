"""One route: a YAML file in, the model out, or every problem that it has."""
