"""What of a pasted text is handed on? Its words: a sequence of control characters in it would come out as keys.

Whoever copies from a page, or from a log, does not see what else is in it; Textual takes the brackets of a paste for
less than they are, and reads what a sequence inside them says.
"""

BEGIN, END = "\x1b[200~", "\x1b[201~"
_KEPT = "\t\n\r"
_OBEYED = dict.fromkeys(code for code in (*range(32), 127, *range(128, 160)) if chr(code) not in _KEPT)


class Pastes:
    """What comes from a terminal, bit by bit: brackets may be cut anywhere."""

    def __init__(self) -> None:
        self._inside = False
        self._before = ""
        """The end of what was handed on outside: a bracket may begin in it."""
        self._held = ""
        """Inside: what may be the beginning of the bracket that closes."""

    def taken(self, typed: str) -> str:
        """The same with every paste in it free of control characters, but for tabs and the ends of lines."""
        out: list[str] = []
        while typed:
            part, typed = self._content(typed) if self._inside else self._keys(typed)
            out.append(part)
        return "".join(out)

    def _keys(self, typed: str) -> tuple[str, str]:
        """Up to the bracket that opens, with it."""
        seam = self._before + typed
        end = seam.find(BEGIN) + len(BEGIN) - len(self._before) if BEGIN in seam else len(typed)
        self._inside = BEGIN in seam
        self._before = "" if self._inside else seam[1 - len(BEGIN) :]
        return typed[:end], typed[end:]

    def _content(self, typed: str) -> tuple[str, str]:
        """Up to the bracket that closes, with it."""
        typed, self._held = self._held + typed, ""
        words, found, rest = typed.partition(END)
        if found:
            self._inside = False
        else:
            words, self._held = _held_back(words)
        return words.translate(_OBEYED) + found, rest


def _held_back(words: str) -> tuple[str, str]:
    """What is surely no part of the closing bracket, and what may begin one."""
    at = words.rfind(END[0], 1 - len(END) if len(words) >= len(END) else None)
    return (words[:at], words[at:]) if at >= 0 and END.startswith(words[at:]) else (words, "")
