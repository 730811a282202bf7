"""A middleware in under a hundred lines: what an integrator writes to connect any system to the routing engine.

The engine asks by GET (query) or POST (JSON body), with up to four parameters:

    customer_id                the caller's number, +436641234567; missing when it is hidden
    field_name                 the fields it wants, one comma-separated text
    customer_input             what the caller typed, when the route searches by that
    customer_input_field_name  the field to search it in

and expects a JSON object with these fields, or 404 when nobody was found. Try it:

    python -m demo.middleware --listen 127.0.0.1:8080
    curl 'http://127.0.0.1:8080/customer?customer_input=123456&customer_input_field_name=customer_number'
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from aiohttp import web

Customer = Mapping[str, object]

#: All of them are fictional.
CUSTOMERS: Sequence[Customer] = (
    {"id": 1, "customer_number": "123456", "name": "Anna Gruber", "tier": "gold", "balance": 2500},
    {"id": 2, "customer_number": "234567", "name": "Paul Hofer", "tier": "silver", "balance": 120.5},
    {
        "id": 3,
        "customer_number": "345678",
        "name": "Maria Berger",
        "company": "Berger GmbH",
        "tier": "gold",
        "balance": 900,
        "phone": "+43 664 1234567",
        "owner_extension": "1001",
    },
)


def find(customers: Sequence[Customer], asked: Mapping[str, str]) -> list[Customer]:
    """Return the customers that were asked for: by what was typed, else by the number that calls."""
    if "customer_input" in asked:
        field = asked.get("customer_input_field_name") or "customer_number"
        return [one for one in customers if str(one.get(field, "")) == asked["customer_input"]]
    number = line(asked.get("customer_id", ""))
    return [one for one in customers if number and line(str(one.get("phone", ""))) == number]


def line(number: str) -> str:
    """Return an Austrian number in one spelling: `0664 1234567` and `+43 664 1234567` are the same line."""
    digits = "".join(sign for sign in number if sign.isdigit())
    if number.startswith("+") or not digits.startswith("0"):
        return digits
    return digits[2:] if digits.startswith("00") else "43" + digits[1:]


def wanted(customer: Customer, field_name: str) -> Customer:
    """Return the fields that were asked for; all of them when none were named."""
    names = [name for name in field_name.split(",") if name]
    return {name: customer[name] for name in names if name in customer} if names else customer


def app(customers: Sequence[Customer] = CUSTOMERS) -> web.Application:
    """Return the middleware as a web application that answers at every path."""

    async def answer(request: web.Request) -> web.Response:
        asked = await request.json() if request.method == "POST" else request.query
        found = [wanted(one, asked.get("field_name", "")) for one in find(customers, asked)]
        print(request.method, request.path, json.dumps(dict(asked)), f"-> {len(found)} found", flush=True)
        if not found:
            return web.json_response({"found": False}, status=404)
        return web.json_response(found[0] if len(found) == 1 else found)

    application = web.Application()
    application.router.add_get("/{path:.*}", answer)
    application.router.add_post("/{path:.*}", answer)
    return application


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m demo.middleware", description="A small CRM for demonstrations.")
    parser.add_argument("--listen", default="127.0.0.1:8080", metavar="HOST:PORT")
    parser.add_argument("--records", type=Path, metavar="FILE", help="a JSON list of customers instead of the built-in")
    options = parser.parse_args()
    host, _, port = options.listen.rpartition(":")
    customers = json.loads(options.records.read_text(encoding="utf-8")) if options.records else CUSTOMERS
    web.run_app(app(customers), host=host, port=int(port), print=None, access_log=None)


if __name__ == "__main__":
    main()
