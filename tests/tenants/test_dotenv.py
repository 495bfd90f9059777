"""Reading a .env as Symfony does, held against a second implementation of its rules; and writing what it reads back."""

import time
from functools import partial

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tenants.dotenv import MOST_REFERRED, BadDotenv, Unwritable, assignment, read
from tests.canary import find
from tests.factories import make_secret
from tests.tenants.exporting import error_page
from tests.tenants.symfony_dotenv import CommandError, Dotenv, FormatError

# What the rules turn on, and little else, so that they meet often.
PIECES = st.sampled_from(
    ["A", "B", "_C", "x", "0", "=", "A=", "B=", "\nA=", "\nB=", "\nexport ", "export A", "\n", "\r\n", "\r", " ", "\t"]
    + ["#", " #", "$", "$A", "$B", "${", "}", "${A}", "${A:-x}", "${B:=y}", "$(", "(", ")", "\\", "\\$", "\\\\", "\\n"]
    + ["'", '"', "\\'", '\\"', ":-", ":", "é", "\u00a0", "\x85", "\u2028", "\f", "\v", "-"]
)
TEXTS = st.lists(PIECES, max_size=14).map("".join)
VALUES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40) | TEXTS


@given(TEXTS | TEXTS.map("A=1\nB=".__add__))
@example("A=${B:-}")
@example("A=$:=x")
@example('A="\\\\\\"')
@example("A='x'#y #z")
@example("A=\\$(a()b)")
@example("A=\\$(a(b)c)$A")
@example("A=a$(b')'#c)d")
def test_both_read_the_same(text: str) -> None:
    symfony = Dotenv()
    try:
        expected = symfony.parse(text)
    except (FormatError, CommandError):
        with pytest.raises(BadDotenv):
            read(text)
        return
    if symfony.looked_up:  # what it is depends on more than this text
        with pytest.raises(BadDotenv):
            read(text)
    else:
        assert read(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A=1\nB=2\n", {"A": "1", "B": "2"}),
        ("# a comment\n\n  A=1 # another\n\t#\nexport\tB=2", {"A": "1", "B": "2"}),
        ("A=1\r\nB=2\rC=3", {"A": "1", "B": "2", "C": "3"}),
        ("A=\nB=  \nC=#x\nD= # x", {"A": "", "B": "", "C": "", "D": ""}),
        ("A=abc#def", {"A": "abc#def"}),
        ("A='a $B \\n \"c\" #d'", {"A": 'a $B \\n "c" #d'}),
        ("A='one\ntwo'", {"A": "one\ntwo"}),
        ('A="one\\ntwo\\r\\"\\$x\\\\"', {"A": 'one\ntwo\r"$x\\'}),
        ("A=a\\\\b", {"A": "a\\b"}),
        ("A=x\nB=$A${A}", {"A": "x", "B": "xx"}),
        ("A=\nB=${A:-y}", {"A": "", "B": "y"}),
        ("A=it\\'s", {"A": "it's"}),
        ("A='a'b\"c\"", {"A": "abc"}),
        ("A=1\nA=2", {"A": "2"}),
        ("_A1=x\nexport=1", {"_A1": "x", "export": "1"}),
        ("", {}),
    ],
)
def test_what_a_file_says(text: str, expected: dict[str, str]) -> None:
    assert read(text) == expected == Dotenv().parse(text)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("A=1\nB =2", 2, "no space may stand before ="),
        ("A= 1", 1, "no space may stand between = and the value"),
        ("A=1\n\n#\nB", 4, "no = follows"),
        ("1A=1", 1, "a variable's name was expected"),
        ("__A=1", 1, "a variable's name was expected"),
        ("\ufeffA=1", 1, "a variable's name was expected"),
        ("export A", 1, "nothing is set by “export” alone"),
        ("A=two words", 1, "must stand in quotes"),
        ("A='x", 1, "a quote (') is not closed"),
        ('A=1\nB="x\\"', 2, 'a quote (") is not closed'),
        ("A=$(id)", 1, "would run a command"),
        ('A="$(id)"', 1, "would run a command"),
        ("A=$(id", 1, "is not closed"),
        ("A=x$Bc", 1, "a variable that is not set above"),
        ("A=${A:-x}", 1, "a variable that is not set above"),
        ("A=x${A", 1, "a brace after $ is not closed"),
        ('A=\nB="${A:-\'}"', 2, "no quote, brace or $"),
        ("A=1\nB=x\0", 2, "NUL"),
    ],
)
def test_what_cannot_be_read_is_told_by_its_line(text: str, line: int, words: str) -> None:
    with pytest.raises(BadDotenv) as caught:
        read(text)
    assert caught.value.line == line
    assert words in str(caught.value)


