"""How is Claude Code started, resumed and spoken to? A launch becomes its argv and the files that this names.

The prompt. What opens a conversation (instructions, bootstrap, skills, tools) goes with the system prompt, where
conversations share it in the provider's cache; everything else is the first message, on its input and never in an
argument. The client records the system prompt of a conversation once, copies it to forks, and ignores a later one
until it has summarized the conversation: so each launch names the opening again, and one that changed since is sent
as a message, as its receipt says.
"""

import json
import uuid
from pathlib import Path

import msgspec

from engine.adapters.claude_flags import Scoping, scoping, settings
from engine.adapters.claude_reader import FACTS, ClaudeReader, Facts
from engine.adapters.claude_sizes import overhead_chars
from engine.adapters.claude_turn import message_id
from engine.adapters.command import as_text
from engine.adapters.installed import lacks
from engine.adapters.own_settings import EVERY, Setting, noted
from engine.contract.adapter import Reader, Speech
from engine.contract.launch import OPENING, AdapterRequest, Launch, Prompt, RunUsage, Service, Wanted

VERSION = "2.1.329"
"""What this adapter was checked against."""
PROGRAM = "claude"
OUTPUT_CAP = 64 * 1024 * 1024
"""Bytes: with every delta on a line of its own, a long answer takes a hundred times its length."""
SYSTEM = "system.md"
SETTINGS = "settings.json"
LEAN = """\
You work for one person, in the folder {workspace}. Do what you are asked, with the tools that you have, and nothing \
beyond it. Be brief and exact, and say what you could not do.
"""
"""Instead of its own system prompt."""
NOTHING_NEW = "Go on."
"""Where there is nothing to say: it takes no empty message."""
CHARS_PER_TOKEN = 4
_ALWAYS = ("-p", "--output-format", "stream-json", "--verbose", "--include-partial-messages")
"""With deltas, a long answer is no silence, and what a run that is cut has used is known up to there."""


class ClaudeSpeech:
    """Lines of JSON, each one message."""

    def message(self, text: str) -> bytes:
        return _line({"type": "user", "uuid": message_id(), "message": {"role": "user", "content": text}})

    def answer(self, asked: str, allow: bool, why: str = "") -> bytes:
        deny = {"behavior": "deny", "message": why or "The operator does not allow this."}
        verdict = {"behavior": "allow"} if allow else deny
        told = {"subtype": "success", "request_id": asked, "response": verdict}
        return _line({"type": "control_response", "response": told})

    def interrupt(self) -> bytes:
        # An id that it has seen before is not answered.
        request = {"request_id": uuid.uuid4().hex, "request": {"subtype": "interrupt"}}
        return _line({"type": "control_request"} | request)


