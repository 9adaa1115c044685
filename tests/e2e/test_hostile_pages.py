"""Every page, sheet, dialog and line that is typed in, in a home where all that we did not write is hostile: no byte of
it reaches the terminal as anything but text, and the text is there to be seen."""

import base64
import re
import time

import pytest

from tests.e2e.hostile_home import DOWN, NEXT_PAGE, PAGE_BEFORE, PLAIN, SIZES, TEXTS, Full, Shown
from tests.hostile import forbidden, marks
from tui.clean import clean

ESC, HOME, END = "\x1b", "\x1b[H", "\x1b[F"
CORNER = "┌"
"""Of a dialog."""
CLIPBOARD = re.compile(rb"\x1b\]52;c;([A-Za-z0-9+/=]*)\x07")
EDITOR = "/nowhere/h057\u009b2J\x1b]52;c;eA==\x07"
PASTED = "\x1b[200~h000 \x07 h024 \u202e h057 \u009b2J [bold]h085\x1b[201~"


@pytest.fixture
def full(desk):
    made = Full(desk)
    with made.held():
        yield made
    made.close()


@pytest.fixture
def pty(desk):
    opened = []

    def open_one(size, **env):
        opened.append(Shown(desk.argv, desk.env | env, str(desk.workspace), size))
        opened[-1].wait_for("1 Sessions", "h000")
        return opened[-1]

    yield open_one
    for one in opened:
        one.close()


@pytest.mark.parametrize("size", SIZES)
def test_every_page_and_dialog_shows_it_and_none_of_it_is_obeyed(full, pty, size):
    console = pty(size, EDITOR=EDITOR)
    for walk in WALKS if size == SIZES[0] else WALKS_SMALL:
        home(console)
        walk(console, full)
        assert forbidden(bytes(console.bytes)) == [], walk.__name__
        assert not set(console.bytes) & set(b"\n\v\f"), (walk.__name__, "no line of a page moves the next one")


def home(console):
    """Back to the overview, from any page."""
    console.send(":overview\r")
    console.wait_for("1 Sessions", "2 Cron jobs")


def asked(console, key, *texts):
    """A key opens a dialog that says this; it is left."""
    console.send(key)
    console.wait_for(CORNER, *texts)
    console.send(ESC)
    console.wait_without(CORNER)


def from_the_list(console):
    """The keyboard goes from the list, where enter opens something, to the text."""
    console.wait_for("enter open")
    console.send("\t")
    console.wait_without("enter open")
    console.settle()


def gone(console, full):
    console.wait_for("while you were gone")
    assert marks(console.now().split("while you were gone")[1]), "notices stand below"
    console.send("w")
    console.wait_for("100 runs ended", "what happened")
    console.page_through()


def run(console, full):
    """With the files that it changed, the parts of its prompt, its tools, and all that it put out."""
    console.send(f":run {full.last}\r")
    console.wait_for("asked ", f"run {full.last}")
    by_section(console, routed=95, prompt=95, tools=95, output=95, errors=95)
    console.send(HOME)
    console.page_through(before="outside +")


def session(console, full):
    console.send(f":session {full.session}\r")
    console.wait_for("over 1 generation", "> h001")
    console.page_through(key=PAGE_BEFORE)
    console.send(END)
    from_the_list(console)
    console.page_through(key=PAGE_BEFORE)


def live_session(console, full):
    """What its program asks stands above the line, what it says in the text."""
    console.send(f":session {full.live_session}\r")
    console.wait_for("1 of 100", "> h026")
    console.wait_for("enter open")
    asked(console, "x", f"Stop run {full.live}?")
    asked(console, "r", "h000", "afresh?")
    from_the_list(console)
    console.wait_for("h099")
    console.turn("\t")
    console.settle()
    console.page_through()
    asked(console, "y", f"Allow run {full.live} to use h000")
    asked(console, "n", f"Deny run {full.live} to use h000")


def inbox(console, full):
    console.send("i")
    console.wait_for("wants to", "h000")
    console.page_through(before=f"\n +{full.live} +")
    console.send(END + "\x1b[A")
    console.wait_for("asked for by h015")
    asked(console, "y", f"Approve run {full.waiting}?", "Budget h025")
    console.send("\t")
    console.page_through()


