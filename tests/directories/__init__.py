"""Real OpenLDAP, Redis and Asterisk: what the providers of LDAP directories and key-value stores do with them."""
