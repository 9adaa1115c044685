"""How is an agent that is any command started: the prompt on its input, the answer on its output?

It is told what it may know in its environment, and may tell what it uses, while it works, in the file that
`QUARTERDECK_USAGE` names.
"""

from pathlib import Path

import msgspec

from engine.config.params import fill
from engine.contract.launch import AdapterRequest, AdapterResult, Launch, Part, Prompt, RunUsage
from state.errors import Refused

USAGE_FILE = "usage.jsonl"
_WHY_CHARS = 200


class _Told(msgspec.Struct, frozen=True):
    """One line of the usage file: what one request used, each token in one of these."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cost_microusd: int | None = None


class CommandAdapter:
    """The operator's own command. What it used is known when it tells."""

    name = "command"
    free = False

    def resumes(self, argv_resume: tuple[str, ...]) -> bool:
        """When it says how."""
        return bool(argv_resume)

    def launch(self, request: AdapterRequest) -> Launch:
        """Raises Refused when no command is declared."""
        argv = request.argv_resume if request.resume and request.argv_resume else request.argv
        if not argv:
            raise Refused("the agent's adapter is `command`, but it has no command", "give it an argv")
        told = {
            "QUARTERDECK_MODEL": request.model,
            "QUARTERDECK_TOOLS": None if request.tools is None else ",".join(request.tools),
            "QUARTERDECK_SESSION": request.provider_id,
            "QUARTERDECK_RESUMES": "1" if request.resume else None,
        }
        values = argv_values(request.model, request.tools, request.provider_id, request.workspace)
        env = {name: value for name, value in told.items() if value is not None}
        return Launch(tuple(fill(word, values) for word in argv), as_text(request.prompt), env)

    def used(self, folder: Path) -> RunUsage | None:
        """What it has told so far. A line that is not whole or makes no sense does not count."""
        try:
            lines = (folder / USAGE_FILE).read_bytes().splitlines()
        except OSError:
            return None
        told = [line for line in map(_decoded, lines) if line is not None]
        if not told:
            return None
        costs = [line.cost_microusd for line in told]
        return RunUsage(
            input_tokens=sum(line.input_tokens for line in told),
            output_tokens=sum(line.output_tokens for line in told),
            cache_read_tokens=sum(line.cache_read_tokens for line in told),
            cache_write_tokens=sum(line.cache_write_tokens for line in told),
            cost_microusd=None if None in costs else sum(cost or 0 for cost in costs),
        )

    def result(self, stdout: bytes, stderr: bytes, exit_code: int | None) -> AdapterResult:
        text = stdout.decode(errors="replace")
        if exit_code == 0:
            return AdapterResult(text, ok=True)
        return AdapterResult(text, ok=False, why=_why(stderr, exit_code))


def as_text(prompt: Prompt) -> str:
    """The parts in their order; files are introduced by their path."""
    return "\n".join(_piece(part) for part in prompt.sent)


def _piece(part: Part) -> str:
    text = part.text if part.text.endswith("\n") else part.text + "\n"
    return f"--- {part.source} ---\n{text}" if part.kind == "file" else text


def argv_values(
    model: str | None, tools: tuple[str, ...] | None, session: str | None, workspace: str
) -> dict[str, str]:
    """What is replaced in an argv. What has no value is not here: an argv that names it cannot be started."""
    told = {"model": model, "tools": None if tools is None else ",".join(tools), "session": session}
    return {name: value for name, value in told.items() if value is not None} | {"workspace": workspace}


def _decoded(line: bytes) -> _Told | None:
    try:
        told = msgspec.json.decode(line, type=_Told)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    counts = (told.input_tokens, told.output_tokens, told.cache_read_tokens, told.cache_write_tokens)
    return told if all(0 <= count < 10**12 for count in counts) and (told.cost_microusd or 0) >= 0 else None


def _why(stderr: bytes, exit_code: int | None) -> str:
    last = stderr.decode(errors="replace").strip().rpartition("\n")[2][:_WHY_CHARS]
    how = "ended by a signal" if exit_code is None else f"exited with code {exit_code}"
    return f"{how}: {last}" if last else how
