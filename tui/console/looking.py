"""What keeps a console that only looks from changing anything, whichever way the wish came? Nothing of it goes out."""

from collections.abc import Callable, Mapping
from typing import Any

from engine.contract.orders import RunRequest
from engine.runtime.client import Client
from state.errors import Refused
from tui.clean import clean
from tui.link import Done, Failed, Link
from tui.messages import CommandAnswered, EngineCame, OrderFailed

LINE = "this console is read-only: open another one without --read-only"


class LookingLink(Link):
    """A console's presence at the engine, with which it asks for nothing that would have an effect."""

    def order(self, kind: str, body: object, done: Done | None = None, failed: Failed | None = None) -> None:
        self._refuse(kind, failed)

    def preview(self, request: RunRequest) -> None:
        self._refuse("preview", None)

    def command(self, line: str, words: list[str]) -> None:
        """A verb that only looks is run."""
        from tui.cli.read_only import refuse_writing

        try:
            refuse_writing(words)
        except Refused as error:
            self._post(CommandAnswered(line, error.exit_code, "", clean(error.line)))
        else:
            super().command(line, words)

    def attach_run(self, session_id: int, done: Done) -> None:
        self._refuse("attach", None)

    def put_entry(
        self, section: str, name: str, values: Mapping[str, Any], done: Done | None = None, failed: Failed | None = None
    ) -> None:
        self._refuse("write", failed)

    def put_entries(
        self, entries: list[tuple[str, str, Mapping[str, Any]]], done: Done | None = None, failed: Failed | None = None
    ) -> None:
        self._refuse("write", failed)

    def drop_entry(self, section: str, name: str, done: Done | None = None, failed: Failed | None = None) -> None:
        self._refuse("delete", failed)

    def _came(self) -> bool:
        """Be there with an engine that runs; none is started for somebody who only looks."""
        if Client(self._home).holder() is None:
            return False
        self._attach()
        self._post(EngineCame())
        return True

    def _refuse(self, kind: str, failed: Callable[[str], None] | None) -> None:
        self._post(OrderFailed(kind, LINE, failed))