def job(console, full):
    console.send(f":job {PLAIN}\r")
    console.wait_for("next fires", "h000", "> quiet")
    console.page_through(key=PAGE_BEFORE, before="missed [^\n]*?")


def budget(console, full):
    console.send(f":budget {PLAIN}\r")
    console.wait_for("at the end", "> quiet")
    by_section(console, by_agent=3, by_session=3, by_job=3, largest_runs=3)


def named(console, full):
    """Pages of what is itself called that."""
    for pane, there in (("2", "next fires"), ("3", "declared")):
        console.send(pane)
        console.send(DOWN + "\r")
        console.wait_for(there, "> h000")
        home(console)


def skill(console, full):
    console.send("4")
    console.send("c")
    console.wait_for("what changed")
    console.page_through()
    asked(console, "y", f"Allow the skill {PLAIN}")


def usage(console, full):
    console.send("m")
    console.wait_for("24 h ago", "h000")
    by_section(console, by_model=95, by_lane=95, by_agent=95)


def dialogs(console, full):
    first = HOME + DOWN
    asked(console, f"2{first}d", "Delete job h000")
    asked(console, f"3{first}d", "Delete budget h000")
    asked(console, f"4{first}d", "Delete skill set h000")
    asked(console, f"2{first}  d", "Delete 2 entries?", "h000", "h001")


def sheets(console, full):
    for keys, there in ((f"4{HOME}{DOWN}g", "h000"), (f"2{HOME}{DOWN}E", "h000"), ("s", "spawn")):
        console.send(keys)
        console.wait_without("2 Cron jobs")
        console.wait_for(there)
        console.send(ESC)
        console.wait_for("1 Sessions")


def lines_typed(console, full):
    """What completes a line, and what is pasted into one."""
    for place in ("job", "session", "run", "budget", "skills"):
        console.send(f":{place} ")
        console.wait_for(f"> {place} ", "h0")
        console.send(ESC)
        console.wait_without(f"> {place} ")
    for page, opens in (("1", ":"), ("?", "/"), ("1", "/")):
        console.send(page)
        console.wait_for("keys" if page == "?" else "1 Sessions")
        console.send(f"{opens}zq")
        console.wait_for("zq")
        console.send(PASTED)
        console.wait_for("h024", "[bold]h085")
        console.send(ESC)
        console.wait_without("[bold]h085")
        home(console)


def copied(console, full):
    """A title, as it is shown and no longer than that, in base64 alone."""
    console.send("1" + HOME + DOWN + DOWN)  # a session of another program has a title of its own
    deadline = time.monotonic() + 20
    while "copied title: h0" not in console.now():
        assert time.monotonic() < deadline, console.now()
        console.turn("y")
        console.settle()
    sent = [base64.b64decode(one).decode() for one in CLIPBOARD.findall(bytes(console.bytes))]
    assert sent[-1] in [clean(text) for text in TEXTS]
    console.bytes[:] = CLIPBOARD.sub(b"", bytes(console.bytes))


def edited(console, full):
    """What is said of an editor that is not there."""
    for pane, there in (("1", "attach"), ("2", "fire now")):
        console.send(pane)
        console.wait_for(there)
        console.settle()
    console.send("e")
    console.wait_for("h057", "cannot be started")


WALKS = (
    gone, run, session, live_session, inbox, job, budget, named, skill, usage, dialogs, sheets, lines_typed, copied,
    edited,
)  # fmt: skip
"""The first begins where the console does; after the last, keys that come at once were meant for the other program."""
WALKS_SMALL = tuple(walk for walk in WALKS if walk not in (session, usage))
"""What is left out are long texts that are broken as those of the others are."""


def by_section(console, **least):
    """Page on until below each of these heads something of so many texts has been on the screen."""
    names = {name.replace("_", " "): number for name, number in least.items()}
    found, head = {name: set() for name in names}, ""
    deadline = time.monotonic() + 30
    while any(len(found[name]) < number for name, number in names.items()):
        assert time.monotonic() < deadline, ({name: len(there) for name, there in found.items()}, console.now())
        for line in console.now().splitlines():
            head = next((name for name in names if re.match(rf" ?{name}( |$)", line)), head)
            found.get(head, set()).update(marks(line))
        console.turn(NEXT_PAGE)
        console.settle()
