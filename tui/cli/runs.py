"""`qd spawn`, `qd run ...`: ask for a run, wait for its end, and print what became of it."""

import argparse
import time
from typing import Any

import msgspec

from engine.config.durations import seconds
from engine.contract.clock import iso
from engine.contract.orders import Lane, RunRequest, StopRun, Trigger
from engine.runtime.client import Client
from engine.runtime.settings import load_strict
from engine.sessions.reuse import WORDS
from state import responses, runs
from state.database import Connection, open_reader
from state.errors import EngineUnavailable, NotFound
from state.home import Home
from tui.cli.raw import metadata, reported
from tui.cli.sums import booked_view, cost_cell
from tui.cli.verb import Context, Output, Verb, listed, local, table

_STEP_S = 0.03


def duration(text: str) -> float:
    """For argparse: a duration in seconds."""
    try:
        return seconds(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def request_arguments(parser: argparse.ArgumentParser) -> None:
    """What every way to ask for a run takes."""
    parser.add_argument("--agent", help="who does it; digest and command are built in (digest)")
    parser.add_argument("--task", default="", help="what to do, in words")
    parser.add_argument("--workspace", help="the folder to work in (this one)")
    parser.add_argument(
        "--inject", "--inject-only", action="append", metavar="FILES", help="the only files in its prompt"
    )
    parser.add_argument("--can-read", action="append", metavar="PATHS", help="injected files must lie within these")
    parser.add_argument("--can-write", action="append", metavar="PATHS", help="what it may write")
    parser.add_argument("--timeout", type=duration, help="how long it may take, like 60s or 10m")
    parser.add_argument("--detach", action="store_true", help="do not wait for the end")
    parser.add_argument("argv", nargs="*", metavar="-- PROGRAM ARGUMENTS", help="for the command agent")


def _run_arguments(parser: argparse.ArgumentParser) -> None:
    request_arguments(parser)
    parser.add_argument("--session", type=int, help="in this session instead of the agent's own")


def _spawn(context: Context) -> Output:
    return _ask(context, _request(context, trigger="spawn", lane="isolated"))


def _run(context: Context) -> Output:
    request = _request(context, trigger="operator", lane="main")
    return _ask(context, msgspec.structs.replace(request, session_id=context.options.session))


def _request(context: Context, *, trigger: Trigger, lane: Lane) -> RunRequest:
    options = context.options
    return RunRequest(
        agent=options.agent or ("command" if options.argv else "digest"),
        workspace=context.workspace(),
        task=options.task,
        inject=listed(options.inject) if options.inject else None,
        can_read=listed(options.can_read),
        can_write=listed(options.can_write),
        timeout_s=options.timeout,
        argv=tuple(options.argv),
        trigger=trigger,
        lane=lane,
    )


def _ask(context: Context, request: RunRequest) -> Output:
    load_strict(context.home)  # a broken configuration is said here, before anything runs by an older one
    client = Client(context.home)
    client.ensure()
    answer = msgspec.json.decode(client.order("run", request))
    return output_of_run(context, answer["run"])


def output_of_run(context: Context, run_id: int) -> Output:
    """Wait for a run unless told not to, then show it."""
    connection = open_reader(context.home)
    assert connection is not None, "the engine has just answered from it"
    run = runs.get(connection, run_id) if context.options.detach else wait(context.home, connection, run_id)
    view = run_view(connection, run) | {"text": result_text(context.home, run_id)}
    ok = run.outcome == "succeeded" or (run.live and context.options.detach)
    return Output(view, run_words(view), ok)


def wait(home: Home, connection: Connection, run_id: int) -> runs.Run:
    """The run once it has ended. Raises EngineUnavailable when the engine is gone: the run itself goes on."""
    client = Client(home)
    while (run := runs.get(connection, run_id)).live:
        if client.holder() is None:
            client.ensure()
        time.sleep(_STEP_S)
    return run


def result_text(home: Home, run_id: int) -> str | None:
    """What the agent answered; None when it answered nothing or it is not kept any more."""
    try:
        return (home.run_folder(run_id) / "result.txt").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None


def run_view(connection: Connection, run: runs.Run) -> dict[str, Any]:
    """A run as JSON: the contract of `qd spawn --json`, `qd run --json` and `qd run show --json`."""
    kept = runs.receipt(connection, run.id)
    duration_s = (run.ended_ms - run.started_ms) / 1000 if run.ended_ms and run.started_ms else None
    return {
        "outcome": run.outcome,
        "run": run.id,
        "session": run.session_id,
        "state": run.state,
        "why": run.why,
        "verdict": msgspec.json.decode(run.verdict),
        "receipt": {"parts": msgspec.json.decode(kept.parts), "tokens": kept.tokens, "chars": kept.chars}
        if kept
        else None,
        "usage": booked_view(responses.of_run(connection, run.id)),
        "raw": reported(run),
        "agent": run.agent,
        "adapter": run.adapter,
        "model": run.model,
        "lane": run.lane,
        "trigger": run.trigger,
        "task_type": run.task_type,
        "job": run.job,
        "task": run.task,
        "workspace": run.workspace,
        "inject": msgspec.json.decode(run.inject),
        "can_read": msgspec.json.decode(run.can_read),
        "can_write": msgspec.json.decode(run.can_write),
        "timeout_s": run.timeout_s,
        **metadata(run),
        "reuse_reason": run.reuse_reason,
        "estimate_tokens": run.estimate_tokens,
        "exit_code": run.exit_code,
        "signal": run.signal,
        "requested_at": iso(run.requested_ms),
        "started_at": iso(run.started_ms),
        "ended_at": iso(run.ended_ms),
        "duration_s": duration_s,
    }


def run_words(view: dict[str, Any]) -> str:
    """The same for a person."""
    lines = [f"run {view['run']}  {view['agent']}  {view['outcome'] or view['state']}" + _took(view)]
    for check in view["verdict"]["checks"]:
        mark = "ok" if check["ok"] else "NO"
        lines.append(f"  {check['name']:<12}{mark}   {check['why']}" + (f"; {check['fix']}" if check["fix"] else ""))
    if view["receipt"]:
        parts = [(part["kind"], part["source"], part["tokens"]) for part in view["receipt"]["parts"]]
        lines += [
            "",
            table(("part", "source", "tokens"), [*parts, ("total", "", view["receipt"]["tokens"])], right=(2,)),
        ]
    if view["reuse_reason"]:
        lines += ["", WORDS.get(view["reuse_reason"], view["reuse_reason"])]
    if view["usage"]:
        lines.append(_used(view["usage"]))
    if view.get("text"):
        lines += ["", view["text"].rstrip()]
    elif view["why"]:
        lines += ["", view["why"]]
    return "\n".join(lines)


def _used(used: dict[str, Any]) -> str:
    cached = used["cache_read_tokens"] + used["cache_write_tokens"]
    parts = [f"used {used['input_tokens']:,} in", f"{used['output_tokens']:,} out"]
    parts[1:1] = [f"{cached:,} cached"] if cached else []
    cost = cost_cell(used)
    return f"{', '.join(parts)}, {'no price' if cost == '-' else cost} ({used['basis']}, {used['confidence']})"


def _took(view: dict[str, Any]) -> str:
    return f" in {view['duration_s']:.1f} s" if view["duration_s"] is not None else ""


def _list_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--limit", type=int, default=30, help="how many at most (30)")


def _list(context: Context) -> Output:
    connection = context.reader()
    found = runs.latest(connection, context.options.limit) if connection else []
    rows = [
        (
            run.id,
            run.outcome or run.state,
            run.agent,
            run.trigger,
            local(run.requested_ms),
            run.summary or run.why or "",
        )
        for run in found
    ]
    text = (
        table(("run", "outcome", "agent", "trigger", "asked for", "said"), rows, right=(0,)) if rows else "No runs yet."
    )
    return Output({"runs": [run_view(connection, run) for run in found] if connection else []}, text)


def _run_id_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=int, help="a run's number")


def _show(context: Context) -> Output:
    connection = context.reader()
    if connection is None:
        raise NotFound(f"there is no run {context.options.run}", "see: qd run list")
    run = runs.get(connection, context.options.run)
    view = run_view(connection, run) | {"text": result_text(context.home, run.id)}
    return Output(view, run_words(view))


def _stop(context: Context) -> Output:
    client = Client(context.home)
    if client.holder() is None:
        raise EngineUnavailable("no engine runs, so nothing can be live", "see: qd run list")
    client.order("stop", StopRun(context.options.run))
    return Output({"run": context.options.run}, f"Run {context.options.run} is being ended.")


SPAWN = Verb(request_arguments, _spawn)
RUN = Verb(_run_arguments, _run)
LIST = Verb(_list_arguments, _list)
SHOW = Verb(_run_id_argument, _show)
STOP = Verb(_run_id_argument, _stop)
