"""What may Claude Code add to a prompt, and what may it do unasked? Flags, variables and settings, all measured.

Measured on 2.1.329 with a repository that has skills, instructions and an MCP server (tests/bench):
- Without its skills (`--disable-slash-commands`) the tool `Workflow` grows by 15,000 characters: it goes with them.
- `--setting-sources ""` leaves out all CLAUDE.md files, too; `user` with `--add-dir` of the workspace brings both back,
  and of the settings only the operator's own.
- Skills come from settings folders only; where they are kept without the settings, hooks are off.
- `--bare` offers at most Bash, Edit and Read, with much shorter texts, and takes a key from its variable alone.
- A file that a prompt names with `@` would be sent without standing in any receipt: that is always off.
"""

import itertools
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from engine.contract.route import Keep, Permissions

QUIET = dict.fromkeys(
    (
        "CLAUDE_CODE_DISABLE_FEEDBACK_SURVEY",
        "CLAUDE_CODE_DISABLE_FILE_MENTIONS",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC",
        "CLAUDE_CODE_DISABLE_OFFICIAL_MARKETPLACE_AUTOINSTALL",
        "DISABLE_AUTOUPDATER",
        "DISABLE_BUG_COMMAND",
        "DISABLE_ERROR_REPORTING",
        "DISABLE_FEEDBACK_COMMAND",
        "DISABLE_TELEMETRY",
        "DISABLE_UPDATES",
    ),
    "1",
)
"""Nothing is sent to anybody but the model's provider, and nothing changes by itself."""
BARE_TOOLS = frozenset({"Bash", "Edit", "Read"})
SKILL_TOOLS = frozenset({"Skill", "Workflow"})
EVERY_TOOL = (
    "Agent",
    "Bash",
    "Edit",
    "NotebookEdit",
    "Read",
    "Skill",
    "Task",
    "WebFetch",
    "WebSearch",
    "Workflow",
    "Write",
    "mcp__*",
)
"""What asks before it works, where nothing else is said."""
_WAYS_MOST = 256
_BRACES = re.compile(r"\{([^{}]*)\}")
_WILD = re.compile(r"[*?\[]")
_SPECIAL = re.compile(r"([\\*?\[\]!#])")


class Scoping(Struct, frozen=True):
    """How a run is started so that its prompt holds no more than it should."""

    flags: tuple[str, ...]
    env: dict[str, str]
    own_prompt: bool
    """Whether its system prompt is ours instead of its own."""
    skills: bool
    """Whether a prompt that begins with `/` calls a skill."""
    hooks: bool
    bare: bool = False


def scoping(
    keep: tuple[Keep, ...] | None, tools: tuple[str, ...] | None, workspace: str, *, key_known: bool
) -> Scoping:
    """`key_known`: the key comes in its variable."""
    kept = frozenset[Keep](("settings", "instructions", "memory", "mcp", "skills", "system") if keep is None else keep)
    skills = "skills" in kept or bool(SKILL_TOOLS & set(tools or ()))
    bare = keep == () and tools is not None and {name_of(tool) for tool in tools} <= BARE_TOOLS and key_known
    flags = [*_sources(kept, skills, workspace), *_mcp(kept, tools, workspace), *_tools(tools, skills)]
    return Scoping(
        flags=(*(("--bare", "--system-prompt-snapshot", "on") if bare else ()), *flags),
        env=QUIET | {name: "1" for name, off in _variables(kept, skills).items() if off},
        own_prompt="system" not in kept,
        skills=skills,
        hooks="settings" in kept,
        bare=bare,
    )


def _variables(kept: frozenset[Keep], skills: bool) -> dict[str, bool]:
    return {
        "CLAUDE_CODE_DISABLE_CLAUDE_MDS": "instructions" not in kept,
        "CLAUDE_CODE_ADDITIONAL_DIRECTORIES_CLAUDE_MD": _adds_folder(kept, skills),
        "CLAUDE_CODE_DISABLE_AUTO_MEMORY": "memory" not in kept,
        "CLAUDE_CODE_DISABLE_GIT_INSTRUCTIONS": "system" not in kept,
    }


def _adds_folder(kept: frozenset[Keep], skills: bool) -> bool:
    return "instructions" in kept and "settings" not in kept and not skills


def _sources(kept: frozenset[Keep], skills: bool, workspace: str) -> list[str]:
    if "settings" in kept or skills:
        return []
    if _adds_folder(kept, skills):
        return ["--setting-sources", "user", "--add-dir", workspace]
    return ["--setting-sources", ""]


def _mcp(kept: frozenset[Keep], tools: tuple[str, ...] | None, workspace: str) -> list[str]:
    """A server whose tools are not among those that may be used is not even started."""
    if "mcp" not in kept or not (tools is None or any(tool.startswith("mcp__") for tool in tools)):
        return ["--strict-mcp-config"]
    declared = Path(workspace) / ".mcp.json"
    return ["--mcp-config", str(declared)] if "settings" not in kept and declared.is_file() else []


def _tools(tools: tuple[str, ...] | None, skills: bool) -> list[str]:
    off = [] if skills else ["--disable-slash-commands"]
    if tools is None:
        return off if skills else [*off, "--disallowedTools", "Workflow"]
    names = dict.fromkeys(name_of(tool) for tool in tools if not tool.startswith("mcp__"))
    return [*off, "--tools", ",".join(names)]


def name_of(tool: str) -> str:
    """Of `Bash(git *)` the `Bash`."""
    return tool.partition("(")[0]


def settings(
    permissions: Permissions, tools: tuple[str, ...] | None, can_write: Sequence[str], workspace: str, *, hooks: bool
) -> dict[str, Any]:
    """A settings file: what needs no asking."""
    allowed = [rule for pattern in can_write for rule in edit_rules(pattern, workspace)]
    if permissions == "allow":
        allowed += EVERY_TOOL if tools is None else tools
    else:
        allowed += [tool for tool in tools or () if "(" in tool]
    rules = {"permissions": {"allow": list(dict.fromkeys(allowed))}}
    return rules if hooks else rules | {"disableAllHooks": True}


def edit_rules(pattern: str, workspace: str) -> list[str]:
    """Rules that let files be written that this pattern of the scope means. Two slashes make a path absolute."""
    rules = []
    for root in dict.fromkeys((workspace, os.path.realpath(workspace))):
        for way in itertools.islice(_ways(pattern), _WAYS_MOST):
            path = os.path.normpath(Path(_SPECIAL.sub(r"\\\1", root), way))
            rules.append(f"Edit(/{path})")
            if not _WILD.search(way):
                rules.append(f"Edit(/{path.rstrip('/')}/**)")
    return rules


def _ways(pattern: str) -> Iterable[str]:
    """`{a,b}` read as both: rules know no alternatives."""
    found = _BRACES.search(pattern)
    if found is None:
        yield pattern
        return
    for one in found[1].split(","):
        yield from _ways(pattern[: found.start()] + one + pattern[found.end() :])
