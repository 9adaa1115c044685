"""How much does Claude Code send with a first request, beside what we say? Characters, measured on 2.1.329.

Measured with sonnet 5.5 in an empty repository; other models differ by up to 10 % (haiku more, Sonnet 4.5 by half).
Not in it: what the operator's own skills and MCP servers are called and described.
"""

from pathlib import Path

from engine.adapters.claude_flags import Scoping, name_of
from engine.contract.route import Keep

BARE = 136
"""What it says it is, in every request."""
ENVIRONMENT = 928
"""Folder, platform, model and date."""
SYSTEM = 5_072
"""Its own system prompt, and a reminder, beside these."""
ATTRIBUTION = 581
"""How commits are signed, where it has Bash."""
GIT = 851
"""What Bash is told of git, with its own system prompt."""
MEMORY = 2_096
SKILLS = 6_277
"""The bundled ones, by name and description, and how to call them."""
AGENTS = 1_638
"""The bundled subagents, where it may use them."""
DEFERRED = 369
"""Names of tools that it can ask for, where it is not said which it has."""
PLACEHOLDER = 204
ALL_TOOLS = 22_717
"""Where it is not said which; without skills."""
SKILL_TOOLS = 7_491
"""What is added to these with skills."""
INSTRUCTIONS = 224
"""What is said around each file of instructions."""
TOOLS = {
    "Agent": 5_244,
    "Bash": 3_041,
    "Edit": 964,
    "Glob": 731,
    "Grep": 3_224,
    "ListAgents": 1_963,
    "Monitor": 7_568,
    "NotebookEdit": 1_623,
    "Read": 1_919,
    "ReportFindings": 2_418,
    "ScheduleWakeup": 4_886,
    "Skill": 1_803,
    "TaskStop": 789,
    "ToolSearch": 1_439,
    "WebFetch": 1_080,
    "WebSearch": 861,
    "Workflow": 22_737,
    "Write": 639,
}
BARE_TOOLS = {"Bash": 1_553, "Edit": 629, "Read": 1_154}


def overhead_chars(
    scope: Scoping, keep: tuple[Keep, ...] | None, tools: tuple[str, ...] | None, workspace: str, home: Path
) -> int:
    """`home`: where it keeps the operator's own instructions."""
    names = None if tools is None else {name_of(tool) for tool in tools}
    if scope.bare:
        return BARE + sum(BARE_TOOLS[name] for name in names or ())
    own, has_bash = not scope.own_prompt, names is None or "Bash" in names
    memory = own and (keep is None or "memory" in keep)
    system = own * SYSTEM + own * has_bash * (ATTRIBUTION + GIT) + memory * MEMORY
    return BARE + ENVIRONMENT + system + _tools(names, scope) + _instructions(keep, workspace, home)


def _tools(names: set[str] | None, scope: Scoping) -> int:
    if names is None:
        return ALL_TOOLS + AGENTS + DEFERRED + scope.skills * (SKILL_TOOLS + SKILLS)
    listed = ("Agent" in names) * AGENTS + ("Skill" in names) * SKILLS
    return bool(names) * PLACEHOLDER + sum(TOOLS.get(name, 0) for name in names) + listed


def _instructions(keep: tuple[Keep, ...] | None, workspace: str, home: Path) -> int:
    """Of CLAUDE.md files, their sizes."""
    if keep is not None and "instructions" not in keep:
        return 0
    files = (Path(workspace) / "CLAUDE.md", home / "CLAUDE.md")
    return sum(file.stat().st_size + INSTRUCTIONS for file in files if file.is_file())
