"""What has been typed after `:`? Kept over restarts, private, and without what looks like a secret."""

import re
import threading

from state.files import write_private
from state.home import Home
from tui.clean import clean

CAP = 200
_LONGEST = 1000
_SECRET = re.compile(
    r"(key|token|secret|passw\w*|auth\w*|credential\w*|bearer)s?[\"']?\s*[=:]\s*\S"
    r"|--(api-?key|token|secret|password)\b|\bbearer\s+\S{8}"
    r"|\b(sk|pk|rk|ghp|gho|ghs|github_pat|glpat|xox[abpr]|AKIA|AIza|eyJ)[-_A-Za-z0-9]{12,}"
    r"|://[^/\s:@]+:[^/\s@]+@",
    re.IGNORECASE,
)


def keepable(line: str) -> bool:
    """Whether a line may go to disk. One that begins with a blank is the operator's word that it may not."""
    return bool(line.strip()) and not line.startswith(" ") and len(line) <= _LONGEST and not _SECRET.search(line)


class History:
    """The lines, oldest first. Several consoles share the file; each adds to what is in it by then."""

    def __init__(self, home: Home, writes: bool = True) -> None:
        """A console that only looks leaves nothing behind: its lines last as long as it does."""
        self._path = home.state / "history"
        self._writes = writes
        self._lock = threading.Lock()
        self.lines = self._read()

    def add(self, line: str) -> None:
        """Remember it; the same one twice in a row is remembered once."""
        said = clean(line.strip())
        if not said or self.lines[-1:] == [said]:
            return
        self.lines = [*self.lines, said][-CAP:]
        if self._writes and keepable(line):
            threading.Thread(target=self._keep, args=(said,), name="history", daemon=True).start()

    def _keep(self, line: str) -> None:
        """The disk may be slow: not on the screen's thread. If it cannot be written, that is not the line's fault."""
        with self._lock:
            kept = [known for known in self._read() if known != line]
            try:
                write_private(self._path, "".join(f"{one}\n" for one in [*kept, line][-CAP:]).encode())
            except OSError:
                self._writes = False

    def _read(self) -> list[str]:
        try:
            text = self._path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return []
        return [clean(line) for line in text.splitlines() if line.strip()][-CAP:]
