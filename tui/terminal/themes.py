"""Which colours does this console have? One of ours by name, or a file of the operator's own, `themes/NAME.toml` beside
the configuration, which is read again when it changes.

A file names a colour for each tone that it wants otherwise; `base` says of which theme the rest is. Whatever is wrong
with it is one line, and the console goes on with a theme of ours.
"""

import difflib
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from rich.color import Color, ColorParseError
from rich.style import Style
from textual.theme import Theme

from tui.clean import clean
from tui.options import Options
from tui.terminal.depth import depth_of, theme_for
from tui.theme import (
    ANSI,
    DARK,
    MONO,
    PALETTES,
    THEMES,
    Depth,
    Palette,
    of_palette,
    palette_of,
    theme_of,
)

FOLDER = "themes"
LARGEST = 64 * 1024
"""Bytes of a theme's file: a longer one is something else."""
_NAME = re.compile(r"[A-Za-z0-9_-]+")
_TONES = Palette.__struct_fields__
_BACK = ("cursor", "cursor_off", "ground")
"""Tones that lie under the text."""
_LINES = ("line", "panel", "selection")
"""Colours of rules, of sheets, and of what is selected in a line."""
KEYS = ("base", *_TONES, *_LINES)


class Look(Struct, frozen=True):
    """What a console looks like."""

    palette: Palette
    theme: Theme
    problem: str = ""
    """Why it is not what was asked for."""


class BadTheme(Exception):
    """A theme's file cannot be used; the text says why, in one line."""


class Wardrobe:
    """The look of one console, and its file, if it has one."""

    def __init__(self, options: Options, folder: Path, environ: Mapping[str, str]) -> None:
        """`folder` is where the configuration is."""
        self.depth = depth_of(environ)
        self._fallback = theme_for(environ) if options.color else MONO
        self._wanted = (options.theme or self._fallback) if options.color else MONO
        self._path = None if self._wanted in PALETTES else folder / FOLDER / f"{self._wanted}.toml"
        self._stamp: Any = None
        self._number = 0
        self.look = self._ours(self._wanted) if self._path is None else self._read(self._path)

    def changed(self) -> bool:
        """Whether the file is another one than before; then it has been read. Costs one look at the file."""
        if self._path is None or _stamp(self._path) == self._stamp:
            return False
        self.look = self._read(self._path)
        return True

    def _read(self, path: Path) -> Look:
        self._stamp = _stamp(path)
        self._number += 1
        try:
            if not _NAME.fullmatch(self._wanted):
                raise BadTheme("a theme's name is made of letters, digits, - and _")
            return parsed(_text(path), f"{self._wanted}-{self._number}", self.depth)
        except BadTheme as error:
            line = clean(f"theme {self._wanted!r}: {error}; showing {self._fallback}")
            return msgspec.structs.replace(self._ours(self._fallback), problem=line)

    def _ours(self, name: str) -> Look:
        return Look(msgspec.structs.replace(palette_of(name, self.depth)), theme_of(name, self.depth))


def parsed(text: str, name: str, depth: Depth = "truecolor") -> Look:
    """A theme from the text of its file; `name` is what Textual shall call it. Raises BadTheme."""
    try:
        said = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadTheme(f"{error}") from None
    for key in said:
        if key not in KEYS:
            near = difflib.get_close_matches(key, KEYS, n=1)
            raise BadTheme(f"there is no tone {key!r}; " + (f"did you mean {near[0]}?" if near else _known()))
    base = said.get("base", DARK)
    if not isinstance(base, str) or base not in PALETTES:
        raise BadTheme(f"base is {base!r}; it is one of {', '.join(PALETTES)}")
    colors = {key: _color(key, value) for key, value in said.items() if key != "base"}
    ours = palette_of(base, depth)
    palette = msgspec.structs.replace(
        ours, **{tone: _styled(ours, tone, colors[tone]) for tone in _TONES if tone in colors}
    )
    return Look(palette, _theme(name, theme_of(base, depth), palette, colors))


def _theme(name: str, ours: Theme, palette: Palette, colors: Mapping[str, str]) -> Theme:
    """Of Textual's own widgets, where the base is one of ours. One without a ground of its own is drawn on the
    terminal's."""
    line, panel, selection = (
        _textual(colors[key]) if key in colors else before
        for key, before in zip(
            _LINES,
            (ours.variables["qd-line"], ours.panel or "", ours.variables["input-selection-background"]),
            strict=True,
        )
    )
    if palette.ground.bgcolor is None or palette.ground.bgcolor.name == "default":
        theme = THEMES[[theme.name for theme in THEMES].index(MONO if ours.name == MONO else ANSI)]
        variables = theme.variables | {"qd-line": line, "input-selection-background": selection}
        return Theme(**_fields(theme) | {"name": name, "variables": variables})
    return of_palette(name, palette, line, panel, selection, dark=ours.dark)


def _fields(theme: Theme) -> dict[str, Any]:
    return {field: getattr(theme, field) for field in theme.__dataclass_fields__}


def _styled(palette: Palette, tone: str, color: str) -> Style:
    """The tone as it was, in another colour: what was bold stays bold."""
    before: Style = getattr(palette, tone)
    return before + (Style(bgcolor=color) if tone in _BACK else Style(color=color))


def _color(key: str, value: Any) -> str:
    """`#rrggbb`, or one of the terminal's sixteen. Raises BadTheme."""
    try:
        color = Color.parse(value if isinstance(value, str) else "?")
    except ColorParseError:
        raise BadTheme(f"{key} = {value!r} is no colour; write '#5fd7d7', 'bright_blue' or 'default'") from None
    return color.name


def _textual(color: str) -> str:
    return color if color.startswith("#") else f"ansi_{color}"


def _text(path: Path) -> str:
    """Raises BadTheme."""
    try:
        if path.stat().st_size > LARGEST:
            raise BadTheme(f"{path} is no theme: it is larger than {LARGEST // 1024} KiB")
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        own = sorted(one.stem for one in path.parent.glob("*.toml"))
        raise BadTheme(f"no {FOLDER}/{path.name}; there are {', '.join([*PALETTES, *own])}") from None
    except (OSError, UnicodeError) as error:
        raise BadTheme(f"cannot read {path}: {error}") from None


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        info = os.stat(path)  # noqa: PTH116
    except OSError:
        return None
    return info.st_mtime_ns, info.st_ino, info.st_size


def _known() -> str:
    return f"there are {', '.join(_TONES)}, {', '.join(_LINES)}"
