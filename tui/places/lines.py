"""Where does a line after `:` go? To a place, with a filter and an agent; to one thing; or it is a verb of `qd`.

`:runs /failed @coder`, `:/failed` for the list in front, `:session 12`, `:job morning`, `:usage`, `:budget set day
--tokens 60k`. Pure: what there is to go to is handed in.
"""

import difflib
from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec
from msgspec import Struct

from tui.cli.commands import COMMANDS, match
from tui.places.words import ABOUT, options_of, verb_of

Page = Literal["overview", "usage", "inbox", "gone", "help", "quit"]
Thing = Literal["session", "run", "job", "budget", "skills"]

PANES: dict[str, tuple[str, str]] = {
    "sessions": ("sessions", "every session"),
    "jobs": ("jobs", "cron jobs"),
    "cron": ("jobs", "cron jobs"),
    "budgets": ("budgets", "token budgets"),
    "skills": ("skills", "skill sets"),
    "runs": ("runs", "every run, newest first"),
    "events": ("events", "every event, newest last"),
}
PAGES: dict[str, tuple[Page, str]] = {
    "overview": ("overview", "everything at a glance"),
    "usage": ("usage", "who uses tokens, how fast, and what is left"),
    "tokens": ("usage", "who uses tokens, how fast, and what is left"),
    "inbox": ("inbox", "what needs you"),
    "approvals": ("inbox", "what needs you"),
    "missed": ("gone", "what happened while no console was open"),
    "help": ("help", "every key"),
    "keys": ("help", "every key"),
    "quit": ("quit", "leave the console; what runs goes on"),
    "q": ("quit", "leave the console; what runs goes on"),
}
THINGS: dict[str, tuple[Thing, str]] = {
    "session": ("session", "one session: its number, or a word of its title"),
    "run": ("run", "one run: its number, or a word of its task"),
    "job": ("job", "one job"),
    "budget": ("budget", "one budget"),
    "skill-set": ("skills", "one skill set"),
}
HERE = "here"
"""Where a filter goes that stands alone: to the list in front."""
SHOWN = 8
"""So many ends of a line are offered at most."""


class Item(Struct, frozen=True):
    """Something that can be gone to: how it is called, and what it is."""

    name: str
    about: str = ""


class Known(Struct, frozen=True):
    """What there is, newest first."""

    things: dict[str, tuple[Item, ...]] = {}
    """By kind."""
    agents: tuple[str, ...] = ()


class Going(Struct, frozen=True):
    """A place, and what is to be shown there."""

    to: str
    """A pane, a page, or the kind of a thing."""
    name: str = ""
    filter: str = ""


class Typed(Struct, frozen=True):
    """A verb of `qd`."""

    line: str


class Wrong(Struct, frozen=True):
    """Nothing of it: what is wrong, and what would be right."""

    line: str


class Offer(Struct, frozen=True):
    """One way in which a line could go on."""

    line: str
    about: str


def understand(line: str, known: Known) -> Going | Typed | Wrong:
    """What a line asks for."""
    words = line.split()
    first, rest = words[0].casefold(), words[1:]
    if first.startswith(("/", "@")):
        return _pane(HERE, line, words, is_verb=False)
    if first == "qd":
        return Typed(line.split(maxsplit=1)[1]) if rest else Wrong("qd what? a verb comes after it: qd sessions")
    verb, _ = match(words)
    if verb is not None and len(verb.words) > 1:
        return Typed(line)
    if first in PANES:
        return _pane(first, line, rest, is_verb=verb is not None)
    if first in PAGES and (not rest or verb is None):
        return Wrong(f"{first} stands alone: {first}") if rest else Going(PAGES[first][0])
    if first in THINGS and (verb is None or _is_number(rest)):
        return _thing(first, " ".join(rest), known)
    return Typed(line) if verb is not None else Wrong(_unknown(words))


def offers(typed: str, known: Known) -> list[Offer]:
    """How the line could go on, with what each would be; the likeliest first."""
    words = typed.split()
    if words[:1] == ["qd"] and len(words) > 1:
        return [msgspec.structs.replace(one, line=f"qd {one.line}") for one in _after_verb(typed.lstrip()[3:], known)]
    if typed.lstrip().startswith(("/", "@")):
        found = _narrowings(typed, known)
        return [msgspec.structs.replace(one, line=one.line.lstrip()) for one in found][:SHOWN]
    if found := _after_verb(typed, known):
        return found
    if not words or (len(words) == 1 and not typed.endswith(" ")):
        return _starts(typed.strip().casefold())
    first, rest = words[0].casefold(), typed.split(maxsplit=1)[1] if len(words) > 1 else ""
    found = _verbs(typed) if first not in PANES or not rest.startswith(("/", "@")) else []
    if first in PANES:
        return [*_narrowings(typed, known), *found][:SHOWN]
    if first in THINGS:
        things = [item for item in known.things.get(THINGS[first][0], ()) if _like(rest, item)]
        things.sort(key=lambda item: _place(item, rest))
        found = [*(Offer(f"{first} {item.name}", item.about) for item in things), *found]
    return found[:SHOWN]


