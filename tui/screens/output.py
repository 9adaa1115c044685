"""How is a long text read? In sections that can be folded and jumped to, followed while it grows, and searched."""

from collections.abc import Hashable, Iterable, Sequence

from msgspec import Struct
from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Input

from tui import actions
from tui.actions.keymap import Keymap
from tui.text import plural
from tui.theme import Palette
from tui.widgets.cells import Cell, Span, line_width, wrap
from tui.widgets.line_input import LineInput
from tui.widgets.lines import Lines, Page


class Section(Struct, frozen=True):
    """A part of a text. Its first line is its head, which stays when it is folded."""

    key: Hashable
    lines: tuple[Cell, ...]
    indent: int = 2
    """Cells before the later lines of what is broken."""


HERE = "<"
"""In the head of the section that was gone to last: behind its title, where there is a gap, else at its end."""
_GAP = "   "


class Broken:
    """The lines of one section broken to a width; those at its beginning that stay are not broken again."""

    def __init__(self) -> None:
        self.lines: tuple[Cell, ...] = ()
        self.parts: list[list[Cell]] = []
        self._how = (0, 0)

    def take(self, lines: tuple[Cell, ...], width: int, indent: int) -> None:
        if self._how != (width, indent):
            self.lines, self._how = (), (width, indent)
        if lines == self.lines:
            return
        same = 0
        for old, new in zip(self.lines, lines, strict=False):
            if old != new:
                break
            same += 1
        self.parts[same:] = [wrap(line, width, indent) for line in lines[same:]]
        self.lines = lines


