"""Queries that operators write: what is taken, what is refused, and what a value can never become."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing_engine.sql.statement import (
    OF_A_VALUE,
    OF_THE_CALLER,
    Kind,
    StatementFault,
    TableQuery,
    read_statement,
)
from routing_engine.sql.unknown import named_by_postgresql

KINDS: tuple[Kind, ...] = ("sqlite", "postgresql", "mysql")


def read(text: str, kind: Kind = "postgresql", known: tuple[str, ...] = OF_THE_CALLER) -> tuple[str, tuple[str, ...]]:
    statement = read_statement(text, kind, known, 51)
    return statement.text(lambda count: f"<{count}>"), statement.names


GOOD = [
    ("postgresql", "SELECT 1 WHERE a = :e164", "SELECT 1 WHERE a = <1>\nLIMIT 51", ("e164",)),
    ("postgresql", " select 1 where a in (:e164,:e164); ", "select 1 where a in (<1>,<2>)", ("e164", "e164")),
    ("postgresql", "WITH x AS (SELECT :digits::text) SELECT * FROM x", "(SELECT <1>::text)", ("digits",)),
    ("postgresql", "SELECT '12:30', ':x', E'\\':e164', :last8", "SELECT '12:30', ':x', E'\\':e164', <1>", ("last8",)),
    ("postgresql", "SELECT $$;:e164$$, $a$ ' $a$ WHERE a = :e164", "$$;:e164$$, $a$ ' $a$ WHERE a = <1>", ("e164",)),
    ("postgresql", "SELECT j ? 'a', j->>'b' WHERE a = :e164", "j ? 'a'", ("e164",)),
    ("sqlite", "SELECT 'it''s; --', [a;b], \"?\" WHERE x = :e164", "WHERE x = <1>", ("e164",)),
    ("mysql", "SELECT 'it\\'s; #', `a;b`, \"x\\\"?\" WHERE x = :e164", "WHERE x = <1>", ("e164",)),
    ("mysql", "SELECT `update`, `call` FROM x WHERE x = :e164", "WHERE x = <1>", ("e164",)),
    ("sqlite", "SELECT 1 FROM x WHERE a LIKE '%x%' AND b = :e164", "b = <1>", ("e164",)),
    ("sqlite", "SELECT 1 FROM x WHERE a LIKE '%' || :last8", "|| <1>", ("last8",)),
]


@pytest.mark.parametrize(("kind", "text", "part", "names"), GOOD)
def test_what_operators_write_is_taken(kind: Kind, text: str, part: str, names: tuple[str, ...]) -> None:
    found = read(text, kind)
    assert part in found[0]
    assert found[1] == names


@pytest.mark.parametrize("end", ["LIMIT 3", "limit 3 offset 1", "FETCH FIRST 3 ROWS ONLY"])
def test_a_query_with_a_limit_of_its_own_keeps_it(end: str) -> None:
    text = f"SELECT 1 WHERE a = :e164 {end}"
    assert read(text)[0] == text.replace(":e164", "<1>")


BAD: list[tuple[Kind, str, str]] = [
    ("postgresql", "", "begins with SELECT or WITH"),
    ("postgresql", "DELETE FROM x WHERE a = :e164", "begins with SELECT or WITH"),
    ("postgresql", "WITH x AS (DELETE FROM y RETURNING *) SELECT * FROM x WHERE a = :e164", "'DELETE' does not"),
    ("postgresql", "SELECT * INTO other FROM x WHERE a = :e164", "'INTO' does not"),
    ("mysql", "SELECT 1 WHERE a = :e164 INTO OUTFILE '/tmp/x'", "'INTO' does not"),
    ("mysql", "SELECT 1 WHERE a = :e164 FOR UPDATE", "'UPDATE' does not"),
    ("postgresql", "SELECT 1 WHERE a = :e164; DROP TABLE x", "more than one statement"),
    ("mysql", "SELECT 1 WHERE a = :e164 # AND b", "no comments"),
    ("mysql", "SELECT 1 /*! , 2 */ WHERE a = :e164", "no comments"),
    ("sqlite", "SELECT 1 WHERE a = :e164 -- AND b", "no comments"),
    ("postgresql", "SELECT 1 WHERE a = ':e164'", "within quotes is a text"),
    ("sqlite", "SELECT 1 WHERE a LIKE '%:last8'", "within quotes is a text"),
    ("postgresql", "SELECT 1 WHERE a = :e164 AND b = 'x", "a quote is not closed"),
    ("postgresql", "SELECT 1 WHERE a = $1", "'$1' is a parameter without a name"),
    ("sqlite", "SELECT 1 WHERE a = ?", "'?' is a parameter without a name"),
    ("postgresql", "SELECT 1 WHERE a = :phone", "':phone' is not a parameter here"),
    ("postgresql", "SELECT 1 WHERE a = :value", "':value' is not a parameter here"),
    ("postgresql", "SELECT 1 FROM x", "everybody would get the same rows"),
]


@pytest.mark.parametrize(("kind", "text", "said"), BAD)
def test_what_is_refused_is_said_with_a_remedy(kind: Kind, text: str, said: str) -> None:
    with pytest.raises(StatementFault) as caught:
        read(text, kind)
    assert said in caught.value.sentence
    assert caught.value.remedy


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "test", ["LIKE :value", "NOT LIKE '%' || :value", "like concat('%', :value, '%')", "REGEXP :value", "GLOB :value"]
)
def test_wildcards_of_a_caller_are_refused(kind: Kind, test: str) -> None:
    with pytest.raises(StatementFault, match="would be wildcards"):
        read(f"SELECT 1 FROM x WHERE a {test}", kind, OF_A_VALUE)


def test_patterns_of_postgresql_are_refused_too() -> None:
    with pytest.raises(StatementFault, match="would be wildcards"):
        read("SELECT 1 FROM x WHERE a ~* :value", known=OF_A_VALUE)
    assert read("SELECT 1 FROM x WHERE a LIKE 'x%' AND b = :value", known=OF_A_VALUE)[1] == ("value",)


def test_a_query_by_field_must_name_the_value() -> None:
    with pytest.raises(StatementFault, match="same rows"):
        read("SELECT 1 WHERE a = :e164", known=OF_A_VALUE)


@given(text=st.text(alphabet=st.sampled_from("'\"`;:e164 $-/*#\\[]?\n()"), max_size=30))
def test_whatever_stands_there_is_read_or_refused(text: str) -> None:
    for kind in KINDS:
        try:
            statement = read_statement(f"SELECT {text} = :e164", kind, OF_THE_CALLER, 51)
        except StatementFault:
            continue
        assert statement.text(lambda _: ":e164").startswith(f"SELECT {text.rstrip(';')}"[:7])
        assert len(statement.parts) == len(statement.names) + 1


@pytest.mark.parametrize("kind", KINDS)
@given(names=st.lists(st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=8), min_size=1))
def test_names_are_quoted_whatever_stands_in_them(kind: Kind, names: list[str]) -> None:
    mark = '"' if kind == "postgresql" else "`"
    text = TableQuery(kind, "t", tuple(names), 5).equal(["c"], 1).text()
    rest = text.removeprefix("SELECT ")
    for name in names:
        for part in name.split("."):
            quoted = mark + part.replace(mark, mark * 2) + mark
            assert rest.startswith(quoted)
            rest = rest.removeprefix(quoted).removeprefix(".").removeprefix(", ")
    assert rest.startswith(f" FROM {mark}t{mark} WHERE")


@pytest.mark.parametrize(
    ("said", "query", "position", "named"),
    [
        ('column "nam" does not exist', "SELECT nam FROM t", "8", "nam"),
        ("Spalte »nam« existiert nicht", "", "", "nam"),
        ("Spalte c.nam existiert nicht", "SELECT c.nam FROM t c", "8", "c.nam"),
        ("la colonne « nam » n'existe pas", "", "", "nam"),
        ("no word of it", "SELECT", "99", ""),
    ],
)
def test_postgresql_s_wrong_name_is_read_in_whatever_language(said: str, query: str, position: str, named: str) -> None:
    assert named_by_postgresql(said, query, position).strip() == named
