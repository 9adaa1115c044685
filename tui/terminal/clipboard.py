"""How does a text get to the operator's own clipboard, over any number of hops? By OSC 52, which the terminal obeys.

Nothing tells whether it did: what is said is what was sent. Pure.
"""

import base64
from collections.abc import Mapping

from msgspec import Struct

from tui.clean import clean
from tui.terminal.around import BEL, ESC, around, through_screen, through_tmux
from tui.terminal.driver import is_simple

CAP_BYTES = 74_994
"""What xterm takes, before base64; other terminals take as much or more."""


class Sent(Struct, frozen=True):
    """What goes to the terminal, and what it holds."""

    bytes_out: str
    """Empty where the terminal has no clipboard."""
    text: str
    """As it will be pasted."""
    left_out: int
    """Bytes that were too many."""


def sent(text: str, environ: Mapping[str, str]) -> Sent:
    """Without what an eye would miss and a shell would obey; of a text that is too long, the beginning."""
    safe = harmless(text)
    kept = safe.encode()[:CAP_BYTES].decode("utf-8", "ignore")
    left_out = len(safe.encode()) - len(kept.encode())
    if is_simple(environ):
        return Sent("", kept, left_out)
    return Sent(wrapped(f"{ESC}]52;c;{base64.b64encode(kept.encode()).decode()}{BEL}", environ), kept, left_out)


def harmless(text: str) -> str:
    """Line by line as it would be shown, none shortened. No line break at the end: a shell would run the last line."""
    lines = text.replace("\r\n", "\n").expandtabs(4).split("\n")
    return "\n".join(clean(line, max(1, len(line))) for line in lines).rstrip("\n")


def wrapped(sequence: str, environ: Mapping[str, str]) -> str:
    """For tmux both ways: its own (`set-clipboard on`), and through to the terminal around it (`allow-passthrough on`);
    which of them is allowed is not told. GNU screen only passes it on."""
    match around(environ):
        case "tmux":
            return sequence + through_tmux(sequence)
        case "screen":
            return through_screen(sequence)
        case _:
            return sequence


def said(what: str, done: Sent, again: str) -> str:
    """`copied run id: 812 (y again: workspace)`, and what is not in it."""
    if not done.text:
        return f"there is nothing to copy: {what} is empty"
    lines = done.text.count("\n") + 1
    shown = clean(done.text, 48) if lines == 1 else f"{lines:,} lines"
    cut = f"; cut: the last {done.left_out:,} bytes are not in it" if done.left_out else ""
    return f"copied {what}: {shown}{cut}{f' (again: {again})' if again else ''}"
