"""How is any agent of the Agent Client Protocol started and spoken to, and what does its output mean?

The child is a program of ours, `acp_client`, which starts the agent that `argv` names and speaks the protocol with it.
"""

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec.structs import replace

import engine
from engine.adapters.acp_client import claude
from engine.adapters.acp_client.lines import Job, Used, Word, read_line
from engine.adapters.claude_code import settings_of as claude_settings
from engine.adapters.claude_code import state_paths as claude_state
from engine.adapters.codex import settings_of as codex_settings
from engine.adapters.codex_home import real_home
from engine.adapters.command import argv_values, as_text, lacks_program
from engine.adapters.own_settings import Setting, noted
from engine.adapters.tape import Tape, last_line
from engine.config.params import fill, names_in
from engine.contract.adapter import Reader, Speech
from engine.contract.launch import AdapterRequest, AdapterResult, Launch, RunUsage, Service, Wanted
from engine.contract.progress import Progress, Said, Thought, ToolDone, ToolUse, TurnOver
from state.errors import Refused

_GEMINI = ("settings.json", "GEMINI.md", "commands", "extensions", "trustedFolders.json", ".env")
_OPENCODE = (
    *("opencode.json", "opencode.jsonc", "config.json", "AGENTS.md"),
    *(f"{name}{plural}" for name in ("agent", "command", "plugin", "skill", "tool") for plural in ("", "s")),
)
_CLAUDE = ("claude-agent-acp", "claude-code-acp")
_STATE: dict[str, tuple[str, ...]] = {
    "codex-acp": (".codex",),
    "gemini": (".gemini",),
    "opencode": (".local/share/opencode", ".local/state/opencode", ".cache/opencode", ".config/opencode"),
}
"""What agents must be able to write of their own, below HOME, by the name of their program."""


class AcpSpeech:
    """One line of JSON for each."""

    def message(self, text: str) -> bytes:
        return _word(Word(message=text))

    def answer(self, asked: str, allow: bool, why: str = "") -> bytes:
        return _word(Word(answer=asked, allow=allow, why=why))

    def interrupt(self) -> bytes:
        return _word(Word(interrupt=True))


class AcpAdapter:
    """Whatever speaks the protocol over its input and output."""

    name = "acp"
    free = False
    source: str | None = None
    """Whose log it keeps, if any, is not known before it has told its conversation: then its rows are found by that."""
    provider = ""
    key_env: str | None = None
    speech: Speech | None = AcpSpeech()

    def resumes(self, argv_resume: tuple[str, ...]) -> bool:
        """Whether this agent can, it tells when it is asked to: then it is `resume_refused`."""
        return True

    def lacks(self, wanted: Wanted) -> tuple[str, str]:
        return lacks_program(wanted)

    def overhead_tokens(self, wanted: Wanted) -> int:
        """What an agent sends beside our prompt is its own business; what others are known to send is declared."""
        known = wanted.argv and claude.is_claude(Path(wanted.argv[0]).name)
        return claude.overhead_tokens(wanted.tools, wanted.keep) if known else 0

    def launch(self, request: AdapterRequest) -> Launch:
        """Raises Refused when no agent is declared."""
        if not request.argv:
            raise Refused("the agent's adapter is `acp`, but it has no program to speak to", "give it an argv")
        values = argv_values(request.model, request.tools, request.provider_id, request.workspace)
        argv = tuple(fill(word, values) for word in request.argv)
        # -P: the child's folder is the workspace, whose modules must not take the place of ours.
        program = (sys.executable, "-P", "-m", "engine.adapters.acp_client")
        env = {"PYTHONPATH": str(_root())}
        if request.model is not None:
            env["QUARTERDECK_MODEL"] = request.model
        return Launch(
            argv=program,
            stdin=msgspec.json.encode(_job(request, argv)).decode() + "\n",
            env=env,
            files=noted(_settings_of(argv[0])),
            input_open=request.held or request.permissions == "ask",
            state_paths=_state_paths(argv[0]),
            read_paths=_read_paths(argv[0]),
        )

    def reader(self, folder: Path, start: int = 0) -> Reader:
        return AcpReader(folder, start)


