"""Seven more of the CRMs that nobody here has named, for `test_unlisted`: their descriptions, and their answers."""

from __future__ import annotations

import base64
import json
import re

from aiohttp import web

from .standin import digits

reply = web.json_response
ANNA = "Anna Gruber"

# -------------------------------------------------------------- Close: a query as a tree, keys as the user of Basic

CLOSE = r"""
title: Close
address: https://api.close.com/api/v1
auth:
  key: {needs: {key: secret}, headers: {Authorization: "Basic {auth.key | basic ''}"}}
models:
  contact:
    fields: {id: id, name: name, phone: phones.phone, email: emails.email, lead: lead_id}
    numbers: [phone]
    record_url: 'https://app.close.com/lead/{record.lead}/'
errors:
  - {status: 429, then: throttled, wait_path: error.rate_reset}
records: data
next: {cursor: cursor}
find_by_phone:
  - post: /data/search/
    json:
      _limit: '{limit}'
      cursor: '{cursor}'
      _fields: {contact: [id, name, phones, emails, lead_id]}
      query:
        type: and
        queries:
          - {type: object_type, object_type: contact}
          - type: has_related
            this_object_type: contact
            related_object_type: contact_phone
            related_query:
              type: field_condition
              field: {type: regular_field, object_type: contact_phone, field_name: phone}
              condition: {type: text, mode: full_words, value: '{number.e164}'}
check: {get: /me/}
"""


async def close(request: web.BaseRequest, state: dict[str, str]) -> web.Response:
    """The key is the user, and the password is empty."""
    if request.headers.get("Authorization") != "Basic " + base64.b64encode(b"key:").decode():
        return reply({"error": "Unauthorized"}, status=401)
    if "throttled" in state:
        return reply({"error": {"rate_reset": 12.5, "rate_limit": 60}}, status=429)
    if request.path == "/me/":
        return reply({"id": "user_1"})
    asked = await request.json()
    (kind, related) = asked["query"]["queries"]
    assert (kind["object_type"], asked.get("cursor")) == ("contact", None)
    wanted = related["related_query"]["condition"]["value"]
    one = {"id": "cont_1", "name": ANNA, "phones": [{"phone": "+436641234567", "type": "mobile"}], "lead_id": "lead_7"}
    return reply({"data": [one] if wanted == "+436641234567" else [], "cursor": None})


# ---------------------------------------------------- ERPNext (Frappe): filters as JSON text, numbers in a child table

ERPNEXT = r"""
title: ERPNext
settings: {site: {example: acme.erpnext.com}}
address: https://{settings.site}/api
auth:
  key: {needs: {key: text, secret: secret}, headers: {Authorization: 'token {auth.key}:{auth.secret}'}}
models:
  contact:
    doctype: Contact
    fields: {id: name, name: full_name, phone: phone, mobile: mobile_no, company: company_name}
    numbers: [phone, mobile]
record_url: 'https://{settings.site}/app/contact/{record.id}'
error_code: exc_type
records: data
next: {offset: 20}
find_by_phone:
  - get: /resource/{model.doctype}
    query:
      filters: [['Contact Phone', phone, like, '%{number.digits | last 7 | text}']]
      fields: '{fields | json}'
      limit_start: '{offset}'
      limit_page_length: '{limit}'
check: {get: /method/frappe.auth.get_logged_user}
"""


async def erpnext(request: web.BaseRequest, state: dict[str, str]) -> web.Response:
    """What a filter ends with is compared as text: numbers are kept without spaces here."""
    if request.headers.get("Authorization") != "token me:key":
        return reply({"exc_type": "AuthenticationError"}, status=401)
    if request.path.startswith("/method/"):
        return reply({"message": "me@x.at"})
    ((table, field, how, value),) = json.loads(request.query["filters"])
    assert (table, field, how, value[0]) == ("Contact Phone", "phone", "like", "%")
    assert {"name", "full_name", "company_name"} <= set(json.loads(request.query["fields"]))
    row = {"name": "CON-1", "full_name": ANNA, "phone": "", "mobile_no": "06641234567", "company_name": "Acme"}
    there = "06641234567".endswith(value[1:]) and request.query["limit_start"] == "0"
    return reply({"data": [row] if there else []})


# ----------------------------------------------------------- Attio: every value is a list, ids are objects of three ids

