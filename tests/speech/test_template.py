"""A command's words, and what a text becomes before a synthesiser gets it."""

import pytest

from routing_engine.settings.speech import read_command
from routing_engine.speech.template import fill, masked, speakable, uses

TEXTS = [
    ("Good morning", "Good morning"),
    ("  two\n lines\t", "two lines"),
    ("a\0b\x01c\x1bd", "a b c d"),
    ("[[h@l'oU]] Ann", "h@l'oU Ann"),
    ("<speak>Ann</speak>", "speak Ann /speak"),
    (r"\pause=9\ Ann", "pause=9 Ann"),
    ("Müller & Söhne", "Müller & Söhne"),
    ("-5 degrees", "-5 degrees"),
    ("half \ud83d of one", "half of one"),
    ("", ""),
    (" - ... ? ", ""),
    ("x" * 600, "x" * 500),
]
REFUSED = [
    ("", "must begin with a program"),
    ("{text}", "must begin with a program"),
    ("say 'Ann", "no closing quotation"),
    ("say {words}", "no placeholder {words}"),
    ("say -H ${TOKEN}", "no placeholder {TOKEN}"),
    ("sh -c 'say {text}'", "would be run"),
    ("bash -lc 'say {text}'", "would be run"),
    ("sh -ec 'say {text}'", "would be run"),
    ("env bash -xc 'say {text}'", "would be run"),
    ("/usr/bin/env -i /bin/dash -c -- 'say {text}'", "would be run"),
    ("bash -o pipefail -c 'say {text}'", "would be run"),
    ("bash -c -o pipefail {text}", "would be run"),
    ("bash -co pipefail 'say {text}'", "would be run"),
    ("bash -c -x {text}", "would be run"),
    ("env -S 'bash -c {text}'", "would be run"),
    ("nice -n 5 busybox sh -c 'say {text_json}'", "would be run"),
    ("docker exec voice sh -c 'say {text_json}'", "would be run"),
    ("python3 -c 'say({text_json})'", "would be run"),
    ("perl -pe 's/x/{text}/'", "would be run"),
    ("perl -e'say({text_json})'", "would be run"),
    ("gawk 'say({text_json})'", "would be run"),
    ("node --eval 'say({text_json})'", "would be run"),
    ("ssh voice.example say {text}", "would be run"),
    ("su voice -s say {text}", "would be run"),
    ("sudo -u voice say {text}", "would be run"),
    ("script -qc 'say {text}' /dev/null", "would be run"),
    ("bash", "would run the text"),
    ("env /bin/sh", "would run the text"),
    ("""cloud -d '{"input": "{text}"}'""", "would end the quotes"),
]
HOSTILE = ["-v fr", "--path=/etc", "@/etc/passwd", "file:///etc/passwd", "$(touch x)", "`touch x`", "a'b\"c", "{file}"]


@pytest.mark.parametrize(("text", "said"), TEXTS)
def test_a_text_becomes_one_line_without_markup(text, said):
    assert speakable(text) == said


@pytest.mark.parametrize(("line", "sentence"), REFUSED)
def test_a_command_in_which_a_text_could_be_more_than_text_is_refused(line, sentence):
    with pytest.raises(ValueError, match=sentence):
        read_command(line)


def test_a_command_is_split_once_with_the_rules_of_a_shell_and_no_shell():
    assert read_command("say --name 'Big Ben' $HOME *.wav") == ("say", "--name", "Big Ben", "$HOME", "*.wav")


@pytest.mark.parametrize(
    "line",
    [
        """sh -c 'say "$1" | sox - "$2"' - {text} {file}""",
        "bash -lc 'say -f /dev/stdin'",
        "bash /opt/say.sh {text}",
        "python3 /opt/say.py --text {text}",
        "python3 -S /opt/say.py -e {text}",
        "python3 -c 'import sys, voice; voice.say(sys.argv[1])' {text}",
        """curl -sS --json '{"voice": "{voice}", "input": {text_json}}' --output {file} https://speech.example.com/v1""",
        "piper --sentence-silence 0 -f {file}",
        "ssh voice.example say",
    ],
)
def test_a_command_that_hands_the_text_over_as_a_text_may_be_used(line):
    assert read_command(line)


@pytest.mark.parametrize("text", HOSTILE)
def test_a_text_stays_one_word_that_begins_with_a_space(text):
    words = fill(read_command("say {text} --text={text}"), {"text": text})
    assert words == ["say", f" {text}", f"--text= {text}"]


def test_a_text_in_json_is_whole_with_its_quotes():
    words = fill(read_command("""cloud -d '{"input": {text_json}}'"""), {"text": 'Ann "x" {voice}'})
    assert words == ["cloud", "-d", r'{"input": "Ann \"x\" {voice}"}']


def test_a_command_tells_what_it_uses():
    command = read_command("say -v {voice} -o{file}")
    assert uses(command, "file", "text")
    assert not uses(command, "text", "text_file", "text_json")


COMPLAINTS = [
    ("cannot say Müller-Schmidt today", "Anna Müller-Schmidt", "cannot say * today"),
    ("400 for q=Anna+M%C3%BCller&k=1", "Anna Müller", "400 for *"),
    ('{"input":"M\\u00fcller"} refused', "Müller", "* refused"),
    ("bad: MÃ¼LLER.", "Müller", "bad: *"),
    ("no quota", "Anna", "no quota"),
    ("order 4711 late", "Order 4711 is late.", "* * *"),
    ("line\none", "Anna", "line one"),
    ("word " * 100, "Anna", ("word " * 100)[:200]),
]


@pytest.mark.parametrize(("said", "text", "shown"), COMPLAINTS)
def test_a_complaint_is_shown_without_the_words_of_the_text(said, text, shown):
    assert masked(said, text) == shown
