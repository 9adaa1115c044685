"""Is a run held no looser than the run that asks for it? Its tools, permissions, sandbox, and what it may read."""

from collections.abc import Iterator

from msgspec import Struct

from engine.contract.route import Route
from engine.contract.verdict import Check

STRICTER = {
    "permissions": ("allow", "ask", "deny"),
    "sandbox": ("off", "prefer", "require"),
    "read": ("open", "strict"),
}
"""Of each value the loosest first."""


class Above(Struct, frozen=True):
    """A run that is asked for, and the one that asks. Where an adapter has no tools by itself, `tools` is empty rather
    than None."""

    run_id: int
    """Of the one that asks."""
    own: Route
    """By which that one is held."""
    child: Route


def check_parent(above: Above | None) -> Check:
    """What a child has of its parent's is said by the scope: this is about what a path does not say."""
    if above is None:
        return Check("parent", True, "no run asks for it")
    found = [*_more_tools(above), *_looser(above)]
    if not found:
        return Check("parent", True, f"held no looser than run {above.run_id}, which asks for it")
    whys, fixes = zip(*found, strict=True)
    return Check("parent", False, f"looser than run {above.run_id}, which asks for it: {'; '.join(whys)}", fixes[0])


def is_looser(name: str, wanted: str, has: str) -> bool:
    """Whether this value of one of `STRICTER` allows more than that one."""
    return STRICTER[name].index(wanted) < STRICTER[name].index(has)


def has_tool(own: tuple[str, ...] | None, tool: str) -> bool:
    """Whether who has these may use this one, too. One that is narrowed, as `Bash(git:*)`, lies in the whole of it;
    adapters differ in how they write the first letter."""
    if own is None:
        return True
    whole = {name.casefold() for name in own}
    return tool.casefold() in whole or tool.partition("(")[0].casefold() in whole


def _more_tools(above: Above) -> Iterator[tuple[str, str]]:
    """Each what it would have, and what to do."""
    own, level = above.own.tools, above.child.decided.get("tools", "?")
    if own is None:
        return
    may = ",".join(own) or "none"
    fix = f"ask with --tools {may}, or give that run more tools"
    if above.child.tools is None:
        yield f"it would have all tools of {above.child.adapter} (by {level}), and that one has {may}", fix
    elif more := [tool for tool in above.child.tools if not has_tool(own, tool)]:
        yield f"it would have {'the tools' if len(more) > 1 else 'the tool'} {', '.join(more)} (by {level})", fix


def _looser(above: Above) -> Iterator[tuple[str, str]]:
    for name in STRICTER:
        wanted, has = getattr(above.child, name), getattr(above.own, name)
        if is_looser(name, wanted, has):
            level = above.child.decided.get(name, "?")
            why = f"it would have {name} = {wanted} (by {level}), and that one has {has}"
            yield why, f"ask with --{name} {has}, or declare {name} = {wanted} for the agent that asks"
