"""`qd cron ...`: jobs are declared in the configuration; this edits it, and shows what became of them."""

import argparse
from typing import Any

import msgspec

from engine.config.model import Config
from engine.config.rules import no_such
from engine.context.routing import split_model
from engine.contract.clock import iso
from engine.contract.orders import FireJob, Nothing
from engine.runtime.boards import JobRow, job_board
from engine.runtime.boot import starts_after_boot
from engine.runtime.client import Client
from engine.runtime.edits import drop_entry, put_entry
from engine.runtime.settings import load_strict, machine_zone
from engine.schedule.calendar import next_fires_ms, trigger
from state.errors import NotFound, Refused, UsageError
from tui.cli.amounts import duration
from tui.cli.asking import routed_arguments, routed_values
from tui.cli.awaiting import awaited
from tui.cli.verb import Context, Output, Verb, following, local, no_arguments, noted, table, times

LETTERS = {
    "started": ">",
    "finished": "v",
    "failed": "f",
    "refused": "r",
    "missed": "m",
    "overlap": "o",
    "paused": "p",
    "interrupted": "i",
}
"""How a strip of slots says what became of each."""


def _when_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--every", metavar="INTERVAL", help="like 10m or 2h")
    parser.add_argument("--cron", metavar="FIELDS", help='five fields, like "0 7 * * 1-5"')
    parser.add_argument("--zone", help="IANA zone of the fields (the configuration's, else this machine's)")


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--name", required=True, help="what to call it")
    _when_arguments(parser)
    parser.add_argument("--agent", help="who does it (that of the model's adapter, else digest)")
    parser.add_argument("--model", help="which model, as the agent calls it, or ADAPTER/MODEL, like claude_code/haiku")
    parser.add_argument("--task-type", help="what kind of work it is (the agent's, else cron)")
    parser.add_argument(
        "--session", choices=("isolated", "main"), help="fresh each time, or resumed (as the task type says)"
    )
    parser.add_argument("--workspace", help="the folder to work in (this one)")
    routed_arguments(parser, _as_written)
    parser.add_argument("--task", help="what to do, in words")
    parser.add_argument("--timeout", type=_as_written, help="how long a run may take, like 60s or 10m")


def _as_written(text: str) -> str:
    """A duration that goes into the configuration as it was typed."""
    duration(text)
    return text


def _add(context: Context) -> Output:
    options = context.options
    config = load_strict(context.home)
    if options.name in config.job:
        raise Refused(f"there is a job '{options.name}' already", f"remove it first: qd cron remove {options.name}")
    _due(options, config.timezone)
    agent, model = _who(options.agent, options.model, config)
    values = {
        "every": options.every,
        "cron": options.cron,
        "zone": options.zone,
        "agent": agent,
        "model": model,
        "task_type": options.task_type,
        "session": options.session,
        "workspace": context.workspace(),
        "task": options.task,
        "timeout": options.timeout,
        **routed_values(options),
    }
    config = put_entry(context.home, "job", options.name, values)
    _tell_engine(context)
    row = next(row for row in _board(context) if row.name == options.name)
    text = f"Job {options.name}: {row.trigger}, next at {local(row.next_due_ms)} ({row.zone}). {_boot_note()}".rstrip()
    return Output(_row_view(row), text)


def _who(agent: str | None, model: str | None, config: Config) -> tuple[str, str | None]:
    """The agent and the model. The built-in agents need none: their name may stand in its place."""
    if agent is None and model in config.agents:
        return model, None
    named = split_model(model, "digest")[0]
    name = agent or (named if named in config.agents else "digest")
    if name not in config.agents:
        raise NotFound(*no_such("agent", name, config.agents))
    if model is not None and named is None and config.agents[name].adapter == "digest":
        raise Refused(
            f"no adapter here speaks to the model '{model}'", "use --model ADAPTER/MODEL, or --agent with its adapter"
        )
    return name, model


