"""Which adapters are there, and which one does this name mean?"""

import difflib

from engine.adapters.acp import AcpAdapter
from engine.adapters.claude_code import ClaudeCodeAdapter
from engine.adapters.codex import CodexAdapter
from engine.adapters.command import CommandAdapter
from engine.adapters.digest import DigestAdapter
from engine.adapters.models import ANTHROPIC, OLLAMA, OPENAI
from engine.contract.adapter import Adapter
from engine.telemetry.prices import is_local
from state.errors import NotFound

_ALL: tuple[Adapter, ...] = (
    DigestAdapter(),
    CommandAdapter(),
    ClaudeCodeAdapter(),
    CodexAdapter(),
    AcpAdapter(),
    ANTHROPIC,
    OPENAI,
    OLLAMA,
)
ADAPTERS: dict[str, Adapter] = {one.name: one for one in _ALL}


def adapter(name: str) -> Adapter:
    """The adapter of this name. Raises NotFound, which names the nearest."""
    if name in ADAPTERS:
        return ADAPTERS[name]
    near = difflib.get_close_matches(name, ADAPTERS, 1)
    known = ", ".join(sorted(ADAPTERS))
    raise NotFound(f"no adapter {name!r}", f"did you mean {near[0]!r}?" if near else f"there are: {known}")


def is_free(name: str, model: str | None) -> bool:
    """Whether runs of this model cost no money. Ollama sells hosted models, too."""
    return adapter(name).free and is_local(model or "", "local")
