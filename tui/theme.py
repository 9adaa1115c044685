"""Which colours are there? Text, two greys and three signals: focus, needs attention, trouble. States are letters.

The dark theme needs 256 colours; the ANSI one takes the terminal's own sixteen, sends half the bytes, and becomes truly
colourless under NO_COLOR, since its cursor is an inversion and not a colour.
"""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct
from rich.style import Style
from textual.theme import Theme

Tone = Literal["text", "dim", "head", "bold", "accent", "warn", "bad", "cursor", "cursor_off"]

DARK, ANSI = "quarterdeck", "quarterdeck-ansi"


class Palette(Struct, frozen=True):
    """The style of each tone, for widgets that draw their own lines."""

    text: Style
    dim: Style
    head: Style
    bold: Style
    accent: Style
    warn: Style
    bad: Style
    cursor: Style
    """Laid over a row that the keyboard stands on."""
    cursor_off: Style
    """The same in a pane without focus."""
    ground: Style
    """The background, under everything."""

    def style(self, tone: Tone) -> Style:
        style: Style = getattr(self, tone)
        return style


PALETTES = {
    DARK: Palette(
        text=Style(color="#c9d1d9"),
        dim=Style(color="#76818d"),
        head=Style(color="#8b98a5"),
        bold=Style(color="#f0f4f8", bold=True),
        accent=Style(color="#5fd7d7"),
        warn=Style(color="#e5b567"),
        bad=Style(color="#ff7b72", bold=True),
        cursor=Style(bgcolor="#1f3a4d"),
        cursor_off=Style(bgcolor="#161e26"),
        ground=Style(bgcolor="#0f1419"),
    ),
    ANSI: Palette(
        text=Style(color="default"),
        dim=Style(color="bright_black"),
        head=Style(color="default", dim=True),
        bold=Style(color="default", bold=True),
        accent=Style(color="cyan"),
        warn=Style(color="yellow"),
        bad=Style(color="red", bold=True),
        cursor=Style(reverse=True),
        cursor_off=Style(),
        ground=Style(),
    ),
}

THEMES = (
    Theme(
        name=DARK,
        primary="#5fd7d7",
        secondary="#76818d",
        accent="#5fd7d7",
        warning="#e5b567",
        error="#ff7b72",
        success="#c9d1d9",
        foreground="#c9d1d9",
        background="#0f1419",
        surface="#0f1419",
        panel="#161d24",
        boost="#161d24",
        variables={
            "qd-line": "#2b3540",
            "input-selection-background": "#2d5a73",
            "input-cursor-background": "#c9d1d9",
            "input-cursor-foreground": "#0f1419",
        },
    ),
    Theme(
        name=ANSI,
        ansi=True,
        primary="ansi_cyan",
        secondary="ansi_bright_black",
        accent="ansi_cyan",
        warning="ansi_yellow",
        error="ansi_red",
        success="ansi_default",
        foreground="ansi_default",
        background="ansi_default",
        surface="ansi_default",
        panel="ansi_default",
        boost="ansi_default",
        variables={
            "qd-line": "ansi_bright_black",
            "ansi-background": "ansi_black",
            "ansi-foreground": "ansi_white",
            "border-blurred": "ansi_black",
            "block-cursor-foreground": "ansi_black",
            "block-cursor-background": "ansi_white",
            "input-cursor-background": "ansi_white",
            "input-cursor-foreground": "ansi_black",
            "input-cursor-text-style": "none",
            "input-selection-background": "ansi_blue",
            "input-selection-foreground": "ansi_white",
            "screen-selection-background": "ansi_blue",
            "screen-selection-foreground": "ansi_white",
        },
    ),
)


def theme_for(environ: Mapping[str, str]) -> str:
    """The dark theme where the terminal shows at least 256 colours and the operator wants colour at all."""
    rich = environ.get("COLORTERM", "") in ("truecolor", "24bit") or "256color" in environ.get("TERM", "")
    return DARK if rich and not environ.get("NO_COLOR") else ANSI
