"""How is an agent that is any command started: the prompt on its input, the answer on its output?"""

from engine.contract.launch import AdapterRequest, AdapterResult, Launch, Part, Prompt
from state.errors import Refused

_WHY_CHARS = 200


class CommandAdapter:
    """The operator's own command. What it used is not known."""

    name = "command"
    resumes = False
    free = False

    def launch(self, request: AdapterRequest) -> Launch:
        """Raises Refused when no command is declared."""
        if not request.argv:
            raise Refused("the agent's adapter is `command`, but it has no command", "give it an argv")
        return Launch(request.argv, as_text(request.prompt), {})

    def result(self, stdout: bytes, stderr: bytes, exit_code: int | None) -> AdapterResult:
        text = stdout.decode(errors="replace")
        if exit_code == 0:
            return AdapterResult(text, ok=True)
        return AdapterResult(text, ok=False, why=_why(stderr, exit_code))


def as_text(prompt: Prompt) -> str:
    """The parts in their order, the task last; files are introduced by their path."""
    parts = sorted(prompt.parts, key=lambda part: part.kind == "task")
    return "\n".join(_piece(part) for part in parts)


def _piece(part: Part) -> str:
    text = part.text if part.text.endswith("\n") else part.text + "\n"
    return f"--- {part.source} ---\n{text}" if part.kind == "file" else text


def _why(stderr: bytes, exit_code: int | None) -> str:
    last = stderr.decode(errors="replace").strip().rpartition("\n")[2][:_WHY_CHARS]
    how = "ended by a signal" if exit_code is None else f"exited with code {exit_code}"
    return f"{how}: {last}" if last else how
