"""What do other token counters, installed by the user, make of a home full of logs? And how long do they take?

A peer is looked for on the PATH, in `$QD_PEERS/node_modules/.bin` and in `$QD_PEERS/bin`. Its answer is what it shows
its own user: its own total where it prints one, else the sum of its columns. It runs in a copy of the home, without a
network, and nothing it starts outlives its run.
"""

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

PATIENCE_S = 300.0
ALL_SOURCES = frozenset({"claude_code", "codex", "openclaw", "gemini", "opencode"})


class PeerError(Exception):
    """A peer that gave no usable answer. The text says why, in one line."""


class Counted(NamedTuple):
    """Tokens, in the terms of `qd usage --json`."""

    input_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    output_tokens: int

    @property
    def total(self) -> int:
        """Every token, once."""
        return sum(self)


class Peer(NamedTuple):
    """A counter and how to ask it. Every method raises `PeerError`."""

    name: str
    program: str
    reads: frozenset[str]
    """Sources, by our names."""
    steps: Callable[[str], tuple[list[str], ...]]
    """Commands for the path of its program; the last one prints JSON."""
    counted: Callable[[Any], Counted]
    """From that JSON to our terms."""
    habits: dict[str, str] = {}
    """By source: why its own total is off on an ordinary log, without any trap."""
    prepare: Callable[[Path], None] = lambda home: None
    """What a home needs for a run without a network."""

    def version(self) -> str:
        """As the program tells it."""
        with tempfile.TemporaryDirectory() as home:
            said = _run([_found(self.program), "--version"], Path(home))
        match = re.search(r"\d+(\.\d+)+", said)
        if match is None:
            raise PeerError(f"no version in {said[:80]!r}")
        return match[0]

    def read(self, home: Path) -> Counted:
        """What it reads out of the logs below a HOME."""
        with self._copy(home) as copy:
            return self._ask(copy)

    def run_timed(self, home: Path) -> tuple[float, float]:
        """CPU seconds of all its processes, and wall seconds, of one run over a home that it has never seen."""
        with self._copy(home) as copy:
            before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
            self._ask(copy)
            wall_s, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
        return (after.ru_utime - before.ru_utime) + (after.ru_stime - before.ru_stime), wall_s

    def _ask(self, home: Path) -> Counted:
        said = ""
        for argv in self.steps(_found(self.program)):
            said = _run(argv, home)
        try:
            return self.counted(json.loads(said))
        except (ValueError, KeyError, TypeError) as error:
            raise PeerError(f"unexpected answer, {error!r}: {said[:80]!r}") from error

    @contextmanager
    def _copy(self, home: Path) -> Iterator[Path]:
        """A copy with the same times: peers leave caches behind, which the next one must not see."""
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / "home"
            shutil.copytree(home, copy, symlinks=True)
            self.prepare(copy)
            yield copy


def installed() -> list[Peer]:
    """The peers of the table that are here."""
    return [peer for peer in PEERS if shutil.which(peer.program, path=_path())]


def _found(program: str) -> str:
    found = shutil.which(program, path=_path())
    if found is None:
        raise PeerError(f"{program} is not installed")
    return found


def _path() -> str:
    folder = os.environ.get("QD_PEERS")
    own = [f"{folder}/node_modules/.bin", f"{folder}/bin"] if folder else []
    return os.pathsep.join([*own, os.environ.get("PATH", os.defpath)])