class AcpReader:
    """Follows what the program tells."""

    def __init__(self, folder: Path, start: int = 0) -> None:
        self.usage: RunUsage | None = None
        self.turns = 0
        self._folder = folder
        self._tape = Tape(folder / "stdout.log", start)
        self._said: list[str] = []
        self._over: TurnOver | None = None
        self._asks_next = True

    @property
    def offset(self) -> int:
        return self._tape.offset

    def poll(self) -> Sequence[Progress] | None:
        lines = self._tape.lines()
        if lines is None:
            return None
        told = [self._take(line) for line in lines]
        return [one for one in told if one is not None]

    def result(self, exit_code: int | None) -> AdapterResult:
        while self.poll() is not None:
            continue
        self._take(self._tape.last())
        if self._over is not None:
            return self._over.result
        how = "ended by a signal" if exit_code is None else f"exited with code {exit_code}"
        last = last_line(self._folder / "stderr.log")
        why = f"the client {how} before the agent had answered" + (f": {last}" if last else "")
        return AdapterResult("".join(self._said), False, why, turns=self.turns or None)

    def _take(self, line: bytes) -> Progress | None:
        told = read_line(line)
        if isinstance(told, Used):
            self._use(told)
            return None
        if isinstance(told, TurnOver):
            return self._end(told)
        self._count(told)
        if isinstance(told, Said):
            self._said.append(told.text)
        return told

    def _count(self, told: Progress | None) -> None:
        """What comes after a tool's result is the answer to one more request."""
        if isinstance(told, ToolDone):
            self._asks_next = True
        elif isinstance(told, Said | Thought | ToolUse):
            if self._over is not None:  # one more turn has begun
                self._over, self.usage, self.turns, self._asks_next = None, None, 0, True
                self._said.clear()
            self.turns += self._asks_next
            self._asks_next = False

    def _use(self, told: Used) -> None:
        """Within a turn, at least what its context holds; not what it was made of, and so not what it costs."""
        if self.usage is None or told.tokens > self.usage.input_tokens:
            self.usage = RunUsage(told.tokens, 0)

    def _end(self, told: TurnOver) -> TurnOver:
        result = replace(told.result, text="".join(self._said), turns=self.turns or None)
        self._over = TurnOver(result)
        self.usage = result.usage
        return self._over


def _word(word: Word) -> bytes:
    told = {name: value for name, value in msgspec.structs.asdict(word).items() if value is not None}
    return msgspec.json.encode(told) + b"\n"


def _job(request: AdapterRequest, argv: tuple[str, ...]) -> Job:
    before = request.before.cost_microusd if request.before is not None and request.resume else None
    return Job(
        argv=argv,
        cwd=request.workspace,
        prompt=as_text(request.prompt),
        begin="load" if request.resume else "fork" if request.fork_of is not None else "new",
        session=request.provider_id if request.resume else request.fork_of,
        model=None if "model" in names_in(request.argv) else request.model,
        tools=None if "tools" in names_in(request.argv) else request.tools,
        keep=request.keep,
        can_read=request.can_read,
        can_write=request.can_write,
        permissions=request.permissions,
        held=request.held,
        before_microusd=before,
    )


def _root() -> Path:
    return Path(engine.__file__).parent.parent


def _state_paths(program: str) -> tuple[str, ...]:
    """Those of Claude as its own adapter grants them: with a key, none of what says what it does next."""
    home, name = Path(os.environ.get("HOME", "/")), Path(program).name
    if name in _CLAUDE:
        return claude_state(Service(key_known="ANTHROPIC_API_KEY" in os.environ))
    return tuple(str(home / path) for path in _STATE.get(name, ()))


def _settings_of(program: str) -> tuple[Setting, ...]:
    """What says what an agent does, by the name of its program."""
    home, name = Path(os.environ.get("HOME", "/")), Path(program).name
    if name in _CLAUDE:
        return claude_settings(Service())
    if name == "codex-acp":
        return codex_settings(real_home(Service(), os.environ))
    found = {"gemini": (".gemini", _GEMINI), "opencode": (".config/opencode", _OPENCODE)}
    folder, names = found.get(name, ("", ()))
    return tuple(Setting(str(home / folder / one)) for one in names)


def _read_paths(program: str) -> tuple[str, ...]:
    """Our interpreter and modules, and where the agent's program lies; for one of npm, its neighbours, too."""
    ours = {sys.prefix, sys.base_prefix, str(_root() / "engine"), str(_root() / "state")}
    found = shutil.which(program)
    if found is not None:
        real = Path(found).resolve()
        modules = [folder for folder in real.parents if folder.name == "node_modules"]
        ours |= {str(Path(found).absolute().parent), str(modules[-1] if modules else real.parent)}
    return tuple(sorted(ours))
