"""What has a run of Codex told, and what did it use? Follows its output; where that is silent, the rollout tells.

Codex tells its usage at the end of a turn, as the total of the conversation: what it was before the run is noted in
the run's folder at its start. A turn that did not come to its end tells none; its responses are in the rollout.
"""

from pathlib import Path

import msgspec
from msgspec import Struct

from engine.adapters.codex_events import Heard, costs_nothing, first_line, unavailable
from engine.adapters.codex_totals import totals_of, used_since
from engine.adapters.tape import Tape, last_line
from engine.contract.launch import AdapterResult, RunUsage
from engine.contract.progress import Noted, Progress
from engine.telemetry.codex_rows import Tokens

FACTS = "codex.json"
CANNOT_ASK = "codex cannot ask while it works: what it would ask about is denied"
_UNKNOWN_THREAD = "no rollout found for thread id"


class Facts(Struct, frozen=True):
    """What a reader must know of a launch."""

    home: str
    """Where its conversations are."""
    resumed: str | None = None
    before: tuple[int, ...] | None = ()
    """Totals of the conversation, or of the one that it is a copy of, before the run: `Tokens`, or nothing for a new
    one. None: unknown."""
    asks: bool = False
    """It was to ask, which it cannot."""


class CodexReader:
    """Follows one run."""

    def __init__(self, folder: Path, start: int) -> None:
        self._folder = folder
        self._tape = Tape(folder / "stdout.log", start)
        self._known: Facts | None = None
        self._heard: Heard | None = None

    @property
    def usage(self) -> RunUsage | None:
        heard = self._heard
        return None if heard is None or heard.totals is None else self._difference(heard.totals)

    @property
    def turns(self) -> int:
        return 0 if self._heard is None else self._heard.turns

    @property
    def offset(self) -> int:
        return self._tape.offset

    def poll(self) -> list[Progress] | None:
        lines = self._tape.lines()
        if lines is None:
            return None
        return [told for line in lines for told in self._take(line)]

    def result(self, exit_code: int | None) -> AdapterResult:
        while self.poll() is not None:
            pass
        self._take(self._tape.last())
        heard = self._hearing()
        why = self._why(heard, exit_code)
        refused = heard.strayed or (heard.thread_id is None and self._is_unknown())
        return AdapterResult(
            text=heard.answer,
            ok=not why,
            why=why,
            usage=self._used(heard),
            raw_usage=heard.raw_usage,
            resume_refused=refused,
            unavailable=bool(why) and (bool(heard.retrying) or unavailable(heard.failed)),
        )

    def _take(self, line: bytes) -> list[Progress]:
        heard = self._hearing()
        first = heard.thread_id is None
        told = heard.line(line)
        if first and heard.thread_id is not None and self._facts().asks:
            told.append(Noted("warning", CANNOT_ASK))
        return told

    def _hearing(self) -> Heard:
        if self._heard is None:
            self._heard = Heard(self._facts().resumed)
        return self._heard

    def _facts(self) -> Facts:
        if self._known is None:
            try:
                self._known = msgspec.json.decode((self._folder / FACTS).read_bytes(), type=Facts)
            except (OSError, msgspec.MsgspecError):  # its folder is gone or damaged: then nothing can be differenced
                self._known = Facts(home="", before=None)
        return self._known

    def _why(self, heard: Heard, exit_code: int | None) -> str:
        """Empty when it is an answer: an exit code alone does not make it one."""
        if heard.strayed:
            return "the conversation could not be resumed: codex began a new one"
        if exit_code == 0 and heard.over and not heard.failed:
            return ""
        how = "ended by a signal" if exit_code is None else f"exited with code {exit_code}"
        reason = heard.failed or heard.retrying or last_line(self._folder / "stderr.log")
        if exit_code == 0:
            return heard.failed or "it ended without an answer"
        return first_line(f"{how}: {reason}" if reason else how)

    def _is_unknown(self) -> bool:
        return _UNKNOWN_THREAD in last_line(self._folder / "stderr.log")

    def _used(self, heard: Heard) -> RunUsage | None:
        """None: unknown. What an attempt cost that was cut, nobody tells."""
        totals = heard.totals
        if totals is None and heard.thread_id is not None:
            totals = totals_of(Path(self._facts().home), heard.thread_id)
        used = None if totals is None else self._difference(totals)
        if heard.over or used not in (None, RunUsage(0, 0)):
            return used
        never_served = heard.thread_id is None or costs_nothing(heard.failed or heard.retrying)
        return RunUsage(0, 0) if never_served else None

    def _difference(self, totals: Tokens) -> RunUsage | None:
        before = () if self._hearing().strayed else self._facts().before
        return None if before is None else used_since(totals, Tokens(*before))
