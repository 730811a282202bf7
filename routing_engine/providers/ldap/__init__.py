"""LDAP directories (`provider: ldap`): OpenLDAP, Active Directory, and whatever else speaks version 3.

`settings` reads the keys, `filter` makes filters of bytes, `wire` the messages (RFC 4511), `provider` asks over the
kept connection of `net/`. May import `net/` and `answers/`. Another result that an administrator can mend is a row in
`wire`.
"""
