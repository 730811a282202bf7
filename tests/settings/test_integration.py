"""How an integration's numbers are searched and checked, and what of it is refused at load."""

from __future__ import annotations

import pytest

from routing_engine.config.load import configure
from routing_engine.settings.integration import FieldInfo, Model, read_models
from routing_engine.settings.yaml_reader import Problems, read_yaml
from tests.config.folders import PROVIDERS, problems_of, snapshot

FIELDS = {"id": "id", "phone": "tel", "mobile": "mob"}


def models_of(text: str) -> dict[str, Model]:
    notes = Problems("integrations/erp.yaml")
    section = read_yaml(text, notes)
    assert section is not None
    found = read_models(section)
    assert notes.problems == []
    return dict(found)


@pytest.mark.parametrize(
    ("text", "forms"),
    [
        ("", ("e164",)),
        ("number_form: national\n", ("national",)),
        ("number_form: last 8\n", ("last_8",)),
        ("number_form: [e164, national, last 6, last 15]\n", ("e164", "national", "last_6", "last_15")),
    ],
)
def test_every_model_has_the_spellings_of_its_integration(text: str, forms: tuple[str, ...]) -> None:
    models = models_of(f"{text}models: {{contact: {{}}, lead: {{}}}}")
    assert [model.forms for model in models.values()] == [forms, forms]


@pytest.mark.parametrize(
    ("text", "numbers"), [("", ()), ("numbers: phone", ("phone",)), ("numbers: [phone, mobile]", ("phone", "mobile"))]
)
def test_a_model_names_its_fields_that_hold_numbers(text: str, numbers: tuple[str, ...]) -> None:
    assert models_of(f"models: {{contact: {{{text}}}}}")["contact"].numbers == numbers


def test_the_field_that_is_searched_is_checked_too() -> None:
    model = Model("contact", FIELDS, None, ("phone",))
    assert [model.checked_fields(field) for field in ("", "phone", "mobile")] == [
        ("phone",),
        ("phone",),
        ("phone", "mobile"),
    ]


#: The spellings, `fields`, `numbers`, the field of the search, and whether strangers can be told apart.
SAFE = [
    (("e164",), FIELDS, (), "", True),
    (("last 8",), FIELDS, ("phone",), "", True),
    (("last 8",), FIELDS, (), "phone", True),
    (("last 8",), {}, (), "phone", True),
    (("last 8",), FIELDS, (), "fax", False),
    (("last 8",), FIELDS, (), "", False),
    (("e164", "last 8"), {}, (), "", False),
]


@pytest.mark.parametrize(("forms", "fields", "numbers", "field", "safe"), SAFE)
def test_last_digits_need_a_number_to_check(
    forms: tuple[str, ...], fields: dict[str, str], numbers: tuple[str, ...], field: str, safe: bool
) -> None:
    assert (Model("contact", fields, None, numbers, forms).why_unsafe(field) is None) is safe


INTEGRATION = "provider: fake\nnumber_form: [e164, last 8]\nmodels: {contact: {fields: {id: id, phone: tel}}}\n"
ROUTE = "sources:\n  - integration: erp\n    search: SEARCH\n    rules: [{to: {queue: a}}]\ndefault: {to: {queue: b}}\n"


def test_a_route_that_could_not_tell_strangers_is_refused_with_its_line() -> None:
    texts = {"integrations/erp.yaml": INTEGRATION, "routes/support.yaml": ROUTE.replace("SEARCH", "{by: caller}")}
    assert problems_of(texts) == [
        "3: 'number_form: last 8' finds strangers too, and the model 'contact' has no number to check; "
        "add numbers: [phone] to the model 'contact', with its fields that hold phone numbers"
    ]


@pytest.mark.parametrize("search", ["{field: phone, by: caller}", "{field: id, by: call.called}"])
def test_a_route_whose_hits_can_be_checked_or_need_no_check_is_taken(search: str) -> None:
    texts = {"integrations/erp.yaml": INTEGRATION, "routes/support.yaml": ROUTE.replace("SEARCH", search)}
    assert "support" in configure(snapshot(texts), PROVIDERS).routes


def test_a_field_may_have_a_label_a_type_and_be_hidden() -> None:
    debt = "{field: open_amount, label: Open amount, type: number, shown: false}"
    model = models_of(f"models: {{contact: {{fields: {{id: id, debt: {debt}}}}}}}")["contact"]
    assert model.fields == {"id": "id", "debt": "open_amount"}
    assert model.about == {"debt": FieldInfo("Open amount", "number", False)}


def test_what_is_said_of_a_field_may_leave_out_its_name() -> None:
    assert models_of("models: {contact: {fields: {city: {label: Town}}}}")["contact"].fields == {"city": "city"}
