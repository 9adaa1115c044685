from pathlib import Path

import pytest
from rich.color import Color as RichColor
from rich.color import ColorSystem
from rich.segment import Segment
from rich.style import Style
from textual.color import Color

from engine.config.console import Alerts, ConsoleConfig
from tui.clean import Colourless
from tui.options import Options
from tui.terminal.depth import depth_of, theme_for
from tui.terminal.themes import KEYS, BadTheme, Wardrobe, parsed
from tui.theme import ANSI, DARK, LIGHT, MONO, PALETTES, THEMES, palette_of, theme_of

BLACK = Color(0, 0, 0)


def options(theme=None, color=True):
    return Options(theme, 0.1, False, False, True, color, False, ConsoleConfig(), Alerts())


@pytest.mark.parametrize(
    ("environ", "name"),
    [
        ({"TERM": "xterm-256color"}, DARK),
        ({"TERM": "screen", "COLORTERM": "truecolor"}, DARK),
        ({"TERM": "xterm"}, ANSI),
        ({"TERM": "linux"}, ANSI),
        ({"TERM": "screen"}, ANSI),
        ({"TERM": "vt100"}, MONO),
        ({}, ANSI),
        ({"TERM": "xterm-kitty"}, DARK),
        ({"TERM": "alacritty"}, DARK),
        ({"TERM": "foot-extra"}, DARK),
        ({"TERM": "xterm-ghostty"}, DARK),
        ({"TERM": "xterm-direct"}, DARK),
    ],
)
def test_without_a_word_the_theme_is_what_the_terminal_can_show(environ, name, tmp_path):
    assert theme_for(environ) == name
    assert Wardrobe(options(), tmp_path, environ).look.theme.name == name


@pytest.mark.parametrize("name", [DARK, LIGHT, ANSI, MONO])
def test_ours_are_there_by_name_and_no_colour_is_always_the_same(name, tmp_path):
    look = Wardrobe(options(name), tmp_path, {"TERM": "xterm-256color"}).look
    assert (look.theme.name, look.palette, look.problem) == (name, PALETTES[name], "")
    assert Wardrobe(options(name, color=False), tmp_path, {}).look.theme.name == MONO


@pytest.mark.parametrize(
    ("environ", "depth"),
    [
        ({"TERM": "xterm-kitty"}, "truecolor"),
        ({"TERM": "alacritty"}, "truecolor"),
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, "truecolor"),
        ({"TERM": "xterm-256color"}, "256"),
        ({"TERM": "footnote"}, "standard"),
        ({"TERM": "xterm"}, "standard"),
        ({"TERM": "screen.xterm-256color", "COLORTERM": "truecolor", "STY": "1.x"}, "256"),
        ({"TERM": "screen", "COLORTERM": "24bit", "STY": "1.x"}, "256"),
        ({"TERM": "screen", "STY": "1.x"}, "standard"),
    ],
)
def test_a_terminal_shows_as_many_colours_as_its_name_says(environ, depth):
    assert depth_of(environ) == depth


def test_a_theme_on_a_terminal_of_sixteen_colours_is_made_of_these(tmp_path):
    for name in (DARK, LIGHT):
        look = Wardrobe(options(name), tmp_path, {"TERM": "xterm"}).look
        assert look.theme.name == name
        for tone in (*READ, "dim", "bold", "ground"):
            style = look.palette.style(tone)
            color = style.bgcolor if tone == "ground" else style.color
            assert tuple(color.triplet) == VGA[color.downgrade(ColorSystem.STANDARD).number]


def test_a_file_of_my_own_has_its_base_in_sixteen_colours_there_too(tmp_path):
    assert parsed('base = "light"', "x", "standard").palette == palette_of(LIGHT, "standard")


