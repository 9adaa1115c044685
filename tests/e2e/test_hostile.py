"""A hundred hostile texts in every place where text that we did not write can stand, in every list, in what is read
out and in what verbs print: no byte of theirs reaches the terminal as anything but text, and it is there to be seen."""

import signal
import subprocess

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.e2e.hostile_home import EVERY, NEXT_PAGE, PAGE_BEFORE, SIZES, Full, Shown
from tests.hostile import HOSTILE, PAYLOADS, forbidden, marks
from tui.clean import BLOCK_CAP, LINE_CAP, clean, clean_block, clean_whole


@pytest.fixture
def full(desk):
    made = Full(desk)
    yield made
    made.close()


@pytest.fixture
def pty(desk):
    opened = []

    def open_one(*flags, size=(120, 34)):
        opened.append(Shown([*desk.argv, *flags], desk.env, str(desk.workspace), size))
        return opened[-1]

    yield open_one
    for one in opened:
        one.close()


@pytest.mark.parametrize("size", SIZES)
def test_every_list_shows_a_hundred_hostile_names_and_no_byte_of_theirs_is_obeyed(full, pty, size):
    with full.held():
        console = pty(size=size)
        console.wait_for("need me" if size[0] > 100 else "1 Sessions", "h000")
        for digit, title in (
            ("1", "1 Sessions"),
            ("2", "2 Cron jobs"),
            ("3", "3 Token budgets"),
            ("4", "4 Skill sets"),
        ):
            console.send(digit * (1 if digit == "1" else 2))
            console.wait_for(title)
            console.page_through()
            console.send(":overview\r")
            console.wait_for("1 Sessions")
        for digit, title, key in (("5", "5 Runs", NEXT_PAGE), ("6", "6 Events", PAGE_BEFORE)):
            console.send(digit)
            console.wait_for(title)
            console.page_through(key=key)
        console.send("q")
        assert console.wait_end() == 0
    assert forbidden(bytes(console.bytes)) == []


@pytest.mark.parametrize("first", range(0, 100, 20))
def test_what_is_read_out_is_lines_of_text(desk, wait_until, first):
    Full(desk, first).close()
    wanted = set(sorted(EVERY)[first : first + 18])
    heard = desk.home / "heard"
    with heard.open("wb") as out:
        process = subprocess.Popen([*desk.argv, "--plain"], env=desk.env, stdout=out, cwd=desk.workspace)
    try:
        wait_until(lambda: marks(heard.read_text()) >= wanted, "all is said")
    finally:
        process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    assert forbidden(heard.read_bytes()) == []


LISTS = (("sessions",), ("run", "list"), ("cron", "list"), ("budget", "list"), ("approvals",), ("skills",))
VERBS = (
    *LISTS, ("session", "show", "{session}"), ("run", "show", "1"), ("approvals", "show", "1"), ("undo", "list"),
    ("templates",), ("task-types",), ("doctor",), ("engine", "status"), ("usage", "--by", "session"),
    ("usage", "--by", "model"),
)  # fmt: skip


def test_every_verb_prints_text_and_nothing_else_into_a_pipe(full, desk):
    """The last of them start an engine, which sees to it that nothing is live any more."""
    for words in VERBS:
        said = [word.format(session=full.session) for word in words]
        for flags in ((), ("--json",)):
            _, out, err = desk.run(*said, *flags)
            assert forbidden((out + err).encode()) == [], said
            assert words not in LISTS or len(marks(out)) >= 20, said


ANY = st.text(st.characters() | st.sampled_from("".join(PAYLOADS)), max_size=600)


@given(ANY)
@example("".join(HOSTILE))
def test_whatever_is_cleaned_has_nothing_that_a_terminal_obeys(text):
    once = clean(text)
    assert forbidden(once.encode()) == []
    assert "\n" not in once
    assert "\r" not in once
    assert len(once) <= LINE_CAP
    assert clean(once) == once
    for lines in (clean_block(text), clean_whole(text)):
        assert all(forbidden(line.encode()) == [] and not set(line) & set("\r\n") for line in lines)
    assert sum(map(len, clean_block(text))) <= BLOCK_CAP * 4


@given(st.text(st.characters(categories=("L", "N", "P", "S")), max_size=LINE_CAP))
def test_what_is_plain_text_stays_as_it_is(text):
    assert clean(text) == "".join(
        c for c in text if c not in "\u115f\u1160\u3164\uffa0\u17b4\u17b5"
    ) or "\ufffd" in clean(text)
