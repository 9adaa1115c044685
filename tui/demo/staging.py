"""How does this process get onto a stage, and off it again?"""

import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from state.errors import StateUnwritable
from tui.demo.clearing import clear
from tui.demo.stage import Stage

PREFIX = "quarterdeck-demo-"
_PATIENCE_S = 2.0


@contextmanager
def staged(meanwhile: Callable[[], object] = lambda: None) -> Iterator[Stage]:
    """A demo that runs, with this process moved onto its stage; `meanwhile` is done while it is set up. When it is
    left, or when this process dies however that happens, another process ends whatever belongs to the demo and removes
    its folder. Raises StateUnwritable when there is no room for it."""
    stage = Stage(Path(tempfile.mkdtemp(prefix=PREFIX)).resolve())
    before, here = dict(os.environ), Path.cwd()
    with _stagehand(stage) as (stdin, stdout):
        meanwhile()
        if not stdout.read(1):
            raise StateUnwritable(f"the demo could not be set up in {stage.folder}", "set TMPDIR to a folder with room")
        _become(stage.environ(before))
        os.chdir(stage.workspace)
        try:
            yield stage
        finally:
            os.chdir(here)
            _become(before)
            stdin.close()
            _wait_for_threads()
    if stage.folder.exists():  # a thread of ours was about to start another engine
        clear(stage)


@contextmanager
def _stagehand(stage: Stage) -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    """Who plays the demo. It has no terminal, and outlives ours for as long as it takes to clear away."""
    with subprocess.Popen(
        [sys.executable, "-m", "tui.demo.stagehand", str(stage.folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd="/",
        env=stage.environ(os.environ),
        start_new_session=True,
    ) as process:
        assert process.stdin is not None, "it was asked for a pipe"
        assert process.stdout is not None, "it was asked for a pipe"
        yield process.stdin, process.stdout


def _wait_for_threads() -> None:
    """Those that serve a console end by themselves once it has been left and its engine is gone."""
    for thread in threading.enumerate():
        if thread.daemon and thread is not threading.current_thread():
            thread.join(_PATIENCE_S)


def _become(environ: Mapping[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environ)
