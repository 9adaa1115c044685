"""What runs by itself, when next, and what became of its last due times."""

from collections.abc import Hashable, Sequence
from datetime import tzinfo
from typing import TYPE_CHECKING, Any

from tui import actions
from tui.panes.copies import Copies
from tui.panes.messages import DeleteAsked, EditorAsked, JobFired, JobOpened, JobPaused, SheetAsked, ask
from tui.panes.pane import Pane
from tui.text import due, tokens
from tui.theme import Palette, Tone
from tui.widgets.cells import Cell, Column, Span, span

if TYPE_CHECKING:
    from engine.runtime.boards import JobRow

SLOT_LETTERS: dict[str, tuple[str, Tone]] = {
    "started": (">", "accent"),
    "finished": ("v", "text"),
    "failed": ("f", "bad"),
    "refused": ("r", "warn"),
    "missed": ("m", "warn"),
    "overlap": ("o", "warn"),
    "paused": ("p", "dim"),
    "interrupted": ("i", "bad"),
    "asking": ("!", "warn"),
    "waiting": ("z", "accent"),
}


class JobsPane(Pane["JobRow"]):
    """In the order of the configuration."""

    BINDINGS = actions.bindings("jobs")

    CONTEXT = "jobs"
    COLUMNS = (
        Column("S", 1, letter="S"),
        Column("job", 12, grows=True, letter="J"),
        Column("next", 14, letter="X"),
        Column("last slots", 12),
        Column("tok/fire", 8, "right", drop=1, letter="K"),
        Column("trigger", 16, drop=2),
        Column("agent", 10, drop=3, letter="A"),
        Column("lane", 8, drop=4),
        Column("zone", 16, drop=5),
    )
    TEACHING = (
        "No jobs yet. A job is a run that the engine asks for when",
        "it is due, every so often or by cron fields, through the",
        "same gate as yours.",
        "{list.new} writes one.",
    )

    ON_ROW = Pane.ON_ROW | {"open", "edit", "fire", "pause", "delete", "editor"}
    WITH_MANY = frozenset({"fire", "pause", "delete"})

    def __init__(self, palette: Palette) -> None:
        super().__init__(palette)
        self.zone: tzinfo | None = None
        self.outlives_boot = True
        """Whether anything would start the engine after a reboot."""

    def key(self, row: "JobRow") -> Hashable:
        return row.name

    def cells(self, row: "JobRow") -> Sequence[Cell]:
        letter, tone = self.letter(row)
        return (
            span(letter, tone),
            span(row.name, "text" if row.enabled else "dim"),
            span("paused" if not row.enabled else due(row.next_due_ms, self.now_ms, self.zone), "dim"),
            tuple(slot_letter(slot.state) for slot in row.slots[-12:]) or span("-", "dim"),
            span(tokens(row.tokens_per_fire), "text"),
            span(row.trigger, "dim"),
            span(row.agent, "dim"),
            span(row.lane, "dim"),
            span(row.zone, "dim"),
        )

    def worth(self, row: "JobRow", title: str) -> Any:
        match title:
            case "S":
                return "p.z>!".index(self.letter(row)[0])
            case "job":
                return row.name
            case "next":
                return row.next_due_ms
            case "tok/fire":
                return row.tokens_per_fire
            case _:
                return row.agent

    def copies(self, row: "JobRow") -> Copies:
        return (("the job's name", row.name),)

    def letter(self, row: "JobRow") -> tuple[str, Tone]:
        if row.live_run_id is not None:
            return ">", "accent"
        held_up = {slot.state for slot in row.slots} & {"asking", "waiting"}
        if held_up:
            return SLOT_LETTERS["asking" if "asking" in held_up else "waiting"]
        return (".", "dim") if row.enabled else ("p", "warn")

    def note(self) -> Cell:
        paused = sum(not row.enabled for row in self.all_rows)
        boot = self.all_rows and not self.outlives_boot
        said: Cell = ((f"{paused} paused  ", "warn"),) if paused else ()
        return (*said, ("nothing starts the engine after a reboot", "warn")) if boot else said

    async def on_table_row_chosen(self) -> None:
        await self.action_open()

    async def action_open(self) -> None:
        if row := self.table.selected:
            await ask(self.app, JobOpened(row.name))

    async def action_edit(self) -> None:
        if row := self.table.selected:
            await ask(self.app, SheetAsked("job", row.name))

    async def action_new(self) -> None:
        await ask(self.app, SheetAsked("job"))

    def action_fire(self) -> None:
        if self.marked:
            self.post_message(self._with_many("fire", [(row.name, row.name) for row in self.marked]))
        elif row := self.table.selected:
            self.post_message(JobFired(row.name))

    def action_pause(self) -> None:
        """Of several: those that are not paused; where all are, they all go on."""
        if many := self.marked:
            paused = [row for row in many if row.enabled]
            said = self._with_many("pause" if paused else "resume", [(row.name, row.name) for row in paused or many])
            self.post_message(said)
        elif row := self.table.selected:
            self.post_message(JobPaused(row.name, enabled=not row.enabled))

    def action_delete(self) -> None:
        if self.marked:
            self.post_message(self._with_many("delete", [(row.name, ("job", row.name)) for row in self.marked]))
        elif row := self.table.selected:
            self.post_message(DeleteAsked("job", row.name))

    def action_editor(self) -> None:
        if row := self.table.selected:
            self.post_message(EditorAsked(entry=("job", row.name)))


def slot_letter(state: str) -> Span:
    """One character for what became of a due time."""
    return SLOT_LETTERS.get(state, ("?", "warn"))
