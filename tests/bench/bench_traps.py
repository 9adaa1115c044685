"""Does `qd usage` fall into any known trap, and which other counters do? One table, all on the same generated logs.

`make bench ARGS="-k traps"` prints it; `python -m tests.bench.bench_traps --markdown` writes it into
docs/traps.md, and its sum into README.md.
Only our own column is asserted. A peer that is not installed (see `peers`) is no column.
"""

import argparse
import json
import os
import pkgutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import pytest

import tests.traps
from tests.bench.clean_logs import CLEAN
from tests.bench.peers import Counted, Peer, PeerError, installed
from tests.traps.trap import Expected, Trap

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "traps.md"
README = ROOT / "README.md"
MARKS = ("<!-- traps -->", "<!-- /traps -->")
QD = Path(sys.executable).with_name("qd")
CLIENTS = {
    "claude_code": "Claude Code",
    "codex": "Codex",
    "openclaw": "OpenClaw",
    "gemini": "Gemini CLI",
    "opencode": "opencode",
}
MODULES = ("claude", "codex", "openclaw", "gemini", "opencode")
AT_ONCE = 2
PATIENCE_S = 120.0

Answer = Counted | str | None
"""Tokens, why there are none, or None: this counter does not read that client."""


class Row(NamedTuple):
    """One trap, and what each counter made of it."""

    trap: Trap
    truth: Expected
    ours: Answer
    responses: int
    peers: tuple[Answer, ...]

    @property
    def counted(self) -> Counted:
        """The truth as a counter should tell it."""
        return Counted(*self.truth[1:5])

    @property
    def is_right(self) -> bool:
        """Whether we are exact, down to the number of responses."""
        return self.ours == self.counted and self.responses == self.truth.responses


def all_traps() -> list[Trap]:
    """Every trap there is, behind the ordinary log of its client."""
    present = {module.name for module in pkgutil.iter_modules(tests.traps.__path__)}
    modules = [import_module(f"tests.traps.{name}") for name in MODULES if name in present]
    traps = [*CLEAN, *(trap for module in modules for trap in module.TRAPS)]
    return sorted(traps, key=lambda trap: list(CLIENTS).index(trap.source))


def measure(traps: Iterable[Trap], peers: Sequence[Peer], folder: Path) -> list[Row]:
    """Build every trap below the folder and let everyone count it."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(lambda trap: _row(trap, peers, folder / trap.source / trap.name), traps))


def _row(trap: Trap, peers: Sequence[Peer], folder: Path) -> Row:
    home = folder / "home"
    home.mkdir(parents=True)
    truth = trap.build(home)
    asked = tuple(_ask(peer, home) if trap.source in peer.reads else None for peer in peers)
    ours, responses = _quarterdeck(home, folder / "state")
    return Row(trap, truth, ours, responses, asked)


def _ask(peer: Peer, home: Path) -> Counted | str:
    try:
        return peer.read(home)
    except PeerError as error:
        return str(error)


def _quarterdeck(home: Path, state: Path) -> tuple[Counted | str, int]:
    """The program as a user runs it, without an engine."""
    command = [str(QD), "usage", "--json", "--home", str(state)]
    environment = {"HOME": str(home), "PATH": os.environ["PATH"], "TZ": "UTC", "LANG": "C.UTF-8"}
    said = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, timeout=PATIENCE_S)
    if said.returncode != 0:
        return f"exit {said.returncode}: {said.stderr.strip()[-300:]}", 0
    total = json.loads(said.stdout)["totals"]
    names = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens")
    return Counted(*(total[name] for name in names)), total["responses"]


def table(rows: Sequence[Row], peers: Sequence[Peer]) -> str:
    """The table as Markdown: one row per trap, then how many are right."""
    heads = ["client", "trap", "truth", "Quarterdeck", *(f"{peer.name} {peer.version()}" for peer in peers)]
    lines = [heads, ["---", "---", *["---:"] * (len(heads) - 2)]]
    lines += [_line(row) for row in rows]
    columns = [[row.ours for row in rows], *zip(*(row.peers for row in rows), strict=True)]
    lines.append(["all", "exact", f"{len(rows)} logs", *(_share(rows, column, _is_exact) for column in columns)])
    lines.append(["all", "right sum", f"{len(rows)} logs", *(_share(rows, column, _has_sum) for column in columns)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _line(row: Row) -> list[str]:
    cells = (cell(row.counted, answer) for answer in (row.ours, *row.peers))
    return [CLIENTS[row.trap.source], row.trap.name, f"{row.truth.total:,}", *cells]


def cell(truth: Counted, answer: Answer) -> str:
    """One counter's answer beside the truth."""
    if answer is None:
        return "-"
    if isinstance(answer, str):
        return "fails"
    if answer == truth:
        return "="
    return "(=)" if answer.total == truth.total else error(truth.total, answer.total)


