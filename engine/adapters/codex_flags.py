"""Which words hold Codex to a task's scope: what it adds to a prompt, which tools it has, and how large that is?

Measured on 0.169.0 by the first request. What cannot be taken away by any flag: `apply_patch`, reading of MCP
resources, the clock, and where a model has a "code mode" the tools `exec` and `wait`, which run JavaScript without
files and network. `keep` takes away more with a folder of its own: `codex_home`.
"""

import json
from collections.abc import Collection

from engine.contract.route import Keep

ALWAYS = (
    *("--json", "--skip-git-repo-check"),
    *("-c", 'approval_policy="never"'),
    *("-c", "analytics.enabled=false"),
    *("-c", "check_for_update_on_startup=false"),
    *("--disable", "plugins"),
    *("--disable", "unbounded_connection_retries"),
)
"""Analytics delay every exit by seconds where there is no network, and plugins are looked up at a server of their own.
By itself it tries for ever to reach a server that refuses its connections."""

TOOLS: dict[str, tuple[str, ...]] = {
    "shell": ("--disable", "shell_tool"),
    "apply_patch": (),
    "web_search": ("-c", 'web_search="disabled"'),
    "view_image": ("--disable", "view_image"),
    "image_generation": ("--disable", "image_generation"),
    "agents": ("-c", "agents.enabled=false"),
    "goals": ("--disable", "goals"),
    "sleep": ("--disable", "sleep_tool"),
    "apps": ("--disable", "apps"),
}
"""Every tool that it can be allowed, and what takes it away."""

_OTHER_TOOLS = (
    *("-c", "tools.experimental_request_user_input.enabled=false"),
    *("--disable", "tool_suggest"),
)
"""Nobody could answer what it asks, and nothing new is to be installed."""


def tool_words(tools: tuple[str, ...] | None) -> list[str]:
    """What leaves just these tools; None leaves all."""
    if tools is None:
        return []
    return [word for name, words in TOOLS.items() if name not in tools for word in words] + list(_OTHER_TOOLS)


def keep_words(keep: tuple[Keep, ...] | None) -> list[str]:
    """What takes away what it adds to prompts by itself, as far as words can."""
    if keep is None:
        return []
    words: dict[Keep, tuple[str, ...]] = {
        "instructions": ("-c", "project_doc_max_bytes=0"),
        "skills": ("-c", "skills.include_instructions=false"),
        "memory": ("--disable", "memories"),
        "system": ("-c", "include_collaboration_mode_instructions=false"),
    }
    return [word for part, them in words.items() if part not in keep for word in them]


def sandbox_words(writable: Collection[str], *, network: bool, contained: bool) -> list[str]:
    """Its own sandbox: commands read everything, and write these folders and the temporary one.

    `contained`: what started it is held to its scope by the kernel already. Its own sandbox cannot be put up within
    that one (mounts are refused there), and every command would fail.
    """
    if contained:
        return ["-c", 'default_permissions=":danger-full-access"']
    rights = {":root": "read", ":tmpdir": "write"} | dict.fromkeys(writable, "write")
    filesystem = ",".join(f"{quoted(path)}={quoted(right)}" for path, right in rights.items())
    profile = f"{{filesystem={{{filesystem}}},network={{enabled={json.dumps(network)}}}}}"
    return ["-c", 'default_permissions="quarterdeck"', "-c", f"permissions.quarterdeck={profile}"]


def quoted(text: str) -> str:
    """As a string of TOML."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


_NEW = {
    "least": 9_798,
    "system": 22_688,
    "skills": 2_126,
    "shell": 3_058,
    "view_image": 372,
    "agents": 8_033,
    "goals": 3_038,
    "sleep": 527,
    "other": 2_856,
}
"""Characters of the first request by what they are for, of gpt-6.1-sol: its tools are text of the code mode. `least` is
what nothing takes away."""
_OLD = {
    "least": 1_612,
    "system": 21_298,
    "skills": 4_680,
    "shell": 2_348,
    "web_search": 89,
    "view_image": 371,
    "agents": 803,
    "goals": 3_213,
    "other": 1_355,
}
"""The same of gpt-5.5."""


def overhead_chars(model: str | None, tools: tuple[str, ...] | None, keep: tuple[Keep, ...] | None) -> int:
    """What it sends beside our prompt where nobody has told it anything: AGENTS.md and more skills come on top."""
    sizes = _OLD if (model or "").startswith("gpt-5") else _NEW
    kept: Collection[str] = ("system", "skills") if keep is None else keep
    offered: Collection[str] = (*TOOLS, "other") if tools is None else tools
    return sizes["least"] + sum(sizes.get(name, 0) for name in {*kept, *offered})