def _after_verb(typed: str, known: Known) -> list[Offer]:
    """Options of a verb after `--`; right after it the things that it may be about, the newest first."""
    words, last = typed.split(), typed.rpartition(" ")[2]
    verb = verb_of(words)
    if verb is None or " -- " in typed or len(words) + (not last) <= len(verb.words):
        return []
    before = typed[: len(typed) - len(last)].rstrip()
    if last.startswith("-"):
        begun = [(name, said) for name, said in options_of(verb) if name.startswith(last)]
        return [Offer(f"{before} {name}", said) for name, said in begun][:SHOWN]
    if verb.words not in ABOUT or len(words) - bool(last) != len(verb.words):
        return []
    items = [item for item in known.things.get(ABOUT[verb.words], ()) if _like(last, item)]
    items.sort(key=lambda item: _place(item, last))
    return [Offer(f"{before} {item.name}", item.about) for item in items][:SHOWN]


def _place(item: Item, typed: str) -> tuple[bool, bool, int]:
    """The one that is typed first, then what begins so, by number the newest first. Else they stay as they are."""
    number = int(item.name) if typed.isdigit() and item.name.isascii() and item.name.isdigit() else 0
    return item.name != typed, not item.name.startswith(typed), -number


def _pane(first: str, line: str, rest: Sequence[str], is_verb: bool) -> Going | Typed | Wrong:
    """`/text` until the end of the line, `@agent` anywhere: all of it must hold."""
    slash = next((number for number, word in enumerate(rest) if word.startswith("/")), len(rest))
    agents = [word[1:] for word in rest if word.startswith("@")]
    stray = [word for word in rest[:slash] if not word.startswith("@")]
    if stray:
        told = f"after {first} comes a filter: {first} /{stray[0]}, {first} /!{stray[0]}, {first} @agent"
        return Typed(line) if is_verb and stray[0].startswith("-") else Wrong(told)
    texts = [word for word in rest[slash:] if not word.startswith("@")]
    to = PANES[first][0] if first in PANES else HERE
    return Going(to, filter=" ".join((*texts, *agents)).removeprefix("/").strip())


def _thing(first: str, said: str, known: Known) -> Going | Wrong:
    kind = THINGS[first][0]
    items = known.things.get(kind, ())
    if said.isascii() and said.isdigit() and kind in ("session", "run"):
        return Going(kind, str(int(said)))
    named = [item for item in items if item.name.casefold() == said.casefold()] or (
        [item for item in items if _like(said, item)] if said else []
    )
    if len(named) == 1:
        return Going(kind, named[0].name)
    if named:
        return Wrong(f"{len(named)} of these are {said!r}: {_few(named)}")
    return Wrong(f"there is no {first} {said!r}" if said else f"which {first}?" + (f" {_few(items)}" if items else ""))


def _few(items: Sequence[Item]) -> str:
    return ", ".join(item.name for item in items[:4]) + (" and more" if len(items) > 4 else "")


def _like(said: str, item: Item) -> bool:
    return item.name.casefold().startswith(said.casefold()) or said.casefold() in item.about.casefold()


def _is_number(rest: Sequence[str]) -> bool:
    return len(rest) == 1 and rest[0].isdigit()


def _unknown(words: Sequence[str]) -> str:
    starts = [offer.line for offer in _starts(words[0].casefold())]
    names = list(dict.fromkeys([*PANES, *PAGES, *THINGS, *(" ".join(command.words) for command in COMMANDS)]))
    near = starts or difflib.get_close_matches(" ".join(words[:2]), names, n=2)
    near = near or difflib.get_close_matches(words[0], names, n=2)
    return f"there is no {words[0]!r}; " + (f"did you mean {', '.join(near[:3])}?" if near else "see what is listed")


def _starts(said: str) -> list[Offer]:
    """Places first, then verbs; those that begin so, then those that contain it."""
    alone = ((name, about) for table in (PANES, PAGES, THINGS) for name, (_, about) in table.items())
    verbs = ((" ".join(command.words), f"qd: {command.help}") for command in COMMANDS)
    every = dict([*verbs, *alone])
    ordered = {name: every[name] for name in [*PANES, *PAGES, *THINGS, *every]}
    begin = [Offer(name, about) for name, about in ordered.items() if name.startswith(said)]
    within = [Offer(name, about) for name, about in ordered.items() if said in name[1:] and not name.startswith(said)]
    return [*begin, *within][:SHOWN] if said else begin[:SHOWN]


def _verbs(typed: str) -> list[Offer]:
    said = " ".join(typed.casefold().split()) + (" " if typed.endswith(" ") else "")
    longer = [command for command in COMMANDS if " ".join(command.words).startswith(said)]
    return [Offer(" ".join(command.words), f"qd: {command.help}") for command in longer]


def _narrowings(typed: str, known: Known) -> Iterable[Offer]:
    """What may come after a pane's name: an agent that begins so, else which kinds of filter there are."""
    before, _, last = typed.rpartition(" ")
    if last.startswith("@") or not last:
        agents = (agent for agent in known.agents if agent.casefold().startswith(last[1:].casefold()))
        yield from (Offer(f"{before} @{agent}", f"of the agent {agent}") for agent in agents)
    if not last:
        yield Offer(f"{before} /", "rows that contain a text; several words: all of them")
        yield Offer(f"{before} /!", "rows that do not contain it")
        yield Offer(f"{before} /~", "rows with these letters in this order")