def error(truth: int, counted: int) -> str:
    """How far off, in percent of the truth; in tokens where the truth is none."""
    if counted == truth:
        return "="
    if truth == 0:
        return f"+{counted:,} tokens"
    percent = f"{100 * (counted - truth) / truth:+,.1f}"
    return f"{percent} %" if percent not in ("+0.0", "-0.0") else f"{percent[0]}0.1 % or less"


def _share(rows: Sequence[Row], column: Sequence[Answer], is_right: Callable[[Row, Answer], bool]) -> str:
    tried = [(row, answer) for row, answer in zip(rows, column, strict=True) if answer is not None]
    return f"{sum(is_right(row, answer) for row, answer in tried)} of {len(tried)}" if tried else "-"


def _is_exact(row: Row, answer: Answer) -> bool:
    return answer == row.counted


def _has_sum(row: Row, answer: Answer) -> bool:
    return isinstance(answer, Counted) and answer.total == row.truth.total


def remarks(rows: Sequence[Row], peers: Sequence[Peer]) -> list[str]:
    """Why a peer is off on a log without a trap, and what stopped those that failed."""
    said = []
    for row in rows:
        for peer, answer in zip(peers, row.peers, strict=True):
            place = f"{peer.name}, {CLIENTS[row.trap.source]}"
            if isinstance(answer, str):
                said.append(f"{place}, {row.trap.name}: {answer}")
            elif row.trap.name == "clean" and answer not in (None, row.counted):
                said.append(f"{place}: {peer.habits.get(row.trap.source, 'off on an ordinary log')}.")
    return said


@pytest.mark.timeout(3600)
def test_no_trap_catches_us(tmp_path):
    peers = installed()
    rows = measure(all_traps(), peers, tmp_path)
    print(f"\n{table(rows, peers)}\n", *remarks(rows, peers), sep="\n")
    assert [(row.trap.source, row.trap.name, row.ours, row.truth) for row in rows if not row.is_right] == []


LEGEND = """\
# Traps

Logs of agent CLIs mislead whoever adds up their tokens. Each row is one way in which they do, as a small generated log
whose exact content is known. All counters read the same files; the peers were the versions named in the header, in a
home of their own and without a network. Made by `python -m tests.bench.bench_traps --markdown`, which needs the peers
in a folder named by `QD_PEERS`:

```
npm install --prefix "$QD_PEERS" ccusage tokscale codeburn node bun
python3 -m venv "$QD_PEERS" && "$QD_PEERS/bin/pip" install agentsview claude-monitor
```

The truth is in tokens: uncached input, cache reads, cache writes and output, reasoning included, each token once.
`=` is exact in all four; `(=)` has the right sum, but puts some of it under the wrong head, at another price; a
percentage is the error of the sum; `-` means that this counter does not read this client. The rows named clean are
ordinary logs without a trap. Several traps are rare: the share of exact rows is no share of exact users. Below the
table stands what happens in each.
"""


def page(rows: Sequence[Row], peers: Sequence[Peer]) -> str:
    """All of docs/traps.md."""
    whys = [f"- {CLIENTS[row.trap.source]}, `{row.trap.name}`: {row.trap.why}." for row in rows]
    said = [f"- {remark}" for remark in remarks(rows, peers)]
    parts = [LEGEND, table(rows, peers) + "\n"]
    if said:
        parts += ["## Off on an ordinary log, or without an answer\n", "\n".join(said) + "\n"]
    return "\n".join([*parts, "## What happens in each\n", "\n".join(whys) + "\n"])


README_TEXT = """\
{exact} of {logs} generated logs with a known answer, one for each known way in which they mislead, are counted exactly,
response by response; the best of the other counters tried ({names}) counts {best} exactly. Trap by trap:
[docs/traps.md](docs/traps.md).
"""


def readme(text: str, rows: Sequence[Row], peers: Sequence[Peer]) -> str:
    """The README with new figures between its marks."""
    columns = [*zip(*(row.peers for row in rows), strict=True)]
    exact = [sum(map(_is_exact, rows, column)) for column in columns]
    said = README_TEXT.format(
        exact=sum(_is_exact(row, row.ours) for row in rows),
        logs=len(rows),
        best=max(exact),
        names=", ".join(f"{peer.name} {peer.version()}" for peer in peers),
    )
    before, after = text.split(MARKS[0])[0], text.split(MARKS[1])[1]
    return f"{before}{MARKS[0]}\n{said}{MARKS[1]}{after}"


def main() -> int:
    """Print the table, or write the page that has and explains it, and its sum into the README."""
    parser = argparse.ArgumentParser(description="Who falls into which trap?")
    parser.add_argument(
        "--markdown", action="store_true", help="write README.md and docs/traps.md instead; needs peers"
    )
    options = parser.parse_args()
    peers = installed()
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(all_traps(), peers, Path(folder))
    if options.markdown:
        PAGE.write_text(page(rows, peers))
        README.write_text(readme(README.read_text(), rows, peers))
    else:
        print(table(rows, peers), *remarks(rows, peers), sep="\n")
    return 0 if all(row.is_right for row in rows) else 1


if __name__ == "__main__":
    raise SystemExit(main())
