"""How is Codex started, resumed and forked? A launch becomes an argv of `codex exec` and the files that this names.

The prompt comes on its input. Where it does not keep a system prompt of its own, what opens a conversation
(instructions, bootstrap, skills, tools) takes that place, in a file. Codex records it with the conversation and copies
it to forks: so a run that resumes or forks names no such file, and what has changed since is part of its message.

`exec` cannot ask: what would need an approval is refused, also under `ask`. Under `allow` commands have the network.
Its own sandbox lets them write the folders of `can_write` and the temporary one, unless the kernel holds the run
already; then that is what limits it.
"""

import os
from pathlib import Path

import msgspec

from engine.adapters import codex_flags as flags
from engine.adapters.codex_home import CodexHome, prepare, real_home
from engine.adapters.codex_reader import FACTS as FACTS_FILE
from engine.adapters.codex_reader import CodexReader, Facts
from engine.adapters.codex_roots import writable_roots
from engine.adapters.codex_totals import as_totals, totals_of
from engine.adapters.command import as_text
from engine.adapters.installed import lacks
from engine.adapters.own_settings import Setting, noted
from engine.contract.adapter import Reader, Speech
from engine.contract.launch import OPENING, AdapterRequest, Launch, Prompt, Wanted
from state.errors import Refused

VERSION = "0.169.0"
"""What this adapter was checked against."""
PROGRAM = "codex"
INSTRUCTIONS = "instructions.md"
LEAN = """\
You work for one person, in the folder {workspace}. Do what you are asked, with the tools that you have, and nothing \
beyond it. Be brief and exact, and say what you could not do.
"""
"""Instead of its own system prompt."""
CHARS_PER_TOKEN = 4


class CodexAdapter:
    """OpenAI's command line client."""

    name = "codex"
    free = False
    source: str | None = "codex"
    provider = "openai"
    key_env: str | None = "CODEX_API_KEY"
    speech: Speech | None = None

    def resumes(self, argv_resume: tuple[str, ...]) -> bool:
        return True

    def lacks(self, wanted: Wanted) -> tuple[str, str]:
        if wanted.argv:
            return "it takes no program", "leave out what follows --"
        unknown = [tool for tool in wanted.tools or () if tool not in flags.TOOLS]
        if unknown:
            return f"codex has no tool '{unknown[0]}'", f"it has: {', '.join(flags.TOOLS)}"
        return lacks(wanted.service.program, PROGRAM, f"@openai/codex@{VERSION}", self.name)

    def overhead_tokens(self, wanted: Wanted) -> int:
        """Characters of its first request, ours apart, by the four: measured on the version above."""
        lean = 0 if _keeps_system(wanted.keep) else len(LEAN.format(workspace=wanted.workspace))
        return -(-(lean + flags.overhead_chars(wanted.model, wanted.tools, wanted.keep)) // CHARS_PER_TOKEN)

    def launch(self, request: AdapterRequest) -> Launch:
        """Raises Refused when its settings cannot be read."""
        home = self._home(request)
        real = Path(home.real)
        opening, message = _divided(request)
        files = {FACTS_FILE: msgspec.json.encode(_facts(request, real)).decode()} | noted(settings_of(real))
        named: list[str] = []
        if opening is not None:
            files[INSTRUCTIONS] = opening
            named = ["-c", f"model_instructions_file={flags.quoted(str(Path(request.run_folder) / INSTRUCTIONS))}"]
        return Launch(
            argv=(
                *(request.service.program or PROGRAM, "exec", *flags.ALWAYS),
                *(("-m", request.model) if request.model is not None else ()),
                *flags.tool_words(request.tools),
                *flags.keep_words(request.keep),
                *_sandbox(request),
                *named,
                *_conversation(request),
                "-",
            ),
            stdin=as_text(message),
            env={"CODEX_HOME": home.folder},
            files=files,
            state_paths=home.writable,
            read_paths=(*home.readable, *((request.run_folder,) if request.run_folder else ())),
        )

    def _home(self, request: AdapterRequest) -> CodexHome:
        try:
            return prepare(real_home(request.service, os.environ), Path(request.agent_state), request.keep)
        except OSError as error:
            raise Refused(f"cannot prepare the folder for codex: {error}", "look at its permissions") from error

    def reader(self, folder: Path, start: int = 0) -> Reader:
        return CodexReader(folder, start)


def settings_of(home: Path) -> tuple[Setting, ...]:
    """What says what it does, in its real home; not which model it was asked for last, and what it has shown."""
    config = Setting(str(home / "config.toml"), but=("model", "model_reasoning_effort", "notice", "tui"))
    return (config, *(Setting(str(home / name)) for name in ("hooks.json", "AGENTS.md", "prompts", "rules", "skills")))


def _keeps_system(keep: tuple[str, ...] | None) -> bool:
    return keep is None or "system" in keep


def _begins(request: AdapterRequest) -> bool:
    return not request.resume and request.fork_of is None


def _divided(request: AdapterRequest) -> tuple[str | None, Prompt]:
    """What takes the place of its system prompt, and the message."""
    parts = request.prompt.parts
    if _keeps_system(request.keep) or not _begins(request):
        return None, request.prompt
    opening = as_text(Prompt(tuple(part for part in parts if part.kind in OPENING)))
    lean = LEAN.format(workspace=request.workspace)
    return "\n".join(filter(None, (lean, opening))), Prompt(tuple(part for part in parts if part.kind not in OPENING))


def _conversation(request: AdapterRequest) -> tuple[str, ...]:
    """The id of a new one is its own choice."""
    if request.fork_of is not None:
        return ("fork", request.fork_of)
    return ("resume", request.provider_id) if request.resume and request.provider_id is not None else ()


def _sandbox(request: AdapterRequest) -> list[str]:
    roots = writable_roots(Path(request.workspace), request.can_write)
    return flags.sandbox_words(roots, network=request.permissions == "allow", contained=request.contained)


def _facts(request: AdapterRequest, home: Path) -> Facts:
    goes_on_with = request.fork_of or (request.provider_id if request.resume else None)
    before: tuple[int, ...] | None = ()
    if goes_on_with is not None:
        totals = totals_of(home, goes_on_with) or (as_totals(request.before) if request.before else None)
        before = None if totals is None else tuple(totals)
    return Facts(
        home=str(home),
        resumed=request.provider_id if request.resume and request.fork_of is None else None,
        before=before,
        asks=request.permissions == "ask",
    )
