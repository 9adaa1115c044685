"""What is claude-agent-acp told beyond the protocol? What its program may add to a prompt, which it takes as `_meta`.

As measured with version 0.100.0. What it would suggest to ask next is never wanted: that sends the whole conversation
once more after each turn, and tells nobody.
"""

from collections.abc import Sequence
from typing import Any

_BY_SETTINGS = ("settings", "instructions", "skills")
_OFF = {"instructions": "CLAUDE_CODE_DISABLE_CLAUDE_MDS", "memory": "CLAUDE_CODE_DISABLE_AUTO_MEMORY"}
SYSTEM = "Do what the user asks, with the tools that you have."
"""Instead of its own."""
ALL_TOOLS_TOKENS, TOOL_TOKENS, SYSTEM_TOKENS, LEAST_TOKENS = 9_600, 500, 1_200, 270
"""What its first request holds beside our prompt, in a workspace without settings of its own."""


def is_claude(name: str) -> bool:
    """By the name that an agent gives itself."""
    return "claude-agent-acp" in name or "claude-code-acp" in name


def meta(tools: Sequence[str] | None, keep: Sequence[str] | None) -> dict[str, Any]:
    """The `_meta` of a request that begins or takes up a session."""
    options: dict[str, Any] = {"promptSuggestions": False}
    if tools is not None:
        options["tools"] = list(tools)
    if keep is None:
        return {"claudeCode": {"options": options}}
    options["env"] = {variable: "1" for name, variable in _OFF.items() if name not in keep}
    if not any(name in keep for name in _BY_SETTINGS):
        options["settingSources"] = []
    if "mcp" not in keep:
        options["strictMcpConfig"] = True
    if "skills" not in keep and tools is not None:  # with all tools it makes one of them longer than what it saves
        options["extraArgs"] = {"disable-slash-commands": None}
    system = {} if "system" in keep else {"systemPrompt": SYSTEM}
    return {"claudeCode": {"options": options}, **system}


def overhead_tokens(tools: Sequence[str] | None, keep: Sequence[str] | None) -> int:
    """As measured; instructions, memory and skills of the operator's own come on top of it."""
    offered = ALL_TOOLS_TOKENS if tools is None else TOOL_TOKENS * len(tools)
    return LEAST_TOKENS + offered + (SYSTEM_TOKENS if keep is None or "system" in keep else 0)
