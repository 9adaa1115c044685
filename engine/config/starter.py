"""What would a first `quarterdeck.toml` say on this machine? A commented one that is good as it stands."""

import json

from msgspec import Struct


class Machine(Struct, frozen=True):
    """What was found here."""

    clis: dict[str, str]
    """Agent CLIs by name, with their paths."""
    instructions: tuple[str, ...]
    """Instruction files in the current folder."""
    skills: tuple[str, ...]
    """Names of skills found."""
    workspace: str
    timezone: str


INSTRUCTION_FILES = ("HEARTBEAT.md", "README.md", "CLAUDE.md", "AGENTS.md")


def starter(machine: Machine) -> str:
    """The text of the file. Everything that would start by itself is commented out: nothing runs unasked."""
    clis = "\n".join(f"#   {_said(name)}: {_said(path)}" for name, path in machine.clis.items())
    return _TEXT.format(
        clis=clis or "#   none on the PATH",
        timezone=_quoted(machine.timezone),
        workspace=_quoted(machine.workspace),
        inject=_quoted(machine.instructions[0] if machine.instructions else "README.md"),
        seen=_said(", ".join(machine.instructions)) or "none here",
        skills=", ".join(map(_quoted, machine.skills[:3])) or '"name-of-a-skill"',
        found=_said(", ".join(machine.skills)) or "none found",
    )


def _quoted(text: str) -> str:
    """A TOML string that may stand in a comment too: on one line, and whatever a path may hold is escaped."""
    return json.dumps(_encodable(text), ensure_ascii=False).replace("\x7f", "\\u007f")


def _said(text: str) -> str:
    """Text in a comment, where TOML allows no control characters."""
    return "".join(char if char.isprintable() else "?" for char in _encodable(text))


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


_TEXT = """\
# What Quarterdeck is to do here. Edit it freely: a running engine notices, and keeps
# the old configuration (and says so on screen) while an edit is broken.
#
# Agent CLIs found on this machine; their sessions show up by themselves:
{clis}

timezone = {timezone}

[limits]
timeout_max = "30m"       # the longest that a run may ask for
injected_tokens = 8000    # the prompt of one run
run_tokens = 50000        # one run, prompt and answer together

# A budget is checked, and reserved, before a run starts.
[budget.day]
window = "day"
tokens = 200000
source = "quarterdeck"    # only what runs through the gate; without this line, observed sessions count too
warn_at = 0.8

# The agents `digest` (reads the injected files and answers with a recap; no model, no cost)
# and `command` (any program, prompt on stdin) are built in. Your own look like this:
#
# [agent.coder]
# adapter = "claude_code"
# model = "haiku"
# fallback = ["ollama/qwen2.5:3b"]      # where to go when that cannot be reached
# permissions = "ask"       # what it may not do unasked waits for your word: ask, allow, deny
# sandbox = "prefer"        # the kernel holds it to its scope where it can: prefer, require, off
# keep = ["system", "instructions"]     # what claude may add to the prompt beside tools
#
# [agent.notes]
# adapter = "command"
# argv = ["wc", "-w"]
# workspace = {workspace}
# skills = "review"
# timeout = "2m"

# A job runs when it is due. Instruction files seen here: {seen}
#
# [job.health-check]
# every = "10m"
# agent = "digest"
# session = "isolated"
# workspace = {workspace}
# inject = [{inject}]

# What a model costs, in dollars per million tokens, where the built-in price list does not know it or you pay
# something else. Usage that has a price already keeps it.
#
# [prices."my-model"]
# input = 0.5
# output = 2.0

# A skill set is an allow-list; an agent without one gets no skills. Skills here: {found}
#
# [skill_set.review]
# skills = [{skills}]
"""
