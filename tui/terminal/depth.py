"""How many colours does this terminal show, and which theme suits it? By what it says of itself."""

import re
from collections.abc import Mapping

from tui.terminal.around import around
from tui.theme import ANSI, DARK, MONO, Depth

_TRUE = frozenset({"kitty", "alacritty", "foot", "ghostty", "wezterm", "contour", "direct"})
"""Parts of the names of terminals that show every colour. Over ssh the name is all there is: COLORTERM stays behind."""


def depth_of(environ: Mapping[str, str]) -> Depth:
    """How many colours the terminal shows. GNU screen takes a colour of red, green and blue for something else, and
    hands on what the terminal around it says of itself."""
    term = environ.get("TERM", "")
    named = bool(_TRUE & set(re.split(r"[-.]", term)))
    if named or environ.get("COLORTERM", "") in ("truecolor", "24bit"):
        return "256" if environ.get("STY") and around(environ) != "tmux" else "truecolor"
    return "256" if "256color" in term else "standard"


def theme_for(environ: Mapping[str, str]) -> str:
    """What suits the terminal: the dark theme where it shows at least 256 colours, none where it has none."""
    if depth_of(environ) != "standard":
        return DARK
    return MONO if environ.get("TERM", "").startswith("vt") else ANSI
