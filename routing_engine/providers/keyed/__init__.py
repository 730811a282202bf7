"""Key-value stores: a record under a key that the operator's template makes of a number or a value.

`provider` has the keys and everything else that such stores share; `redis` and `astdb` read one key each. May import
`answers/` and `net/`. To add a store, write a class with `read` and `close` (`provider.KeyValueStore`), its settings,
and a line in `registry._SHIPPED`.
"""