def test_variables_may_come_to_so_much_and_no_more() -> None:
    text = f"A={'x' * 1000}\nB={'$A' * 100}\n" + "C=$B\n" * (MOST_REFERRED // 100_000 - 1)
    assert len(read(text)["C"]) == 100_000
    with pytest.raises(BadDotenv, match="^Line 12: its variables make it too large.$"):
        read(text + "D=$A")


def test_parentheses_are_as_deep_as_they_like() -> None:
    deep = 50_000
    assert read(f'A="$({"(" * deep}"')["A"] == f"$({'(' * deep}"
    assert read(f'A="\\$({"(" * deep}x{")" * deep})"')["A"] == f"$({'(' * deep}x{')' * deep})"
    with pytest.raises(BadDotenv, match="Line 1: .* would run a command"):
        read(f"A=$({'(' * deep}x{')' * deep})")


@pytest.mark.parametrize("piece", ["$(", "\\$(a)", "$(a", "()"])
def test_what_looks_like_commands_costs_no_more_than_it_is_long(piece: str) -> None:
    began = time.process_time()
    assert read(f'A="{piece * 100_000}"')["A"] == piece.replace("\\", "") * 100_000
    assert time.process_time() - began < 2


@pytest.mark.parametrize(
    "text",
    ["A={}x y", "A=x${}", "A=${{{}", "A='{}", 'A="{}', "{}", "{} ", "export {}", "A={}$(id)", "A=\nB=${{A:-{}$}}"],
)
def test_no_error_tells_anything_of_what_is_there(text: str) -> None:
    secret = "S" + make_secret().replace("-", "_")
    with pytest.raises(BadDotenv) as caught:
        read(text.format(secret))
    assert find({"secret": secret}, [("error", repr(caught.value).encode() + str(caught.value).encode())]) == []


@pytest.mark.parametrize("text", ['A="{}$(id)"', "A={} {}", "A={}$B", "A='{}", "A={}$(id"])
def test_no_error_page_shows_what_is_there(text: str) -> None:
    secret = make_secret()
    shown = error_page(partial(read, text.format(secret, secret)))
    assert "_refuse" in shown
    assert find({"secret": secret}, [("error page", shown.encode())]) == []


@given(VALUES)
@example("abc8Q~not.a_real-one")
@example('a b#c$D\\e"f')
@example("")
def test_what_is_written_is_read_back_or_refused(value: str) -> None:
    try:
        line = assignment("A", value)
    except Unwritable:
        assert "'" in value or "\r" in value or "\n" in value or value.endswith("\\")
        return
    assert read(line) == Dotenv().parse(line) == {"A": value}


@given(VALUES, VALUES, VALUES)
def test_no_value_reaches_into_the_next_line(first: str, second: str, third: str) -> None:
    try:
        lines = [assignment(name, value) for name, value in zip("ABC", (first, second, third), strict=True)]
    except Unwritable:
        return
    assert read("\n".join(lines)) == {"A": first, "B": second, "C": third}


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("abc8Q~not.a_real-one", "A=abc8Q~not.a_real-one"),
        ("https://mail.example.com/?page=home", "A=https://mail.example.com/?page=home"),
        ("", "A="),
        ("a&b@c,d!e^f*[g]%h+i", "A=a&b@c,d!e^f*[g]%h+i"),
        ("#begins", "A='#begins'"),
        ("a b", "A='a b'"),
        ("a$b", "A='a$b'"),
        ("a\\b", "A='a\\b'"),
        ('a"b', "A='a\"b'"),
        ("é", "A='é'"),
    ],
)
def test_quotes_stand_only_where_they_must(value: str, line: str) -> None:
    assert assignment("A", value) == line


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("it's", "holds a single quote"),
        ("a\nb", "holds a line break"),
        ("a\rb", "holds a line break"),
        ("a\0b", "holds a NUL"),
        ("a$\\", "ends in a backslash"),
    ],
)
def test_what_cannot_be_written_is_told_by_name_and_reason(value: str, reason: str) -> None:
    with pytest.raises(Unwritable, match=f"^OUTLOOK_CLIENT_SECRET: the value {reason}"):
        assignment("OUTLOOK_CLIENT_SECRET", value)