ATTIO = r"""
title: Attio
address: https://api.attio.com/v2
auth: {token: {needs: {token: secret}, headers: {Authorization: 'Bearer {auth.token}'}}}
models:
  person:
    object: people
    fields:
      id: id.record_id
      name: values.name.full_name
      phone: values.phone_numbers.normalized_phone_number
      page: web_url
    numbers: [phone]
record_url: '{record.page}'
error_code: code
records: data
find_by_phone:
  - post: /objects/{model.object}/records/query
    json: {filter: {phone_numbers: '{number.e164}'}, limit: '{limit}'}
check: {get: /self}
"""


async def attio(request: web.BaseRequest, state: dict[str, str]) -> web.Response:
    """A filter by a number takes E.164 alone."""
    if request.headers.get("Authorization") != "Bearer key":
        return reply({"code": "unauthorized"}, status=401)
    if request.path == "/self":
        return reply({"active": True})
    wanted = (await request.json())["filter"]["phone_numbers"]
    values = {
        "name": [{"full_name": ANNA}],
        "phone_numbers": [{"normalized_phone_number": "+436641234567", "country_code": "AT"}],
    }
    ids = {"workspace_id": "w", "object_id": "o", "record_id": "r1"}
    one = {"id": ids, "web_url": "https://app.attio.com/acme/person/r1", "values": values}
    return reply({"data": [one] if wanted == "+436641234567" else []})


# --------------------------------------------------- Teamleader Focus: lists are asked by POST, details one by one

TEAMLEADER = r"""
title: Teamleader Focus
address: https://api.focus.teamleader.eu
auth: {token: {needs: {token: secret}, headers: {Authorization: 'Bearer {auth.token}'}}}
limits: {per_minute: 200}
models:
  contact:
    fields: {id: id, name: first_name + last_name, phone: telephones.number, page: web_url, company: company.name}
    numbers: [phone]
record_url: '{record.page}'
error_code: $.errors[0].code
records: data
next: {page: 20}
find_by_phone:
  - post: /contacts.list
    json: {filter: {term: '{spelling}'}, page: {size: '{limit}', number: '{page}'}}
    spellings: ['{number.e164}', '{number.national}']
    each:
      - {post: /contacts.info, json: {id: '{found.id}'}, record: data}
      - post: /companies.info
        when: {companies: any}
        json: {id: '{found.companies.company.id}'}
        record: data
        under: company
        errors: [{status: 403, then: no_record}]
check: {post: /users.me}
"""


async def teamleader(request: web.BaseRequest, state: dict[str, str]) -> web.Response:
    """The list has no companies, and this user may not look at them."""
    if request.headers.get("Authorization") != "Bearer key":
        return reply({"errors": [{"code": 0, "title": "Unauthorized"}]}, status=401)
    asked = await request.json() if request.can_read_body else {}
    one = {"id": "c1", "first_name": "Anna", "last_name": "Gruber", "web_url": "https://focus.teamleader.eu/c1"}
    if request.path == "/contacts.list":
        there = digits(asked["filter"]["term"]) == "06641234567" and asked["page"]["number"] == 1
        return reply({"data": [one] if there else []})
    if request.path == "/contacts.info":
        numbers = [{"type": "phone", "number": "01 5550123"}, {"type": "mobile", "number": "0664 1234567"}]
        return reply({"data": {**one, "telephones": numbers, "companies": [{"company": {"id": "k1"}}]}})
    return reply({"errors": [{"code": 403}]}, status=403 if request.path == "/companies.info" else 200)


# ------------------------------------------------------------- Dolibarr: SQL of its own, and 404 where there is nobody

DOLIBARR = r"""
title: Dolibarr
settings: {site: {example: erp.example.com}}
address: https://{settings.site}/api/index.php
auth: {key: {needs: {key: secret}, headers: {DOLAPIKEY: '{auth.key}'}}}
models:
  contact:
    fields: {id: id, name: firstname + lastname, phone: phone_pro, mobile: phone_mobile, company: socname}
    numbers: [phone, mobile]
record_url: 'https://{settings.site}/contact/card.php?id={record.id}'
errors: [{status: 404, then: no_record}]
error_code: error.code
find_by_phone:
  - get: /contacts
    query:
      sqlfilters: "(t.phone_pro:like:'{spelling | sql}') or (t.phone_mobile:like:'{spelling | sql}')"
      limit: '{limit}'
    spellings: ['{number.e164}', '{number.national}', '{number.local}']
check: {get: /status}
"""
SQLFILTER = re.compile(r"\(t\.phone_pro:like:'([^']*)'\) or \(t\.phone_mobile:like:'\1'\)")


