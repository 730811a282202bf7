"""LDAP directories as a provider: OpenLDAP, Active Directory."""
