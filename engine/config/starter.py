"""What would a first `quarterdeck.toml` say on this machine? A commented one that is good as it stands."""

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
    clis = "\n".join(f"#   {name}: {path}" for name, path in machine.clis.items()) or "#   none on the PATH"
    inject = machine.instructions[0] if machine.instructions else "README.md"
    skills = ", ".join(f'"{name}"' for name in machine.skills[:3])
    return _TEXT.format(
        clis=clis,
        timezone=machine.timezone,
        workspace=machine.workspace,
        inject=inject,
        seen=", ".join(machine.instructions) or "none here",
        skills=skills or '"name-of-a-skill"',
        found=", ".join(machine.skills) or "none found",
    )


_TEXT = """\
# What Quarterdeck is to do here. Edit it freely: a running engine notices, and keeps
# the old configuration (and says so on screen) while an edit is broken.
#
# Agent CLIs found on this machine; their sessions show up by themselves:
{clis}

timezone = "{timezone}"

[limits]
timeout = "5m"            # a run that names no timeout
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
# [agent.notes]
# adapter = "command"
# argv = ["wc", "-w"]
# workspace = "{workspace}"
# skills = "review"
# timeout = "2m"

# A job runs when it is due. Instruction files seen here: {seen}
#
# [job.health-check]
# every = "10m"
# agent = "digest"
# session = "isolated"
# workspace = "{workspace}"
# inject = ["{inject}"]

# A skill set is an allow-list; an agent without one gets no skills. Skills here: {found}
#
# [skill_set.review]
# skills = [{skills}]
"""