class ClaudeCodeAdapter:
    """Anthropic's command line client."""

    name = "claude_code"
    free = False
    source: str | None = "claude_code"
    provider = "anthropic"
    key_env: str | None = "ANTHROPIC_API_KEY"
    speech: Speech | None = ClaudeSpeech()

    def resumes(self, argv_resume: tuple[str, ...]) -> bool:
        return True

    def lacks(self, wanted: Wanted) -> tuple[str, str]:
        if wanted.argv:
            return "it takes no program", "leave out what follows --"
        return lacks(wanted.service.program, PROGRAM, f"@anthropic-ai/claude-code@{VERSION}", self.name)

    def overhead_tokens(self, wanted: Wanted) -> int:
        """Characters of its first request, ours apart, by the four: measured on the version above."""
        scope = scoping(wanted.keep, wanted.tools, wanted.workspace, key_known=wanted.service.key_known)
        lean = len(LEAN.format(workspace=wanted.workspace)) if scope.own_prompt else 0
        home = config_folder(wanted.service)
        return -(-(lean + overhead_chars(scope, wanted.keep, wanted.tools, wanted.workspace, home)) // CHARS_PER_TOKEN)

    def launch(self, request: AdapterRequest) -> Launch:
        service = request.service
        scope = scoping(request.keep, request.tools, request.workspace, key_known=service.key_known)
        is_open = request.held or request.permissions == "ask"
        opening, message = _divided(request)
        folder = Path(request.run_folder)
        text = as_text(message) or NOTHING_NEW
        if not scope.skills and text.startswith("/"):
            text = f"\n{text}"
        home = config_folder(service)
        # Where it keeps its conversations: what is not there cannot be made writable.
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        return Launch(
            argv=(
                service.program or PROGRAM,
                *_ALWAYS,
                *_conversation(request),
                *(("--model", request.model) if request.model is not None else ()),
                *_modes(request, is_open=is_open),
                *scope.flags,
                *_system(scope, opening, folder),
                *("--settings", str(folder / SETTINGS)),
            ),
            stdin=self._first(text) if is_open else text,
            env=scope.env | ({"CLAUDE_CONFIG_DIR": str(home)} if service.home is not None else {}),
            files=_files(request, scope, opening, is_open=is_open) | noted(settings_of(service)),
            input_open=is_open,
            state_paths=state_paths(service),
            read_paths=(request.run_folder,) if request.run_folder else (),
            output_cap=OUTPUT_CAP,
        )

    def _first(self, text: str) -> str:
        return ClaudeSpeech().message(text).decode()

    def reader(self, folder: Path, start: int = 0) -> Reader:
        return ClaudeReader(folder, start)


def config_folder(service: Service) -> Path:
    """Where it keeps its settings, its login and its conversations."""
    return Path(service.home) if service.home is not None else Path.home() / ".claude"


OWN = (
    "projects",
    "sessions",
    "session-env",
    "shell-snapshots",
    "file-history",
    "todos",
    "tasks",
    "plugins/store",
    "debug",
)
"""Below its home: what it keeps of its conversations. Its settings, hooks, commands and servers lie beside them: what
could write those could have the next run, or the operator's own program, carry out anything."""


def state_paths(service: Service) -> tuple[str, ...]:
    """What it writes beside its temporary folder: found out by letting it write nothing else. A login is renewed by a
    new file in its home: without a key, all of that may be written."""
    folder = config_folder(service)
    if service.key_known:
        return tuple(str(folder / name) for name in OWN)
    return (str(folder),) if service.home is not None else (str(folder), str(Path.home() / ".claude.json"))


_RUNS = ("hooks", "mcpServers", "permissions", "env", "apiKeyHelper", "statusLine")
_RUNS_IN_PROJECT = ("mcpServers", "allowedTools", "enabledMcpjsonServers", "hooks")


def settings_of(service: Service) -> tuple[Setting, ...]:
    """What says what it does, in its home. Of the file beside that, which it writes at each start, only some of it."""
    folder = config_folder(service)
    beside = (folder if service.home is not None else Path.home()) / ".claude.json"
    in_project = tuple(f"projects.{EVERY}.{part}" for part in _RUNS_IN_PROJECT)
    names = ("settings.json", "settings.local.json", "CLAUDE.md", "agents", "commands", "hooks", "skills")
    return (*(Setting(str(folder / name)) for name in names), Setting(str(beside), (*_RUNS, *in_project)))


def _conversation(request: AdapterRequest) -> tuple[str, ...]:
    own = request.provider_id
    if request.fork_of is not None:
        return ("--resume", request.fork_of, "--fork-session", *(("--session-id", own) if own else ()))
    if own is None:
        return ()
    return ("--resume" if request.resume else "--session-id", own)


def _modes(request: AdapterRequest, *, is_open: bool) -> tuple[str, ...]:
    """Whoever may be asked, and where nobody may, that is a no."""
    spoken = ("--input-format", "stream-json", "--replay-user-messages") if is_open else ()
    if request.permissions == "ask":
        return (*spoken, "--permission-mode", "manual", "--permission-prompt-tool", "stdio")
    return (*spoken, "--permission-mode", "dontAsk")


def _divided(request: AdapterRequest) -> tuple[str, Prompt]:
    """What is named as opening, and the message. Of a conversation that has one already, only a new one is sent."""
    parts = request.prompt.parts
    opening = tuple(msgspec.structs.replace(part, sent=True) for part in parts if part.kind in OPENING)
    if request.resume or request.fork_of is not None:
        return as_text(Prompt(opening)), request.prompt
    rest = tuple(part for part in parts if part.kind not in OPENING)
    return (as_text(Prompt(opening)), Prompt(rest)) if rest else ("", request.prompt)


def _system(scope: Scoping, opening: str, folder: Path) -> tuple[str, ...]:
    if scope.own_prompt:
        return ("--system-prompt-file", str(folder / SYSTEM))
    return ("--append-system-prompt-file", str(folder / SYSTEM)) if opening else ()


def _files(request: AdapterRequest, scope: Scoping, opening: str, *, is_open: bool) -> dict[str, str]:
    lean = LEAN.format(workspace=request.workspace) if scope.own_prompt else ""
    rules = settings(request.permissions, request.tools, request.can_write, request.workspace, hooks=scope.hooks)
    facts = Facts(request.before or RunUsage(0, 0, cost_microusd=0), is_open)
    files = {SETTINGS: json.dumps(rules), FACTS: msgspec.json.encode(facts).decode()}
    text = "\n".join(filter(None, (lean, opening)))
    return files | {SYSTEM: text} if text else files


def _line(value: object) -> bytes:
    # Not msgspec: a prompt may hold what is not UTF-8 as lone surrogates, which it refuses.
    return json.dumps(value).encode() + b"\n"
