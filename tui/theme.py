"""Which colours are there? Text, two greys and three signals: focus, needs attention, trouble. States are letters.

The dark and the light theme need 256 colours, and have a likeness in sixteen; the ANSI one takes the terminal's own
sixteen and sends half the bytes; the one without colours inverts and underlines, and is what NO_COLOR asks for.
"""

from typing import Literal

from msgspec import Struct
from rich.style import Style
from textual.theme import Theme

Tone = Literal["text", "dim", "head", "bold", "accent", "warn", "bad", "cursor", "cursor_off"]

DARK, LIGHT, ANSI, MONO = "dark", "light", "ansi", "mono"
"""What the operator calls them."""
Depth = Literal["truecolor", "256", "standard"]
"""How many colours a terminal shows; `standard` are sixteen. The names are Rich's."""


class Palette(Struct):
    """The style of each tone, for widgets that draw their own lines. One per console, which all of them look at: when
    the theme changes, this changes."""

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

    def become(self, other: "Palette") -> None:
        """Take another one's styles."""
        for name in self.__struct_fields__:
            setattr(self, name, getattr(other, name))


PALETTES = {
    DARK: Palette(
        text=Style(color="#c9d1d9"),
        dim=Style(color="#76818d"),
        head=Style(color="#93a0ad"),
        bold=Style(color="#f0f4f8", bold=True),
        accent=Style(color="#5fd7d7"),
        warn=Style(color="#e5b567"),
        bad=Style(color="#ff7b72", bold=True),
        cursor=Style(bgcolor="#293137"),
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
    LIGHT: Palette(
        text=Style(color="#24292f"),
        dim=Style(color="#636c76"),
        head=Style(color="#57606a"),
        bold=Style(color="#0d1117", bold=True),
        accent=Style(color="#0550ae"),
        warn=Style(color="#8a4600"),
        bad=Style(color="#b3151e", bold=True),
        cursor=Style(bgcolor="#d3edfb"),
        cursor_off=Style(bgcolor="#eef1f4"),
        ground=Style(bgcolor="#ffffff"),
    ),
    MONO: Palette(
        text=Style(),
        dim=Style(dim=True),
        head=Style(dim=True),
        bold=Style(bold=True),
        accent=Style(bold=True),
        warn=Style(underline=True),
        bad=Style(bold=True, underline=True),
        cursor=Style(reverse=True),
        cursor_off=Style(),
        ground=Style(),
    ),
}

PALETTES_OF_SIXTEEN = {
    DARK: Palette(
        text=Style(color="#ffffff"),
        dim=Style(color="#aaaaaa"),
        head=Style(color="#aaaaaa"),
        bold=Style(color="#ffffff", bold=True),
        accent=Style(color="#55ffff"),
        warn=Style(color="#ffff55"),
        bad=Style(color="#ff5555", bold=True),
        cursor=Style(reverse=True),
        cursor_off=Style(),
        ground=Style(bgcolor="#000000"),
    ),
    LIGHT: Palette(
        text=Style(color="#000000"),
        dim=Style(color="#555555"),
        head=Style(color="#000000"),
        bold=Style(color="#000000", bold=True),
        accent=Style(color="#0000aa"),
        warn=Style(color="#aa00aa"),
        bad=Style(color="#aa0000", bold=True),
        cursor=Style(reverse=True),
        cursor_off=Style(),
        ground=Style(bgcolor="#ffffff"),
    ),
}
"""The same two for a terminal of sixteen colours: each of these is one of them, as Rich knows them. What a colour of
more shades comes nearest to may be the ground."""

_SIXTEEN = {
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
}
_NONE = _SIXTEEN | {"input-cursor-text-style": "reverse"}
"""The colours of it never leave: see `clean.Colourless`."""


def _sixteen(name: str, variables: dict[str, str]) -> Theme:
    return Theme(
        name=name,
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
        variables=variables,
    )


def of_palette(name: str, palette: Palette, line: str, panel: str, selection: str, dark: bool) -> Theme:
    """Textual's own widgets in the colours of a palette that has a ground."""
    text, ground = _color(palette.text), _color(palette.ground, back=True)
    return Theme(
        name=name,
        dark=dark,
        primary=_color(palette.accent),
        secondary=_color(palette.dim),
        accent=_color(palette.accent),
        warning=_color(palette.warn),
        error=_color(palette.bad),
        success=text,
        foreground=text,
        background=ground,
        surface=ground,
        panel=panel,
        boost=panel,
        variables={
            "qd-line": line,
            "text-disabled": _color(palette.dim),
            "input-selection-background": selection,
            "input-cursor-background": text,
            "input-cursor-foreground": ground,
        },
    )


def _color(style: Style, back: bool = False) -> str:
    color = style.bgcolor if back else style.color
    return "ansi_default" if color is None else color.name if color.name[0] == "#" else f"ansi_{color.name}"


THEMES = (
    of_palette(DARK, PALETTES[DARK], "#2b3540", "#161d24", "#2d5a73", dark=True),
    of_palette(LIGHT, PALETTES[LIGHT], "#d0d7de", "#f3f5f7", "#b6d7f5", dark=False),
    _sixteen(ANSI, _SIXTEEN),
    _sixteen(MONO, _NONE),
)
THEMES_OF_SIXTEEN = (
    of_palette(DARK, PALETTES_OF_SIXTEEN[DARK], "#555555", "#000000", "#0000aa", dark=True),
    of_palette(LIGHT, PALETTES_OF_SIXTEEN[LIGHT], "#aaaaaa", "#ffffff", "#55ffff", dark=False),
)


def palette_of(name: str, depth: Depth) -> Palette:
    """One of ours as this terminal can show it."""
    return PALETTES_OF_SIXTEEN.get(name, PALETTES[name]) if depth == "standard" else PALETTES[name]


def theme_of(name: str, depth: Depth) -> Theme:
    """The same for Textual's own widgets."""
    themes = {theme.name: theme for theme in THEMES}
    if depth == "standard":
        themes |= {theme.name: theme for theme in THEMES_OF_SIXTEEN}
    return themes[name]