async def dolibarr(request: web.BaseRequest, state: dict[str, str]) -> web.Response:
    """Nobody is an error with status 404."""
    if request.headers.get("DOLAPIKEY") != "key":
        return reply({"error": {"code": 401, "message": "Unauthorized"}}, status=401)
    if request.path == "/status":
        return reply({"success": {"code": 200}})
    asked = SQLFILTER.fullmatch(request.query["sqlfilters"])
    assert asked is not None
    if asked[1] != "0664 1234567":
        return reply({"error": {"code": 404, "message": "Not Found: No contact found"}}, status=404)
    row = {"id": "9", "firstname": "Anna", "lastname": "Gruber", "phone_pro": None, "phone_mobile": "0664 1234567"}
    return reply([row | {"socname": "Acme"}])


# ---------------------------------------------------------------- Insightly: one field in one request, capital names

INSIGHTLY = r"""
title: Insightly
settings: {pod: {example: na1, pattern: '[a-z]{2}[0-9]+'}}
address: https://api.{settings.pod}.insightly.com/v3.1
auth: {key: {needs: {key: secret}, headers: {Authorization: "Basic {auth.key | basic ''}"}}}
limits: {per_second: 10}
models:
  contact:
    fields: {id: CONTACT_ID, name: FIRST_NAME + LAST_NAME, phone: PHONE, mobile: PHONE_MOBILE}
    numbers: [phone, mobile]
record_url: 'https://crm.{settings.pod}.insightly.com/details/contact/{record.id}'
next: {offset: 20}
find_by_phone:
  - get: /Contacts/Search
    query: {field_name: PHONE_MOBILE, field_value: '{spelling}', top: '{limit}', skip: '{offset}'}
    spellings: ['{number.e164}', '{number.local}']
  - get: /Contacts/Search
    query: {field_name: PHONE, field_value: '{spelling}', top: '{limit}', skip: '{offset}'}
    spellings: ['{number.e164}', '{number.local}']
check: {get: /Instance}
"""


async def insightly(request: web.BaseRequest, state: dict[str, str]) -> web.Response:
    """Compared is the whole text of one field."""
    if request.headers.get("Authorization") != "Basic " + base64.b64encode(b"key:").decode():
        return reply([], status=401)
    row = {"CONTACT_ID": 3, "FIRST_NAME": "Anna", "LAST_NAME": "Gruber", "PHONE": "0664 1234567", "PHONE_MOBILE": None}
    asked = request.query
    there = asked.get("field_name") == "PHONE" and asked["field_value"] == row["PHONE"] and asked["skip"] == "0"
    return reply([row] if there else [])


# ------------------------------------------------------------- Zammad: a search index, its own word before the token

ZAMMAD = r"""
title: Zammad
settings: {site: {example: support.example.com}}
address: https://{settings.site}/api/v1
auth: {token: {needs: {token: secret}, headers: {Authorization: 'Token token={auth.token}'}}}
models:
  user:
    fields: {id: id, name: firstname + lastname, phone: phone, mobile: mobile, organization: organization}
    numbers: [phone, mobile]
record_url: 'https://{settings.site}/#user/profile/{record.id}'
find_by_phone:
  - get: /users/search
    query: {query: 'phone:{spelling | lucene} OR mobile:{spelling | lucene}', limit: '{limit}', expand: true}
    spellings: ['{number.e164}', '{number.digits}', '{number.national}', '{number.local}']
check: {get: /users/me}
"""


async def zammad(request: web.BaseRequest, state: dict[str, str]) -> web.Response:
    """Found is what has the whole phrase; `expand` puts names in the place of ids."""
    if request.headers.get("Authorization") != "Token token=key":
        return reply({"error": "authentication failed"}, status=401)
    if request.path == "/users/me":
        return reply({"id": 1})
    assert request.query["expand"] == "true"
    phrases = set(re.findall(r'(?:phone|mobile):"([^"]*)"', request.query["query"]))
    row = {"id": 4, "firstname": "Anna", "lastname": "Gruber", "phone": "", "mobile": "436641234567"}
    return reply([{**row, "organization": "Acme"}] if phrases == {"436641234567"} else [])