READ = ("text", "accent", "warn", "bad", "head")
"""Tones that are read, at 4.5:1; what stands beside them, at 3:1."""
SYSTEMS = {"truecolor": ColorSystem.TRUECOLOR, "256": ColorSystem.EIGHT_BIT, "standard": ColorSystem.STANDARD}
XTERM = (
    (0, 0, 0), (205, 0, 0), (0, 205, 0), (205, 205, 0), (0, 0, 238), (205, 0, 205), (0, 205, 205), (229, 229, 229),
    (127, 127, 127), (255, 0, 0), (0, 255, 0), (255, 255, 0), (92, 92, 255), (255, 0, 255), (0, 255, 255),
    (255, 255, 255),
)  # fmt: skip
VGA = (
    (0, 0, 0), (170, 0, 0), (0, 170, 0), (170, 85, 0), (0, 0, 170), (170, 0, 170), (0, 170, 170), (170, 170, 170),
    (85, 85, 85), (255, 85, 85), (85, 255, 85), (255, 255, 85), (85, 85, 255), (255, 85, 255), (85, 255, 255),
    (255, 255, 255),
)  # fmt: skip


def luminance(rgb):
    parts = [part / 255 for part in rgb]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    """As WCAG 2 has it."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def as_seen(color, depth, sixteen):
    """What a terminal makes of it that knows so many colours, and whose first sixteen are these."""
    got = color.downgrade(SYSTEMS[depth])
    if got.number is not None and got.number < 16:
        return sixteen[got.number]
    return tuple(got.get_truecolor())


@pytest.mark.parametrize("sixteen", [XTERM, VGA], ids=["xterm", "vga"])
@pytest.mark.parametrize("depth", SYSTEMS)
@pytest.mark.parametrize("name", [DARK, LIGHT])
def test_every_tone_can_be_read_on_the_ground_and_on_the_cursor(name, depth, sixteen):
    """The other two themes have no ground of their own, and a cursor that inverts."""
    palette, theme = palette_of(name, depth), theme_of(name, depth)
    placeholder = RichColor.parse(theme.variables["text-disabled"])
    grounds = {"ground": palette.ground.bgcolor, "panel": RichColor.parse(theme.panel)}
    grounds |= {cursor: palette.style(cursor).bgcolor for cursor in ("cursor", "cursor_off")}
    told = []
    for where, ground in grounds.items():
        behind = as_seen(ground or palette.ground.bgcolor, depth, sixteen)
        least = {**dict.fromkeys(READ, 4.5), "bold": 4.5, "dim": 3.0}
        seen = {tone: (palette.style(tone).color, ratio) for tone, ratio in least.items()}
        for tone, (color, ratio) in (seen | {"placeholder": (placeholder, 3.0)}).items():
            got = contrast(as_seen(color, depth, sixteen), behind)
            if got < ratio:
                told.append(f"{tone} on {where}: {got:.1f}")
    assert told == []
    assert palette.cursor.bgcolor is not None or palette.cursor.reverse
    if palette.cursor.bgcolor is not None:
        assert as_seen(palette.cursor.bgcolor, depth, sixteen) != as_seen(palette.ground.bgcolor, depth, sixteen)


def test_the_other_two_are_drawn_on_the_terminals_own_ground_and_their_cursor_inverts():
    for name in (ANSI, MONO):
        for depth in SYSTEMS:
            palette = palette_of(name, depth)
            assert palette.ground.bgcolor is None
            assert palette.cursor.reverse
            assert palette.cursor.bgcolor is palette.cursor_off.bgcolor is None


def test_one_console_changes_its_own_palette_only(tmp_path):
    mine = Wardrobe(options(DARK), tmp_path, {}).look.palette
    before = PALETTES[DARK].accent
    mine.become(PALETTES[LIGHT])
    assert mine == PALETTES[LIGHT]
    assert PALETTES[DARK].accent == before


def test_the_theme_without_colours_has_none_and_tells_its_tones_apart():
    styles = [getattr(PALETTES[MONO], tone) for tone in ("text", "dim", "accent", "warn", "bad", "cursor")]
    assert all(style.color is None and style.bgcolor is None for style in styles)
    assert len(set(map(str, styles))) == len(styles)


def test_on_the_way_out_colours_go_and_the_rest_stays():
    bold = Style(color="red", bgcolor="#123456", bold=True, reverse=True, dim=True, underline=True)
    out = Colourless().apply([Segment("x", bold), Segment("y")], BLACK)
    assert [segment.text for segment in out] == ["x", "y"]
    style = out[0].style
    assert style is not None
    assert (style.color, style.bgcolor) == (None, None)
    assert style.bold
    assert style.reverse
    assert style.dim
    assert style.underline


@pytest.mark.parametrize(
    ("text", "lined"),
    [("802  ", ["802"]), ("  1.2k", ["1.2k"]), (" a b ", ["a b"]), ("    ", []), ("ab", ["ab"]), ("", [])],
)
def test_without_colours_there_is_a_line_under_words_and_none_under_room(text, lined):
    out = Colourless().apply([Segment(text, Style(bold=True, underline=True, color="red"))], BLACK)
    assert "".join(part.text for part in out) == text
    assert [part.text for part in out if part.style.underline and part.text] == lined
    assert all(part.style.bold and part.style.color is None for part in out)


def test_a_file_names_the_tones_that_it_wants_otherwise():
    look = parsed('base = "light"\naccent = "#112233"\nbad = "bright_red"\ncursor = "#aabbcc"\nline = "#010203"', "x-1")
    assert look.palette.accent.color.name == "#112233"
    assert look.palette.bad.color.name == "bright_red"
    assert look.palette.bad.bold
    assert look.palette.cursor.bgcolor.name == "#aabbcc"
    assert look.palette.text == PALETTES[LIGHT].text
    assert (look.theme.name, look.theme.variables["qd-line"], look.theme.dark) == ("x-1", "#010203", False)


def test_a_file_without_a_ground_is_drawn_on_the_terminals_own():
    assert parsed('base = "ansi"\naccent = "magenta"', "x").theme.ansi
    assert parsed('ground = "default"', "x").theme.ansi
    assert not parsed('base = "ansi"\nground = "#000000"\ntext = "#ffffff"', "x").theme.ansi


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("\naccent = = 1", "line 2"),
        ('acent = "red"', "did you mean accent?"),
        ('zzz = "red"', "there are text, dim"),
        ('accent = "reddish"', "accent = 'reddish' is no colour"),
        ("accent = 5", "accent = 5 is no colour"),
        ('base = "solar"', "base is 'solar'; it is one of dark"),
        ("base = []", "it is one of dark"),
    ],
)
def test_whatever_is_wrong_with_a_file_is_one_line(text, why):
    with pytest.raises(BadTheme) as error:
        parsed(text, "x")
    assert why in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "why"),
    [("nope", "there are dark, ansi, light, mono, mine"), ("../secret", "is made of"), ("a/b", "is made of")],
)
def test_a_theme_that_is_not_there_leaves_ours(name, why, tmp_path):
    (tmp_path / "themes").mkdir()
    (tmp_path / "themes" / "mine.toml").write_text("")
    (tmp_path / "secret.toml").write_text('accent = "red"')
    look = Wardrobe(options(name), tmp_path, {"TERM": "xterm"}).look
    assert look.theme.name == ANSI
    assert why in look.problem
    assert look.problem.endswith("; showing ansi")


def test_what_no_theme_can_be_is_not_read(tmp_path):
    (tmp_path / "themes").mkdir()
    (tmp_path / "themes" / "big.toml").write_text("#" * 70_000)
    (tmp_path / "themes" / "odd.toml").write_bytes(b"\xff\xfe")
    assert "larger than" in Wardrobe(options("big"), tmp_path, {}).look.problem
    assert "cannot read" in Wardrobe(options("odd"), tmp_path, {}).look.problem


def test_a_file_is_read_again_only_when_it_is_another_one(tmp_path):
    (tmp_path / "themes").mkdir()
    path = tmp_path / "themes" / "mine.toml"
    path.write_text('accent = "#112233"')
    wardrobe = Wardrobe(options("mine"), tmp_path, {})
    first = wardrobe.look
    assert not wardrobe.changed()
    path.write_text('accent = "#445566" # longer')
    assert wardrobe.changed()
    assert wardrobe.look.palette.accent.color.name == "#445566"
    assert wardrobe.look.theme.name != first.theme.name
    path.unlink()
    assert wardrobe.changed()
    assert "no themes/mine.toml" in wardrobe.look.problem
    assert not wardrobe.changed()


def test_every_theme_of_ours_knows_every_colour_that_a_style_sheet_asks_for():
    for theme in THEMES:
        assert {"qd-line", "input-selection-background", "input-cursor-background"} <= theme.variables.keys()


def test_every_tone_is_documented():
    page = (Path(__file__).parents[2] / "docs" / "themes.md").read_text()
    told = {line.split("`")[1] for line in page.splitlines() if line.startswith("| `")}
    assert {"base", *told} == set(KEYS)
