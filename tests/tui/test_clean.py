import pytest
from msgspec import Struct
from rich.segment import Segment
from textual.color import Color

from tui.clean import BLOCK_CAP, LINE_CAP, REPLACEMENT, Guard, as_content, clean, clean_block, clean_record

R = REPLACEMENT


@pytest.mark.parametrize(
    ("raw", "safe"),
    [
        ("plain text", "plain text"),
        ("", ""),
        ("größer 日本語 😀", "größer 日本語 😀"),
        ("[bold]markup[/] [/", "[bold]markup[/] [/"),
        ("tab\tnewline\nreturn\r", "tab newline return "),
        ("\x1b]52;c;aGFjaw==\x07", f"{R}]52;c;aGFjaw=={R}"),
        ("\x1b[2Jgone", f"{R}[2Jgone"),
        ("c1 \x9b31m \x90", f"c1 {R}31m {R}"),
        ("\x00\x08\x7f", R * 3),
        ("\u202egnp.exe", f"{R}gnp.exe"),
        ("\u2066a\u2069", f"{R}a{R}"),
        ("zero\u200bwidth\u200d", f"zero{R}width{R}"),
        ("\ud800lone", f"{R}lone"),
        ("\ue000private", f"{R}private"),
        ("tag\U000e0041", f"tag{R}"),
        ("\ufefftext", f"{R}text"),
        ("blank\u3164", f"blank{R}"),
        ("e\u0301", "e\u0301"),
        ("a" + "\u0301" * 50, "a" + "\u0301" * 3),
        ("\u0301start", "start"),
        ("line\u2028sep\u2029", "line sep "),
    ],
)
def test_a_line_is_safe_to_draw_and_still_readable(raw, safe):
    assert clean(raw) == safe


def test_an_absurd_length_is_cut_and_says_so():
    cut = clean("x" * 10_000)
    assert len(cut) == LINE_CAP
    assert cut.endswith("…")
    assert clean("x" * LINE_CAP) == "x" * LINE_CAP


@pytest.mark.parametrize("raw", ["\x1b" * 100, "a\u0301" * 500, "\ud800" * 5000, "\u202e\u0000" * 300])
def test_what_was_cleaned_is_clean(raw):
    once = clean(raw)
    assert clean(once) == once
    once.encode()


def test_a_block_keeps_its_end_and_cleans_each_line():
    assert clean_block("a\x1b[1m\r\nb\rc\n") == [f"a{R}[1m", "b", "c", ""]
    long = clean_block("old\n" * BLOCK_CAP + "the end")
    assert long[-1] == "the end"
    assert sum(map(len, long)) <= BLOCK_CAP


class Inner(Struct, frozen=True):
    text: str


class Outer(Struct, frozen=True):
    number: int
    text: str
    maybe: str | None
    names: tuple[str, ...]
    inner: tuple[Inner, ...]


def test_a_record_is_cleaned_through_and_through():
    record = Outer(1, "\x1b", None, ("ok", "\x07"), (Inner("\x9b"),))
    assert clean_record(record) == Outer(1, R, None, ("ok", R), (Inner(R),))


def test_a_clean_record_is_handed_on_as_it_is():
    record = Outer(1, "fine", None, ("größer",), (Inner("ok"),))
    assert clean_record(record) is record


def test_content_takes_brackets_as_brackets():
    assert as_content("[/]\x1b[bold").plain == f"[/]{R}[bold"


def test_the_guard_lets_nothing_out_that_a_terminal_obeys():
    segments = [Segment("fine"), Segment("a\x1b]0;title\x07b\x9b\u202e"), Segment("\n")]
    out = Guard().apply(segments, Color.parse("black"))
    assert [segment.text for segment in out] == ["fine", f"a{R}]0;title{R}b{R}{R}", "\n"]


def test_the_guard_leaves_clean_lines_alone():
    segments = [Segment("größer 日本語 │ ▁▂▃")]
    assert Guard().apply(segments, Color.parse("black")) is segments
