"""How may the console look, which keys does it have, and when does it call? Nothing of this is the engine's business;
it stands in the same file because the operator has one."""

from typing import Literal

from msgspec import Struct, field

from engine.config.durations import seconds

AlertKind = Literal["needs_me", "run_failed", "job_failed", "budget", "engine"]


class ConsoleConfig(Struct, frozen=True):
    """`[console]`: for every console; a flag of `qd` says otherwise for one."""

    theme: str | None = None
    """`dark`, `light`, `ansi` (the terminal's own sixteen colours), `mono`, or the name of a file in `themes/` beside
    this one, without `.toml`. Without it, what suits the terminal."""
    keys: Literal["default", "vim"] = "default"
    """The keymap to begin with."""
    refresh: str = "100ms"
    """How often changes are looked for and painted, at most; `+` and `-` change it for one console."""
    low_bandwidth: bool = False
    """Sixteen colours, one refresh a second, no pointer."""
    ascii: bool = False
    """Draw with ASCII alone. Without it, as the locale says."""
    mouse: bool = True
    """False: the terminal keeps the pointer, so that its own selection works."""
    read_only: bool = False
    """Show everything, change nothing: what writes is neither offered nor done."""
    keymap: dict[str, str] = field(default_factory=dict)
    """Keys by the action's name (docs/keys.md), several with commas: `"session.reset" = "R"`. None with `""`."""

    @property
    def refresh_s(self) -> float:
        return seconds(self.refresh)


class Alerts(Struct, frozen=True):
    """`[alerts]`: how the console calls when something needs the operator."""

    bell: bool = True
    """Ring the terminal's bell."""
    title: bool = True
    """Say it in the terminal's title."""
    notify: Literal["off", "osc9", "osc777"] = "off"
    """Ask the terminal for a notification on the desktop; which of the two it understands, its manual says."""
    on: tuple[AlertKind, ...] = ("needs_me", "run_failed", "job_failed", "budget", "engine")
    """What calls: a question for you, a run of yours that failed, a job that failed, a budget that is used up, an
    engine that died."""