def _run(argv: list[str], home: Path) -> str:
    """Standard output of a command that has nothing but this HOME."""
    dead = "http://127.0.0.1:9"  # the discard port: a download of prices fails at once
    environment = {"HOME": str(home), "PATH": _path(), "TZ": "UTC", "LANG": "C.UTF-8", "NO_COLOR": "1", "CI": "1"}
    environment |= {"HTTP_PROXY": dead, "HTTPS_PROXY": dead, "http_proxy": dead, "https_proxy": dead}
    environment |= {"NODE_USE_ENV_PROXY": "1", "AGENTSVIEW_NO_DAEMON": "1"}
    with subprocess.Popen(
        argv,
        cwd=home,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        try:
            out, err = process.communicate(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            raise PeerError(f"no answer in {PATIENCE_S:.0f} s") from None
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    if process.returncode != 0:
        raise PeerError(f"exit {process.returncode}: {' '.join((err or out).split())[:160]}")
    return out


def _ccusage(program: str) -> tuple[list[str], ...]:
    return ([program, "daily", "--json", "--offline", "--no-cost"],)


def _ccusage_counted(answer: Any) -> Counted:
    # Its input is uncached for every client. Its output column leaves out the thoughts of Gemini and the reasoning of
    # opencode, which its own total has: so output is the rest of that total.
    totals = answer["totals"] or {"inputTokens": 0, "cacheReadTokens": 0, "cacheCreationTokens": 0, "totalTokens": 0}
    parts = totals["inputTokens"], totals["cacheReadTokens"], totals["cacheCreationTokens"]
    return Counted(*parts, totals["totalTokens"] - sum(parts))


def _tokscale(program: str) -> tuple[list[str], ...]:
    return ([program, "models", "--json", "--no-spinner"],)


def _tokscale_counted(answer: Any) -> Counted:
    # Its screen adds up all five columns, so reasoning is output beside its output column. Gemini's input column has
    # the cached part inside and is added up all the same: that is its own total, and stays.
    reasoning = sum(entry["reasoning"] for entry in answer["entries"])
    parts = answer["totalInput"], answer["totalCacheRead"], answer["totalCacheWrite"]
    return Counted(*parts, answer["totalOutput"] + reasoning)


def _tokscale_prices(home: Path) -> None:
    """It has no offline flag, and fails without prices: an empty list, as if fetched just now."""
    folder = home / ".cache" / "tokscale"
    folder.mkdir(parents=True)
    for name in ("litellm", "openrouter"):
        (folder / f"pricing-{name}.json").write_text(json.dumps({"timestamp": int(time.time()), "data": {}}))


def _codeburn(program: str) -> tuple[list[str], ...]:
    # Without the limit it hides what costs less than a cent; "all" is six months.
    return ([program, "models", "--format", "json", "--min-cost", "0", "--from", "2020-01-01", "--to", "2099-12-31"],)


def _codeburn_counted(answer: Any) -> Counted:
    # Its columns do not overlap, and its total is their sum. It adds Codex's reasoning to an output that has it
    # already: that is its own total, and stays.
    names = ("inputTokens", "cacheReadTokens", "cacheWriteTokens", "outputTokens")
    return Counted(*(sum(row[name] for row in answer) for name in names))


def _agentsview(program: str) -> tuple[list[str], ...]:
    usage = ["usage", "daily", "--all", "--json", "--offline", "--no-sync", "--timezone", "UTC"]
    return [program, "sync"], [program, *usage]


def _agentsview_counted(answer: Any) -> Counted:
    # Its columns do not overlap, and it prints no total.
    totals = answer["totals"]
    names = ("inputTokens", "cacheReadTokens", "cacheCreationTokens", "outputTokens")
    return Counted(*(totals[name] for name in names))


# Its JSON has the last eight days only; the table of `--view daily` has everything, but waits for Ctrl+C and is no
# format for programs. So we ask the class behind that table, in the interpreter it is installed for.
_CLAUDE_MONITOR = """
import json
from claude_monitor.cli.main import discover_claude_data_paths
from claude_monitor.data.aggregator import UsageAggregator
asked = UsageAggregator([str(path) for path in discover_claude_data_paths()], "daily", "UTC")
print(json.dumps(asked.calculate_totals(asked.aggregate())))
"""


def _claude_monitor(program: str) -> tuple[list[str], ...]:
    return ([str(Path(program).resolve().with_name("python")), "-c", _CLAUDE_MONITOR],)


def _claude_monitor_counted(answer: Any) -> Counted:
    # Claude's own terms, which are ours; its total is the sum.
    names = ("input_tokens", "cache_read_tokens", "cache_creation_tokens", "output_tokens")
    return Counted(*(answer[name] for name in names))


PEERS = (
    Peer("ccusage", "ccusage", ALL_SOURCES, _ccusage, _ccusage_counted),
    Peer(
        "tokscale",
        "tokscale",
        ALL_SOURCES,
        _tokscale,
        _tokscale_counted,
        {
            "codex": "cache writes stay under input",
            "gemini": "the cached part of the input is counted as input and as cache; sessions in `.jsonl`, or with a"
            " prompt that is a list of parts, are not read",
        },
        _tokscale_prices,
    ),
    Peer(
        "codeburn",
        "codeburn",
        ALL_SOURCES,
        _codeburn,
        _codeburn_counted,
        {"codex": "reasoning is added to an output that has it already, and cache writes stay under input"},
    ),
    Peer(
        "agentsview",
        "agentsview",
        ALL_SOURCES,
        _agentsview,
        _agentsview_counted,
        {
            "gemini": "the input of a message is taken for a running total of the session",
            "opencode": "reasoning, which stands beside output, is left out",
        },
    ),
    Peer("claude-monitor", "claude-monitor", frozenset({"claude_code"}), _claude_monitor, _claude_monitor_counted),
)
