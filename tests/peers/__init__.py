"""The peers' features, each said in YAML and shown: `table.yaml` says where, `config/` is the configuration.

`ERP_KEY=x routing-engine --config tests/peers/config check` reads it as an operator would.
"""
