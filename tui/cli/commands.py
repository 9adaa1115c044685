"""Which verbs are there? One table: what is typed, what it is for, and where its code is (imported when asked for)."""

from typing import NamedTuple


class Command(NamedTuple):
    """A verb of `qd`."""

    words: tuple[str, ...]
    where: str
    """`module:VERB`"""
    help: str
    writes: bool = False
    """Refused under `--read-only`: it changes what is, or has something done."""


COMMANDS = (
    Command(("sessions",), "tui.cli.sessions:LIST", "list every session, newest first"),
    Command(("session", "show"), "tui.cli.sessions:SHOW", "one session with its generations and runs"),
    Command(("session", "reset"), "tui.cli.sessions:RESET", "start a session afresh at its next run", writes=True),
    Command(("undo",), "tui.cli.undo:UNDO", "take back the last act: a reset, an edit, a skill allowed", writes=True),
    Command(("undo", "list"), "tui.cli.undo:LIST", "what could be taken back, newest first; does nothing"),
    Command(("spawn",), "tui.cli.runs:SPAWN", "run a scoped subagent in a session of its own", writes=True),
    Command(("run",), "tui.cli.runs:RUN", "run an agent in its session, resuming it", writes=True),
    Command(("run", "list"), "tui.cli.run_list:LIST", "the newest runs, what each cost, and which went too far"),
    Command(("run", "show"), "tui.cli.runs:SHOW", "one run: verdict, receipt, usage, result"),
    Command(("run", "stop"), "tui.cli.runs:STOP", "end a live run, or withdraw one that waits", writes=True),
    Command(("say",), "tui.cli.say:SAY", "say something in a session, and read the answer as it comes", writes=True),
    Command(
        ("attach",),
        "tui.terminal.attach:ATTACH",
        "open an agent's own program on a session, in this terminal",
        writes=True,
    ),
    Command(
        ("interrupt",), "tui.cli.runs:INTERRUPT", "have a live run leave its turn, and keep what it did", writes=True
    ),
    Command(("approvals",), "tui.cli.approvals:LIST", "what waits for your word"),
    Command(("approvals", "show"), "tui.cli.approvals:SHOW", "one question in full, as it is stored"),
    Command(("approve",), "tui.cli.approvals:APPROVE", "let a run go over its budget, or do what it asks", writes=True),
    Command(("deny",), "tui.cli.approvals:DENY", "refuse what waits for your word", writes=True),
    Command(("templates",), "tui.cli.declared:TEMPLATES", "the templates that a spawn may name"),
    Command(("task-types",), "tui.cli.declared:TASK_TYPES", "every task type with its values"),
    Command(("cron", "add"), "tui.cli.cron:ADD", "declare a job", writes=True),
    Command(("cron", "list"), "tui.cli.cron:LIST", "jobs, when they are due, and what became of their slots"),
    Command(("cron", "fire"), "tui.cli.cron:FIRE", "run a job now", writes=True),
    Command(("cron", "pause"), "tui.cli.cron:PAUSE", "stop a job from firing", writes=True),
    Command(("cron", "resume"), "tui.cli.cron:RESUME", "let a paused job fire again", writes=True),
    Command(("cron", "remove"), "tui.cli.cron:REMOVE", "take a job out of the configuration", writes=True),
    Command(("cron", "preview"), "tui.cli.cron:PREVIEW", "when would it fire? needs neither engine nor state"),
    Command(("budget", "list"), "tui.cli.budgets:LIST", "budgets and what is taken of each"),
    Command(("budget", "set"), "tui.cli.budgets:SET", "declare a budget, or change one", writes=True),
    Command(("budget", "remove"), "tui.cli.budgets:REMOVE", "take a budget out of the configuration", writes=True),
    Command(("skills",), "tui.cli.skills:LIST", "skills found here with their token cost, and the sets"),
    Command(("skills", "diff"), "tui.cli.held_skills:DIFF", "what has changed in a skill since it was allowed"),
    Command(("skills", "allow"), "tui.cli.held_skills:ALLOW", "let a held skill be used as it is now", writes=True),
    Command(("skills", "set"), "tui.cli.skills:SET", "declare a skill set", writes=True),
    Command(("skills", "remove"), "tui.cli.skills:REMOVE", "take a skill set out of the configuration", writes=True),
    Command(
        ("context",),
        "tui.cli.context:CONTEXT",
        "what goes into a prompt, and what each part costs; needs neither engine nor state",
    ),
    Command(("usage",), "tui.cli.usage:USAGE", "tokens booked, brought up to date first"),
    Command(
        ("scope", "check"),
        "tui.cli.scope:CHECK",
        "do two scopes share a path? reads JSON, needs neither engine nor state",
    ),
    Command(("engine",), "tui.cli.engine:FOREGROUND", "be the engine, here, until interrupted", writes=True),
    Command(("engine", "status"), "tui.cli.engine:STATUS", "is an engine running, and which"),
    Command(("engine", "stop"), "tui.cli.engine:STOP", "end the engine; live runs go on", writes=True),
    Command(
        ("engine", "install"),
        "tui.cli.unit:INSTALL",
        "hand the engine to systemd, which starts it at boot",
        writes=True,
    ),
    Command(("engine", "uninstall"), "tui.cli.unit:UNINSTALL", "take it back from systemd", writes=True),
    Command(("init",), "tui.cli.setup:INIT", "write a commented configuration for this machine", writes=True),
    Command(("doctor",), "tui.cli.setup:DOCTOR", "what is usable here, and what to do about the rest"),
    Command(("web",), "tui.cli.web:WEB", "the console in a browser, on loopback behind a token; an extra"),
    Command(("tour",), "tui.cli.tour:TOUR", "the five keys that matter"),
    Command(("demo",), "tui.cli.demo:DEMO", "the console on a throw-away home full of fake work; no key, no network"),
    Command(("drill",), "tui.cli.drill:DRILL", "trip every guard in a throw-away workspace, and show what stopped it"),
)


def match(argv: list[str]) -> tuple[Command | None, list[str]]:
    """The longest verb that these words begin with, and the words after it."""
    for length in (2, 1):
        for command in COMMANDS:
            if len(command.words) == length and tuple(argv[:length]) == command.words:
                return command, argv[length:]
    return None, argv
