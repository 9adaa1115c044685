"""A real terminal: tmux with a server of its own, driven by keys and read as a screen."""

import os
import shlex
import subprocess
import time
from collections.abc import Mapping, Sequence


class Terminal:
    """One tmux window that runs one command; what it leaves on screen stays readable after its end."""

    def __init__(self, name: str, argv: Sequence[str], env: Mapping[str, str], cwd: str, size: tuple[int, int]) -> None:
        self._tmux = ("tmux", "-L", name, "-f", "/dev/null")
        self._env = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": env["HOME"]}
        given = " ".join(f"{key}={shlex.quote(value)}" for key, value in env.items() if key != "TERM")
        command = f"exec env -i {given} TERM=tmux-256color {shlex.join(argv)}"
        width, height = size
        self._run("new-session", "-d", "-x", str(width), "-y", str(height), "-c", cwd, f"{command}; :")
        self._run("set-option", "-g", "remain-on-exit", "on")

    def keys(self, *keys: str) -> None:
        """Press keys by tmux's names for them; text is typed as it stands."""
        for key in keys:
            self._run("send-keys", key)

    def type(self, text: str) -> None:
        self._run("send-keys", "-l", text)

    def resize(self, width: int, height: int) -> None:
        self._run("resize-window", "-x", str(width), "-y", str(height))

    def screen(self) -> str:
        """What is on screen now, without colours."""
        return self._run("capture-pane", "-p")

    def pid(self) -> int:
        """The process in the window."""
        return int(self._run("display-message", "-p", "#{pane_pid}"))

    def dead(self) -> bool:
        return self._run("display-message", "-p", "#{pane_dead}").strip() == "1"

    def wait_for(self, *texts: str, patience_s: float = 40.0) -> str:
        """The screen once every text is on it; an AssertionError that shows the last screen otherwise."""
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            screen = self.screen()
            if all(text in screen for text in texts):
                return screen
            time.sleep(0.02)
        missing = [text for text in texts if text not in self.screen()]
        raise AssertionError(f"never on screen: {missing}\n{self.screen()}")

    def wait_without(self, text: str, patience_s: float = 40.0) -> str:
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            screen = self.screen()
            if text not in screen:
                return screen
            time.sleep(0.02)
        raise AssertionError(f"still on screen: {text}\n{self.screen()}")

    def close(self) -> None:
        subprocess.run([*self._tmux, "kill-server"], env=self._env, capture_output=True, check=False, timeout=20)

    def _run(self, *words: str) -> str:
        done = subprocess.run(
            [*self._tmux, *words], env=self._env, capture_output=True, text=True, check=True, timeout=20
        )
        return done.stdout