def _due(options: argparse.Namespace, zone: str | None) -> Any:
    try:
        return trigger(options.every, options.cron, options.zone or zone or machine_zone())
    except ValueError as error:
        raise UsageError(f"qd cron: {error}") from None


def _list(context: Context) -> Output:
    board = _board(context)
    note, seen = starts_after_boot(), following(context.home)
    data = seen.view | {"jobs": [_row_view(row) for row in board], "starts_after_boot": note is None, "note": note}
    if not board:
        text = "No jobs. Add one: qd cron add --name health-check --every 10m --inject-only HEARTBEAT.md"
        return Output(data, text)
    rows = [
        (
            row.name,
            row.trigger,
            "paused" if not row.enabled else local(row.next_due_ms),
            "".join(LETTERS[slot.state] for slot in row.slots) or "-",
            "-" if row.tokens_per_fire is None else f"{row.tokens_per_fire:,}",
            row.agent,
            row.lane,
        )
        for row in board
    ]
    text = table(("job", "when", "next", "last slots", "tok/fire", "agent", "session"), rows, right=(4,))
    return Output(data, noted(noted(text, note or ""), seen.note(context.now_ms)))


def _board(context: Context) -> list[JobRow]:
    return job_board(context.reader(), load_strict(context.home), context.now_ms)


def _row_view(row: JobRow) -> dict[str, Any]:
    view = times(msgspec.structs.asdict(row))
    return view | {"slots": [times(msgspec.structs.asdict(slot)) for slot in row.slots]}


def _name_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("job", help="a job's name")


def _fire_arguments(parser: argparse.ArgumentParser) -> None:
    _name_argument(parser)
    parser.add_argument("--detach", action="store_true", help="do not wait for the end")


def _fire(context: Context) -> Output:
    load_strict(context.home)
    client = Client(context.home)
    client.ensure()
    client.order("reload", Nothing())
    answer = msgspec.json.decode(client.order("fire", FireJob(context.options.job)))
    return awaited(context, answer["run"])


def _set_enabled(context: Context, enabled: bool) -> Output:
    name = context.options.job
    if name not in load_strict(context.home).job:
        raise Refused(f"there is no job '{name}'", "see: qd cron list")
    put_entry(context.home, "job", name, {"enabled": None if enabled else False})
    _tell_engine(context)
    return Output({"job": name, "enabled": enabled}, f"Job {name} {'fires again' if enabled else 'is paused'}.")


def _remove(context: Context) -> Output:
    drop_entry(context.home, "job", context.options.job)
    if Client(context.home).holder() is not None:
        _tell_engine(context)
    return Output({"job": context.options.job}, f"Job {context.options.job} is removed; its past slots are kept.")


def _preview_arguments(parser: argparse.ArgumentParser) -> None:
    _when_arguments(parser)
    parser.add_argument("--count", type=int, default=5, help="how many due times (5)")


def _preview(context: Context) -> Output:
    due = _due(context.options, None)
    fires = next_fires_ms(due, context.now_ms, context.now_ms, max(1, min(context.options.count, 1000)))
    text = "\n".join(f"{local(at)}   {iso(at)}" for at in fires)
    return Output({"trigger": due.words, "zone": due.zone, "next": [iso(at) for at in fires]}, f"{due.zone}\n{text}")


def _tell_engine(context: Context) -> None:
    """Jobs fire from the engine: make sure that one runs and knows."""
    client = Client(context.home)
    client.ensure()
    client.order("reload", Nothing())


def _boot_note() -> str:
    return starts_after_boot() or ""


ADD = Verb(_add_arguments, _add)
LIST = Verb(no_arguments, _list)
FIRE = Verb(_fire_arguments, _fire)
PAUSE = Verb(_name_argument, lambda context: _set_enabled(context, False))
RESUME = Verb(_name_argument, lambda context: _set_enabled(context, True))
REMOVE = Verb(_name_argument, _remove)
PREVIEW = Verb(_preview_arguments, _preview)
