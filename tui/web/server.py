"""How does a browser get a console? Each websocket gets a console process of its own, as a terminal would.

The page and what belongs to it come from here and nowhere else: no font, script or address of another host.
"""

import asyncio
import importlib.resources
import secrets
import shlex
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from string import Template

from aiohttp import web
from textual_serve import server

from state.errors import Refused
from state.home import Home
from tui.web.door import refusal

LOOPBACK = "127.0.0.1"
LEAVE_S = 2.0
"""How long consoles that are open have to end with the server."""
_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self'; img-src 'self' data:;"
    " connect-src 'self' ws://{host}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Served:
    """The web application of one home, behind one token."""

    def __init__(self, home: Home, token: str) -> None:
        self._token = token
        flags = ("--config", str(home.config), "--state", str(home.state))
        command = "exec " + shlex.join((sys.executable, "-m", "tui.web.console", *flags))
        self._consoles = server.Server(command, host=LOOPBACK)
        self._page = Template((importlib.resources.files("tui.web") / "page.html").read_text(encoding="utf-8"))
        folder = Path(self._consoles.statics_path)
        self._files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._guard])
        app.router.add_get("/{token}/", self._index)
        app.router.add_get("/{token}/ws", self._consoles.handle_websocket)
        app.router.add_get("/{token}/static/{name:.+}", self._static)
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Before anything else, also before it is known whether there is such a page."""
        why = refusal(request.path, request.headers, self._token)
        if why:
            raise web.HTTPForbidden(text=f"{why}\n", headers=_HEADERS)
        return await handler(request)

    async def _index(self, request: web.Request) -> web.Response:
        text = self._page.substitute(socket=f"ws://{request.host}/{self._token}/ws")
        headers = _HEADERS | {"Content-Security-Policy": _POLICY.format(host=request.host)}
        return web.Response(text=text, content_type="text/html", headers=headers)

    async def _static(self, request: web.Request) -> web.StreamResponse:
        path = self._files.get(request.match_info["name"])
        if path is None:
            raise web.HTTPNotFound(headers=_HEADERS)
        return web.FileResponse(path, headers=_HEADERS)


def serve(home: Home, port: int, told: Callable[[str], None]) -> None:
    """Serve consoles until a signal ends it; `told` gets the address. Raises Refused when the port is taken."""
    token = secrets.token_urlsafe(32)
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((LOOPBACK, port))
        except OSError as error:
            raise Refused(f"cannot listen on port {port}: {error.strerror}", "name another one with --port") from None
        asyncio.run(_until_ended(Served(home, token), listening, token, told))


async def _until_ended(served: Served, listening: socket.socket, token: str, told: Callable[[str], None]) -> None:
    over = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, over.set)
    runner = web.AppRunner(served.app(), access_log=None, shutdown_timeout=LEAVE_S)
    await runner.setup()
    try:
        await web.SockSite(runner, listening).start()
        told(f"http://{LOOPBACK}:{listening.getsockname()[1]}/{token}/")
        await over.wait()
    finally:
        await runner.cleanup()