class Reader(Vertical):
    """A page of sections with its keys, and a line to search it, which is there while it is typed in."""

    BINDINGS = actions.bindings("reader")
    DEFAULT_CSS = """
    Reader { height: 1fr; }
    Reader > .-found { height: 1; display: none; }
    Reader.-finding > .-found { display: block; }
    """

    class Ended(Message):
        """There is no section further on; `line` says so."""

        def __init__(self, line: str) -> None:
            super().__init__()
            self.line = line

    def __init__(self, palette: Palette) -> None:
        super().__init__()
        self.page = Page(palette)
        self.term = ""
        """What is sought, in small letters."""
        self._found_line = Lines(palette, classes="-found")
        self._sections: tuple[Section, ...] = ()
        self._broken: dict[Hashable, Broken] = {}
        self._folded: set[Hashable] = set()
        self._at: Hashable = None
        """The section that was jumped to last: it is meant for as long as its head is in sight."""
        self._match = 0
        """Which of the matches is shown, counted from where the search began."""
        self._sought_from = 0
        """The row that was on top when the search began."""
        self._width, self._follow = 0, False

    def compose(self) -> ComposeResult:
        yield self.page
        yield self._found_line

    def show(self, sections: Iterable[Section], width: int, follow: bool = False) -> None:
        """Take another text; only what differs is drawn."""
        self._sections = tuple(section for section in sections if section.lines)
        self._width, self._follow = width, follow
        kept = {section.key for section in self._sections}
        for key in [key for key in self._broken if key not in kept]:
            del self._broken[key]
        self._draw()

    def jump(self, key: Hashable) -> None:
        """Put the head of this section on top, as far as there is text below it."""
        self._at = key
        self._draw()
        if (row := self._head_row(key)) is not None:
            self._put(row)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if (action == "match" and not self.term) or (action == "keep" and not self.query(Input)):
            return False
        return actions.permit(self.app, ("reader",), action)

    def action_section(self, step: int) -> None:
        """To the head of the next section, or of the one before; where there is none, that is said."""
        keys = [section.key for section in self._sections]
        if not keys:
            return
        at = keys.index(self._meant) + step
        if not 0 <= at < len(keys):
            self.post_message(self.Ended(f"this is the {'first' if at < 0 else 'last'} section"))
        self.jump(keys[max(0, min(at, len(keys) - 1))])

    def action_fold(self) -> None:
        """Put the section that `s` is on away to its head, or open it again; else the one at the top of the page."""
        key = self._meant
        self._folded ^= {key}
        self.jump(key)

    async def action_find(self) -> None:
        """Open the line; typing goes to the first match at once, enter keeps it, esc drops it."""
        if self.query(Input):
            return
        self._sought_from = round(self.page.scroll_y)
        line = LineInput(self.term, "search")
        await self.mount(line, after=self._found_line)
        self.screen.set_focus(line)

    def action_match(self, step: int) -> None:
        """To the next line that has it, or the one before; from the last one to the first."""
        rows = self._in_turn()
        if rows:
            self._match = (self._match + step) % len(rows)
            self._show_match(rows)

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._seek(event.value)

    async def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if self._keys.means("enter", "filter.keep"):
            await self._close_line()

    async def action_keep(self) -> None:
        await self._close_line()

    @property
    def _keys(self) -> Keymap:
        found: Keymap = self.app.keymap  # type: ignore[attr-defined]
        return found

    async def on_key(self, event: events.Key) -> None:
        if self._keys.means(event.key, "back") and (self.query(Input) or self.term):
            event.stop()
            event.prevent_default()
            self._seek("")
            await self._close_line()

    async def _close_line(self) -> None:
        self.screen.set_focus(self.page)
        await self.query(Input).remove()
        self.refresh_bindings()

    def _seek(self, text: str) -> None:
        self.term = text.casefold()
        self._match = 0
        self.set_class(bool(self.term), "-finding")
        self._unfold_matches()
        self._draw()
        self._show_match(self._in_turn())

    def _unfold_matches(self) -> None:
        """What is found must be in sight."""
        if self.term:
            found = {one.key for one in self._sections if any(self.term in said(line) for line in one.lines[1:])}
            self._folded -= found

    def _show_match(self, rows: Sequence[int]) -> None:
        number = f"{self._match + 1:,} of {len(rows):,}" if rows else "not found"
        ways = self._keys.told("{text.next} next, {text.before} before, {back} ends it")
        self._found_line.show([((f"/{self.term}", "warn"), (f"  {number}; {ways}", "dim"))])
        if rows:
            self._put(rows[self._match] - self.page.size.height // 3)

    def _in_turn(self) -> list[int]:
        """The matches from where the search began to the end, then those before."""
        rows = self._matches()
        return [*(row for row in rows if row >= self._sought_from), *(row for row in rows if row < self._sought_from)]

    def _matches(self) -> list[int]:
        """The first row of each line that has what is sought."""
        rows: list[int] = []
        row = 0
        for section in self._sections:
            parts = self._broken[section.key].parts
            for line, broken in zip(section.lines, parts[:1] if section.key in self._folded else parts, strict=False):
                if self.term and self.term in said(line):
                    rows.append(row)
                row += len(broken)
        return rows

    def _draw(self) -> None:
        if not self._width:
            return
        rows: list[Cell] = []
        for section in self._sections:
            broken = self._broken.setdefault(section.key, Broken())
            broken.take(section.lines, self._width, section.indent)
            rows += self._rows(section, broken)
        self.page.show([marked(row, self.term) for row in rows] if self.term else rows, follow=self._follow)

    def _rows(self, section: Section, broken: Broken) -> list[Cell]:
        head = broken.parts[0]
        if section.key == self._at:
            head = self._marked_head(head)
        if section.key in self._folded:
            return [(*head[0], (f"   ({plural(len(section.lines) - 1, 'line')} folded)", "dim")), *head[1:]]
        return [*head, *(part for parts in broken.parts[1:] for part in parts)]

    def _marked_head(self, head: list[Cell]) -> list[Cell]:
        """Where neither is, the tone of its title has to do."""
        first: Cell = tuple((text, "accent" if tone in ("head", "bold") else tone) for text, tone in head[0])
        gap = next((at for at, (text, _) in enumerate(first) if _GAP in text and text.strip()), None)
        if gap is not None:
            text, tone = first[gap]
            before, _, after = text.partition(_GAP)
            first = (*first[:gap], (f"{before} ", tone), (HERE, "accent"), (f" {after}", tone), *first[gap + 1 :])
        elif line_width(first) + len(HERE) + 2 <= self._width:
            first = (*first, (f"  {HERE}", "accent"))
        return [first, *head[1:]]

    def _head_row(self, key: Hashable) -> int | None:
        row = 0
        for section in self._sections:
            if section.key == key:
                return row
            row += self._height(section)
        return None

    def _height(self, section: Section) -> int:
        parts = self._broken[section.key].parts
        return len(parts[0]) if section.key in self._folded else sum(map(len, parts))

    @property
    def _meant(self) -> Hashable:
        """The one that was jumped to while its head is in sight, else the one at the top of the page."""
        top = round(self.page.scroll_y)
        head = self._head_row(self._at)
        if head is not None and top <= head < top + self.page.size.height:
            return self._at
        row = 0
        for section in self._sections:
            row += self._height(section)
            if row > top:
                return section.key
        return None

    def _put(self, row: int) -> None:
        """Scroll so far that this row is on top, or the last one in sight."""
        row = max(0, min(row, len(self.page.lines) - self.page.size.height))
        self.page.scroll_to(y=row, animate=False, force=True)


def said(line: Cell) -> str:
    """The line as it is sought in."""
    return "".join(text for text, _ in line).casefold()


def marked(row: Cell, term: str) -> Cell:
    """The row with what is sought in another tone."""
    if term not in said(row):
        return row
    parts: list[Span] = []
    for text, tone in row:
        rest = text
        while (at := rest.casefold().find(term)) >= 0 and len(rest.casefold()) == len(rest):
            parts += [(rest[:at], tone), (rest[at : at + len(term)], "warn")]
            rest = rest[at + len(term) :]
        parts.append((rest, tone))
    return tuple(part for part in parts if part[0])
