"""What would `u` take back now, and what does the console say when it cannot?

Of the acts that stand the newest is the next. The order says which act was looked at, since another console may be
faster.
"""

from typing import TYPE_CHECKING, Any

from engine.contract.orders import Undo

if TYPE_CHECKING:
    from engine.runtime.undoing import Undoable
    from tui.console.app import Console


class TakingBack:
    """The console's `u`; belongs to the app, and lives on its thread."""

    def __init__(self, app: "Console") -> None:
        self._app = app
        self._acts: tuple[Undoable, ...] = ()

    @property
    def label(self) -> str:
        """For the footer: the newest act that can be taken back; empty when none can."""
        found = self._first
        return f"undo: {found.said}" if found is not None else ""

    @property
    def why_not(self) -> str:
        """Why there is no act that can be taken back; empty when there is one."""
        if not self._acts:
            return "there is nothing to undo"
        newest = self._acts[0]
        nor = "; nor can anything before it" if len(self._acts) > 1 else ""
        return "" if self._first is not None else f"{newest.said} cannot be taken back: {newest.why_not}{nor}"

    def take(self, acts: "tuple[Undoable, ...]") -> None:
        self._acts = acts

    def ask(self) -> None:
        """Take the newest act back. One that cannot be is gone past only when the operator says so."""
        if why := self.why_not:
            self._app.flash(why, "warn")
        elif why := self._acts[0].why_not:
            self._offer_next(why)
        else:
            self._order(skip=False)

    def _offer_next(self, why: str) -> None:
        from tui.screens.confirm import Confirm

        first, below = self._acts[0].said, self._first
        between = [one for one in self._acts if below is not None and one.id > below.id]
        stay = "It stays as it is" if len(between) == 1 else f"It and {len(between) - 1} before it stay as they are"
        taken = below.said if below is not None else "nothing"
        what = (f"{why[:1].upper()}{why[1:]}.", f"{stay}. What is taken back instead: {taken}.")
        title = f"{first} cannot be taken back. Go past it?"
        self._app.push_screen(Confirm(self._app.palette, title, what, lambda _: self._order(skip=True)))

    def _order(self, *, skip: bool) -> None:
        seen = Undo(entry_id=self._acts[0].id, skip=skip) if self._acts else Undo(skip=skip)
        self._app.link.order("undo", seen, lambda answer: self._app.flash(_undone(answer)))

    @property
    def _first(self) -> "Undoable | None":
        return next((one for one in self._acts if not one.why_not), None)


def _undone(answer: Any) -> str:
    said = answer.get("undone") if isinstance(answer, dict) else None
    return f"undone: {said}" if said else "nothing else can be undone"
