"""Integrations with the Odoo of these tests, as an operator writes them."""

from __future__ import annotations

from rig.odoo import Odoo


def json_2(system: Odoo) -> str:
    """By an API key."""
    return f"provider: odoo\nserver: {system.address}\ndatabase: {system.database}\nauth: {{api_key: '${{SECRET}}'}}\n"


def json_rpc(system: Odoo, user: str = "") -> str:
    """By user and password. Odoo 19 has one field for numbers, where older ones have two."""
    way = f"auth: {{session: {{user: {user or system.user}, password: '${{SECRET}}'}}}}\nmobile_field: phone\n"
    models = "models: {contact: {fields: {mobile: phone}}, lead: {fields: {mobile: phone}}}\n"
    return f"provider: odoo_rpc\nserver: {system.address}\ndatabase: {system.database}\n{way}{models}"
