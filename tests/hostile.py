"""A hundred texts that a terminal, a parser of markup or a layout might take for more than text.

Each begins with a mark of its own (`h000` to `h099`), by which it is found on a screen.
"""

import re
import unicodedata

_ESCAPES = (
    "\x1b[2J", "\x1b[31;4242m", "\x1b[4242;1H", "\x1b[?1049l", "\x1b[?25h", "\x1b[?1003h", "\x1b[?2004l", "\x1b[6n",
    "\x1b[c", "\x1b[>c", "\x1b[21t", "\x1b[8;4;2t", "\x1b[4242@", "\x1b[!p", "\x1b[4242;4242r", "\x1bc", "\x1b7",
    "\x1b8",
    "\x1bM", "\x1b#8", "\x1b(0", "\x1b%G", "\x1b]0;title\x07", "\x1b]2;title\x1b\\", "\x1b]52;c;aGFjaw==\x07",
    "\x1b]52;p;aGFjaw==\x1b\\", "\x1b]8;;http://evil/\x07link\x1b]8;;\x07",
    "\x1b]8;;file:///etc\x1b\\link\x1b]8;;\x1b\\",
    "\x1b]9;ping\x07", "\x1b]777;notify;a;b\x07", "\x1b]1337;File=:AAAA\x07", "\x1b]4;1;?\x07", "\x1b]10;?\x07",
    "\x1b]50;#\x07", "\x1b]104\x07", "\x1bP+q544e\x1b\\", "\x1bPtmux;\x1b\x1b]52;c;eA==\x07\x1b\\", "\x1bP$q q\x1b\\",
    "\x1b_apc\x1b\\", "\x1b^pm\x1b\\", "\x1bXsos\x1b\\", "\x1b]unterminated", "\x1bPunterminated", "\x1b[", "\x1b",
    "\x1b[200~q\r\x1b[201~", "\x1b[<0;1;1M",
)  # fmt: skip
_CONTROLS = (
    "\x00", "\x00after", "\x01\x02\x03", "\x05", "\x07\x07", "\x08\x08\x08over", "\x0b\x0c", "\x0e\x0f",
    "\x18\x1a", "\x7f",
    "\x9b31m", "\x9b2J", "\x9d52;c;eA==\x9c", "\x90q\x9c", "\x84\x85\x88\x8d", "\x80\x9f",
)  # fmt: skip
_UNICODE = (
    "\u202eexe.gnp", "\u2066\u2067\u2068x\u2069", "\u202a\u202b\u202c", "\u200e\u200f\u061c", "a" + "\u0301" * 300,
    "".join(f"{letter}\u0336\u0334\u0489" for letter in "zalgo"), "\u200b\u200c\u200d\u2060",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "\ufeffbom", "so\u00adft", "\ue000\uf8ff\U000f0000", "\U000e0041\U000e007f", "\u3164\u115f\uffa0",
    "漢字" * 40, "\uff21\uff22",
    "مرحبا עברית", "\ufdd0\uffff", "\u2028line\u2029para", "\ud800lone", "\udc80\udcff", "\ufe0f\u20e3",
    "\U0001f1e9\U0001f1ea",
)  # fmt: skip
_TEXTS = (
    "[bold]x[/bold]", "[/]", "[", "[[", "[@click=app.quit]x[/]", "[link=http://e]x[/link]", "\\[x]",
    "{x} %s %d {0}", "x" * 5000,
    " ".join(f"word{number}" for number in range(1400)),
    "a\nb\nc", "a\r\nb\rc", "one\ttwo\t\tthree", "'; DROP TABLE runs; --", "$(reboot) `id` && x",
)  # fmt: skip
PAYLOADS = (*_ESCAPES, *_CONTROLS, *_UNICODE, *_TEXTS)
HOSTILE = tuple(f"h{number:03} {payload}" for number, payload in enumerate(PAYLOADS))
assert len(HOSTILE) == 100, len(HOSTILE)

OWN = re.compile(
    r"\x1b\[[0-9;:]*[mHXCKJ]|\x1b\[\?(?:1049|25|7|2004|2026|1000|1006)[hl]|\x1b\[>25u|\x1b\[<u|\x1b\[\?2026\$p|\x1b\[2[23];0t"
    r"|\x1b\]2;(?!title)[ -~]*\x07|\x1b\]22;[a-z-]*\x07"
)
"""What the console itself tells a terminal. What hostile text would say in the same words has 4242 in it, or is a whole
screen cleared."""
HARMLESS = "\r\n"


def stored(text: str) -> str:
    """As a database or a configuration can hold it: no lone surrogates."""
    return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def forbidden(written: bytes) -> list[str]:
    """What a terminal would obey or could not show, in all that was written to it."""
    text = written.decode("utf-8")
    found = [sequence for sequence in OWN.findall(text) if "4242" in sequence]
    left = OWN.sub("", text)
    where = (at for at, one in enumerate(left) if one not in HARMLESS and _obeyed(one))
    return found + [left[max(0, at - 10) : at + 30] for at in where]


def _obeyed(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn")


def marks(text: str) -> set[str]:
    """Of which hostile texts something is to be seen here."""
    return set(re.findall(r"h0[0-9][0-9]", text))
