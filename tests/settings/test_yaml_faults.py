"""YAML as people write it: quotes of other languages, marks that nobody sees, tabs, quotes that stay open."""

from __future__ import annotations

import pytest

from routing_engine.settings.yaml_reader import Problems, read_yaml


def problems(text: str) -> list[str]:
    notes = Problems("routes/support.yaml")
    read_yaml(text, notes)
    return [f"{one.line}: {one.sentence}; {one.remedy}" for one in notes.problems]


# ------------------------------------------------------------------------------------------- typographic quotes


@pytest.mark.parametrize(
    "value",
    ["“gold”", "‘gold’", "„gold“", "„gold”", "»gold«", "«gold»", "‹gold›", "「gold」", "”gold”", "´gold´", '“gold"'],
)
@pytest.mark.parametrize(
    "text", ["a: 1\ntier: {}\n", "a: 1\nwhen: {{tier: {}}}\n", "a: 1\ntier: [silver, {}]\n", "a:\n- {}\n"]
)
def test_quotes_of_any_language_around_a_value_are_named_with_their_line(text: str, value: str) -> None:
    (found,) = problems(text.format(value))
    assert found.startswith(f"2: the quotes {value[0]} {value[-1]} are a part of this value")


def test_a_key_in_typographic_quotes_is_named() -> None:
    assert problems("“tier”: gold\n")[0].startswith("1: the quotes “ ” are a part of this value")


def test_typographic_quotes_that_a_comma_divides_are_named() -> None:
    assert problems("when: {company: {one_of: [“Smith, Sons”, x]}}\n") == [
        "1: the quote “ does not keep a text with a comma together; write ' or \" around the text"
    ]


@pytest.mark.parametrize(
    "value",
    [
        "Anna’s desk",
        "the “gold” ones",
        "“Gold” customers",
        "our “best”",
        "’s-Hertogenbosch",
        "rock ’n’ roll",
        "'“gold”'",
        "”",
    ],
)
def test_an_apostrophe_and_quotes_within_a_text_are_nothing_to_remark(value: str) -> None:
    assert problems(f"name: {value}\nnames: [{value}, x]\n") == []


# ------------------------------------------------------------------------------------------- what nobody sees


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("tier: go\u200bld\n", "nobody sees (U+200B, zero width space)"),
        ("tier: 'gold\u200b'\n", "nobody sees (U+200B"),
        ("tier: gold\u2060\n", "nobody sees (U+2060"),
        ("tier: \ufeffgold\n", "nobody sees (U+FEFF"),
        ("tier: \u202agold\u202c\n", "nobody sees (U+202A"),
        ("tier: gold\u200e\n", "nobody sees (U+200E"),
        ("tier: gold\u00a0\n", "looks like a space (U+00A0, no-break space)"),
        ("tier: \u00a0gold\n", "looks like a space (U+00A0"),
        ("tier:\u00a0gold\n", "looks like a space (U+00A0"),
        ("\u00a0\u00a0tier: gold\n", "looks like a space (U+00A0"),
        ("tiers: [gold\u202f, silver]\n", "looks like a space (U+202F"),
    ],
)
def test_a_character_that_nobody_sees_is_named(text: str, part: str) -> None:
    assert part in "\n".join(problems(f"a: 1\n{text}"))
    assert problems(f"a: 1\n{text}")[0].startswith("2: ")


@pytest.mark.parametrize("value", ["Bonjour\u00a0!", "می\u200cخواهم", "👩\u200d💻", "Müller", "日本"])
def test_what_a_language_needs_is_no_fault(value: str) -> None:
    assert problems(f"say: {value}\n") == []


def test_a_character_that_is_written_as_an_escape_is_meant() -> None:
    assert problems('a: "\\u200bgold\\u202e\\u00a0"\n') == []


# ------------------------------------------------------------------------------------------- anchors


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("when: {company: &Sons GmbH}\n", 1),
        ("a: 1\ncompany: &Sons GmbH\n", 2),
        ("a: 1\ncompany: &Sons\n", 2),
        ("a: 1\nnames: [x, &Sons GmbH]\n", 2),
        ("a: 1\nnames:\n- x\n- &Sons 'GmbH'\n", 4),
    ],
)
def test_a_text_that_begins_with_an_ampersand_is_named(text: str, line: int) -> None:
    sentence = "the & makes a name of the word behind it, and the value is only the rest; put the whole text in quotes"
    assert problems(text) == [f"{line}: {sentence}"]


