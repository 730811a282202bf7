"""WHAT A CALL IS: events of telephone systems in, call records out. As pure as the core: no await, clock, network.

`call` has the values that everybody shares (store, CRM log, webhooks, API), `as_json` their JSON, `changes` what is
published when one changes. May import the core and the errors only; whoever reads Asterisk's own words (`pbx/`) turns
them into events of this room first.
"""
