"""The customers of the providers' contract, as entries of a directory, and a few entries that are strange."""

from __future__ import annotations

from base64 import b64encode

from tests.providers.contract import CUSTOMERS

BASE = "ou=people,dc=example,dc=com"
USER = "cn=engine,dc=example,dc=com"
#: Everybody may read the people, only who has logged in what is closed.
ACCESS = """access to attrs=userPassword by anonymous auth
access to dn.subtree="ou=closed,dc=example,dc=com" by users read by * none
access to * by * read"""
SIGNS = ("*", "a*b", "(x)", "a\\2ab", "&|!")
ATTRIBUTES = {
    "id": "uid",
    "customer_number": "employeeNumber",
    "full_name": "cn",
    "city": "l",
    "phone": "telephoneNumber",
}


def entry(**values: object) -> str:
    """One entry below the people; its values in base64, so that nothing in them means anything to LDIF."""
    lines = [f"dn: uid={values['uid']},{BASE}", "objectClass: inetOrgPerson", "sn: -"]
    for name, value in values.items():
        for one in value if isinstance(value, (list, tuple)) else [value]:
            raw = one if isinstance(one, bytes) else str(one).encode()
            lines.append(f"{name}:: {b64encode(raw).decode()}")
    return "\n".join(lines) + "\n"


def _customer(row: dict[str, object]) -> str:
    return entry(**{ATTRIBUTES[name]: value for name, value in row.items() if value != ""})


LDIF = "\n".join(
    [
        f"dn: {BASE}\nobjectClass: organizationalUnit\nou: people\n",
        "dn: ou=closed,dc=example,dc=com\nobjectClass: organizationalUnit\nou: closed\n",
        "dn: uid=9,ou=closed,dc=example,dc=com\nobjectClass: inetOrgPerson\nsn: -\ncn: Secret\nuid: 9\n",
        f"dn: {USER}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\n"
        "cn: engine\nuserPassword: s3cret\n",
        *(_customer(dict(row)) for row in CUSTOMERS),
        entry(uid="many", cn=["Eva", "Eva Huber"], mail=["a@example.com", "b@example.com"], jpegPhoto=b"\xff\xd8"),
        *(entry(uid=f"star{number}", cn=text) for number, text in enumerate(SIGNS)),
        *(entry(uid=f"p{number}", cn="Ida", mobile=text) for number, text in enumerate(
            ["+43 (0)676/555 66 77", "0676 - 555 66 77", "0676.5556677", "06765556677 (DW 3)", "067 65 55 66 77"]
        )),
    ]
)  # fmt: skip
