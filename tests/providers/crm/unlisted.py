"""Two more of the CRMs that nobody here has named, for `test_unlisted`: their descriptions, and their answers."""

from __future__ import annotations

from aiohttp import web

reply = web.json_response
ANNA = "Anna Gruber"

# --------------------------------------------- Copper: fields of one's own, and mail, are searched in their own ways

COPPER = r"""
title: Copper
address: https://api.copper.com/developer_api/v1
auth:
  key:
    needs: {key: secret, user: text}
    headers: {X-PW-AccessToken: '{auth.key}', X-PW-Application: developer_api, X-PW-UserEmail: '{auth.user}'}
limits: {per_minute: 180}
models:
  person:
    fields:
      id: id
      name: name
      phone: phone_numbers.number
      email: emails.email
      tier: $.custom_fields[?@.custom_field_definition_id==7].value
      owner: owner.name
    search_names: {tier: own.7, email: emails}
    numbers: [phone]
next: {page: 20}
find_by_phone:
  - post: /people/search
    json: {phone_number: '{spelling}', page_size: '{limit}', page_number: '{page}'}
    spellings: ['{number.e164}', '{number.local}']
    each: {get: '/users/{found.assignee_id}', under: owner, errors: [{status: 403, then: no_record}]}
find_by_field:
  - post: /people/search
    when: {field: own.*}
    json: {custom_fields: [{custom_field_definition_id: "{field | after '.' | number}", value: '{value}'}]}
  - {post: /people/search, when: {field: emails}, json: {emails: ['{value}']}}
  - {post: /people/search, json: {'{field}': '{value}'}}
check: {get: /account}
"""
SEARCHES = [{"phone_number": "0664 1234567"}, {"emails": ["a@x.at"]}, {"name": ANNA}]
SEARCHES += [{"custom_fields": [{"custom_field_definition_id": 7, "value": "gold"}]}]
GOLD = [{"custom_field_definition_id": 7, "value": "gold"}]
NUMBERS, MAILS = [{"number": "0664 1234567", "category": "mobile"}], [{"email": "a@x.at"}]
PERSON = {"id": 5, "name": ANNA, "phone_numbers": NUMBERS, "emails": MAILS, "custom_fields": GOLD, "assignee_id": 9}


async def copper(request: web.BaseRequest, state: dict[str, str]) -> web.Response:
    """A list without anything around it. The engine's user may not look at other users."""
    assert (request.headers["X-PW-AccessToken"], request.headers["X-PW-UserEmail"]) == ("key", "me@x.at")
    if request.path != "/people/search":
        return reply({"success": False}, status=403 if request.path.startswith("/users/") else 200)
    asked = {name: value for name, value in (await request.json()).items() if not name.startswith("page_")}
    return reply([PERSON] if asked in SEARCHES else [])


# ---------------------------------------------------------- Twenty: a number and its country code stand side by side

TWENTY = r"""
title: Twenty
address: https://api.twenty.com/rest
auth: {token: {needs: {token: secret}, headers: {Authorization: 'Bearer {auth.token}'}}}
limits: {per_minute: 100}
models:
  person:
    fields:
      id: id
      name: name.firstName + name.lastName
      phone: phones.primaryPhoneCallingCode + phones.primaryPhoneNumber
      mobile: phones.additionalPhones.callingCode + phones.additionalPhones.number
    numbers: [phone, mobile]
records: data.people
next: {cursor: pageInfo.endCursor, more: pageInfo.hasNextPage}
find_by_phone:
  - get: /people
    query:
      filter: 'phones.additionalPhones[like]:"{number.significant | like_digits}%"'
      starting_after: '{cursor}'
"""
MORE = [{"number": "30 5550123", "callingCode": "+49"}, {"number": "664 1234567", "callingCode": "+43"}]
PHONE = {"primaryPhoneNumber": "1 5550123", "primaryPhoneCallingCode": "+43", "additionalPhones": MORE}


async def twenty(request: web.BaseRequest, state: dict[str, str]) -> web.Response:
    """Two records side by side: that of the caller, and one whose codes and numbers lie the other way round."""
    wanted = request.query["filter"].partition("%")[2].strip('%"').split("%")
    other = {**PHONE, "additionalPhones": [{"number": "664 1234567", "callingCode": "+41"}]}
    people = [("1", "Anna", PHONE), ("2", "Zita", other)] if "".join(wanted) == "6641234567" else []
    rows = [
        {"id": number, "name": {"firstName": name, "lastName": "Gruber"}, "phones": one} for number, name, one in people
    ]
    return reply({"data": {"people": rows}, "pageInfo": {"hasNextPage": False, "endCursor": "2"}})