def test_each_ampersand_of_a_file_is_named_also_with_the_same_word() -> None:
    assert [one[:5] for one in problems("a: &Sons GmbH\nb: &Sons GmbH\nc: [&Sons x]\n")] == ["1: th", "2: th", "3: th"]


@pytest.mark.parametrize("text", ["a: & Sons\n", "a: &Söhne GmbH\n", "a: &\n", "a: * x\n"])
def test_an_ampersand_that_is_no_yaml_is_named(text: str) -> None:
    assert problems(text) == [
        "1: this is not YAML: a text cannot begin with & or *, which mean something else here; put the text in quotes"
    ]


def test_an_anchor_that_is_meant_as_one_stays() -> None:
    assert problems("default: &far {to: {queue: x}}\nsources: &all\n- x\n") == []


def test_an_anchor_of_the_same_name_twice_is_named() -> None:
    assert problems("a: &far {b: 1}\nc: &far {d: 1}\n") == [
        "2: the name &far stands here twice; remove it: aliases are not used here"
    ]


@pytest.mark.parametrize("text", ["a: '&Sons GmbH'\n", "a: Smith & Sons\n", "a: Smith &Sons\n"])
def test_an_ampersand_in_quotes_or_within_a_text_is_a_text(text: str) -> None:
    assert problems(text) == []


# ------------------------------------------------------------------------------------------- what is no YAML


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a:\n\tb: 1\n", "2: this is not YAML: this line is indented with a tab; write spaces, two for each level"),
        ("a:\n  b: 1\n\tc: 2\n", "3: this is not YAML: this line is indented with a tab"),
        ("a:\n \tb: 1\n", "2: this is not YAML: this line is indented with a tab"),
        ("a:\n  - b\n\t- c\n", "3: this is not YAML: this line is indented with a tab"),
        ("a: |\n\tx\n", "2: this is not YAML: this line is indented with a tab"),
        ("a:\r\n\tb: 1\r\n", "2: this is not YAML: this line is indented with a tab"),
        ("a: 1\nb: 'gold\nc: 2\n", "2: this is not YAML: the quote that opens on this line is never closed"),
        ('a: 1\nb: "gold\nc: 2\n', "2: this is not YAML: the quote that opens on this line is never closed"),
        ("a: 1\nb: ['gold, x]\nc: 2\n", "2: this is not YAML: the quote that opens on this line is never closed"),
        (
            "a: 1\nb: 'gold\nc: 'x'\nd: 2\n",
            "2: this is not YAML: the quote that opens on this line is closed only on line 3",
        ),
        (
            'a: {b: "gold, c: 2}\nd: "x"\n',
            "1: this is not YAML: the quote that opens on this line is closed only on line 2",
        ),
        ("a: 1\nb: 'it's'\n", "2: this is not YAML: something follows behind the quote that closes a text"),
        ('b: "x" y\n', "1: this is not YAML: something follows behind the quote that closes a text"),
        ('b: "\\d+"\n', '1: this is not YAML: within "..." a \\ begins a special character'),
        ("a: {x: 1\nb: 3\n", "2: this is not YAML: the { that opens on line 1 is not closed before this"),
        ("a: [1, 2\nb: 3\n", "2: this is not YAML: the [ that opens on line 1 is not closed before this"),
        (
            "a: 1\n---\nb: 2\n",
            "2: this is not YAML: a second document begins here, behind '---' or '...'; write it into",
        ),
        ("a: 1\n...\nb: 2\n", "3: this is not YAML: a second document begins here"),
        ("a: 1\nb: @x\n", "2: this is not YAML: a text cannot begin with @; put the text in quotes"),
        ("a: 1\nb: %x\n", "2: this is not YAML: a text cannot begin with %"),
        ("a: 1\nb: c: d\n", "2: this is not YAML: a second ': ' stands on this line"),
        ("a: 1\nb: x\x00\n", "2: this is not YAML: control characters are not allowed"),
    ],
)
def test_what_is_no_yaml_is_named_where_it_begins(text: str, found: str) -> None:
    (problem,) = problems(text)
    assert problem.startswith(found)


@pytest.mark.parametrize("text", ["a:\tx\n", "a: x\t\n", "a: [x,\n\ty]\n", "a: 'x\n\ty'\n", "a: 'it''s'\n"])
def test_a_tab_that_indents_nothing_and_a_doubled_quote_are_no_faults(text: str) -> None:
    assert problems(text) == []


def test_no_problem_holds_a_value() -> None:
    texts = ("key: “s3cret”\n", "key: &s3cret x\n", "key: 's3cret\n", "key: s3cret\u200b\n", "key: @s3cret\n")
    assert not any("s3cret" in one for text in texts for one in problems(text))
