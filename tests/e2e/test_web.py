"""Is the console in a browser the same console, and for nobody but who has its address?"""

import asyncio
import base64
import contextlib
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import pyte
import pytest

from tests.e2e.test_drill import inside

aiohttp = pytest.importorskip("aiohttp", reason="needs the extra `web`")
pytest.importorskip("textual_serve", reason="needs the extra `web`")


class Served:
    """`qd web` on a desk."""

    def __init__(self, desk, *words):
        self.process = subprocess.Popen(
            [*desk.argv, *words, "web"],
            env=desk.env,
            cwd=desk.workspace,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.address = self.process.stdout.readline().strip()
        url = urlsplit(self.address)
        self.host, self.port, self.path = url.netloc, url.port, url.path

    @property
    def ws(self):
        return f"ws://{self.host}{self.path}ws"

    def get(self, path, **headers):
        """Over a plain socket, with these headers and no others."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        with contextlib.closing(connection):
            connection.putrequest("GET", path, skip_host=True, skip_accept_encoding=True)
            for name, value in ({"Host": self.host} | headers).items():
                connection.putheader(name, value)
            connection.endheaders()
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=40)
        return self.process.returncode, out, err


@pytest.fixture
def served(desk):
    running = []

    def start(*words):
        running.append(Served(desk, *words))
        return running[-1]

    yield start
    for one in running:
        if one.process.poll() is None:
            one.process.kill()
            one.process.communicate()


def consoles(desk):
    """Console processes of browser pages."""
    return {pid for pid in inside(desk.state) if b"tui.web.console" in Path(f"/proc/{pid}/cmdline").read_bytes()}


UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


def test_page_files_and_socket_are_for_who_has_the_address(desk, served):
    web = served()
    origin = f"http://{web.host}"
    assert web.address.startswith("http://127.0.0.1:")
    assert len(web.path.strip("/")) >= 40
    status, headers, page = web.get(web.path)
    assert status == 200
    assert web.ws.encode() in page
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    for name in ("js/textual.js", "css/xterm.css", "fonts/RobotoMono-VariableFont_wght.ttf"):
        assert web.get(f"{web.path}static/{name}")[0] == 200
        assert web.get(f"/static/{name}")[0] == web.get(f"/wrong/static/{name}")[0] == 403
    for path in ("/", "/ws", "/wrong/", "/wrong/ws", "/favicon.ico", "/static/", "//"):
        assert web.get(path)[0] == 403
    assert web.get("/wrong/ws", Origin=origin, **UPGRADE)[0] == 403
    assert web.get(f"{web.path}ws", **UPGRADE)[0] == 403, "no browser leaves out where it comes from"
    assert web.get(f"{web.path}ws", Origin="http://elsewhere.example", **UPGRADE)[0] == 403
    for path in (web.path, f"{web.path}ws", f"{web.path}static/js/textual.js"):
        assert web.get(path, Host=f"rebound.example:{web.port}")[0] == 403
    for escape in ("../../server.py", "..%2f..%2fserver.py", "/etc/passwd"):
        assert web.get(f"{web.path}static/{escape}")[0] in (403, 404)
    assert consoles(desk) == set(), "nobody has come in yet"


def test_the_page_names_no_other_host(served):
    web = served()
    page = web.get(web.path)[2].decode()
    assert [part for part in page.replace(web.ws, "").split('"') if "//" in part] == []


def test_only_this_machine_can_reach_it(served):
    web = served()
    listening = Path("/proc/net/tcp").read_text().splitlines()[1:]
    bound = [line.split()[1] for line in listening if line.split()[3] == "0A"]
    assert [one for one in bound if one.endswith(f":{web.port:04X}")] == [f"0100007F:{web.port:04X}"]


def test_a_browser_has_the_same_console_and_leaves_it_when_the_page_goes(desk, served, wait_until):
    desk.write("README.md", "- [ ] mend the pump\n")
    desk.json("spawn", "--inject", "README.md", "--task", "watch the pump")
    web = served()

    async def visit():
        origin = f"http://{web.host}"
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{web.ws}?width=100&height=30", origin=origin) as socket,
        ):
            await socket.send_json(["resize", {"width": 100, "height": 30}])
            page = Page(socket, (100, 30))
            assert "1 Sessions" in await page.wait_for("watch the pump")
            await socket.send_json(["stdin", "?"])
            await page.wait_for("enter does what the line says")
            return len(consoles(desk))

    assert asyncio.run(visit()) == 1
    wait_until(lambda: not consoles(desk), "the console goes with its page")
    assert desk.json("engine", "status")["pid"] == desk.holder_pid()


class Page:
    """What a page would show: the bytes of a socket on a screen."""

    def __init__(self, socket, size):
        self._socket = socket
        self._screen = pyte.Screen(*size)
        self._stream = pyte.ByteStream(self._screen)

    async def wait_for(self, text):
        async with asyncio.timeout(40):
            while text not in (shown := "\n".join(self._screen.display)):
                message = await self._socket.receive()
                assert message.type in (aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT), shown
                data = message.data if isinstance(message.data, bytes) else message.data.encode()
                self._stream.feed(data.replace(KITTY, b""))
        return shown


KITTY = b"\x1b[>25u"
"""Which this screen would print."""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_no_console_outlives_the_server(desk, served, wait_until, number):
    web = served()

    async def visit():
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(web.ws, origin=f"http://{web.host}") as socket,
        ):
            await Page(socket, (80, 24)).wait_for("1 Sessions")
            await asyncio.to_thread(web.process.send_signal, number)
            async with asyncio.timeout(40):
                while not socket.closed:
                    await socket.receive()

    asyncio.run(visit())
    out, err = web.process.communicate(timeout=40)
    assert err == ""
    assert web.process.returncode == (-number if number == signal.SIGKILL else 0), out
    wait_until(lambda: not consoles(desk), "the console is gone")


def test_a_port_that_is_taken_and_one_that_there_is_not(desk, served):
    web = served()
    code, _, err = desk.run("web", "--port", str(web.port))
    assert code == 1
    assert f"cannot listen on port {web.port}" in err
    assert desk.run("web", "--port", "70000")[0] == 2


def test_no_run_can_serve_the_console(desk):
    desk.env["QUARTERDECK_RUN"] = "7"
    code, _, err = desk.run("web")
    assert code == 1
    assert "answer from your own shell" in err


def test_without_the_extra_one_line_says_how_to_get_it(desk, tmp_path):
    code = (
        "import sys; sys.modules['textual_serve'] = None; sys.path_importer_cache.clear()\n"
        "import importlib.util as u; found = u.find_spec\n"
        "u.find_spec = lambda name, *more: None if name == 'textual_serve' else found(name, *more)\n"
        "from tui.cli.main import main; sys.exit(main(['web']))"
    )
    done = subprocess.run([sys.executable, "-c", code], env=desk.env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert "install it: pipx install '.[web]'" in line


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_a_real_browser_shows_it_and_types_into_it(desk, served, tmp_path, wait_until):
    web = served()
    profile = tmp_path / "profile"
    argv = [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    argv += ["--remote-debugging-port=0", f"--user-data-dir={profile}", "--window-size=1200,800", web.address]
    with (tmp_path / "browser.log").open("wb") as log:
        browser = subprocess.Popen(argv, env=desk.env, stdout=log, stderr=log, start_new_session=True)
    try:
        told = profile / "DevToolsActivePort"
        wait_until(lambda: told.exists() and told.read_text().count("\n") >= 1, "the browser is up")
        asyncio.run(operate(int(told.read_text().splitlines()[0]), web, desk))
        wait_until(lambda: not consoles(desk), "q left the console")
    finally:
        os.killpg(browser.pid, signal.SIGKILL)
        browser.wait()


async def operate(port, web, desk):
    """Wait until the console is painted; open a page by a key, then leave; nothing came from anywhere else."""
    async with aiohttp.ClientSession() as session:
        pages = await (await session.get(f"http://127.0.0.1:{port}/json")).json()
        (page,) = [one for one in pages if one["type"] == "page"]
        async with session.ws_connect(page["webSocketDebuggerUrl"], max_msg_size=0) as socket:
            browser = Browser(socket)
            await browser.until("document.body.classList.contains('-first-byte')")
            assert len(consoles(desk)) == 1
            loaded = await browser.value("JSON.stringify(performance.getEntriesByType('resource').map(e => e.name))")
            assert {urlsplit(name).netloc for name in json.loads(loaded)} == {web.host}
            assert await browser.value("document.fonts.check('16px \"Roboto Mono\"')")
            picture = await browser.painted()
            if keep := os.environ.get("QD_KEEP_PICTURE"):
                await asyncio.to_thread(Path(keep).write_bytes, base64.b64decode(picture))
            await browser.click(600, 400)
            await browser.press("q")
            await browser.until("document.body.classList.contains('-closed')")


class Browser:
    """A page of Chromium, through its debugging socket."""

    def __init__(self, socket):
        self._socket, self._number = socket, 0

    async def ask(self, method, **params):
        self._number += 1
        await self._socket.send_json({"id": self._number, "method": method, "params": params})
        async with asyncio.timeout(40):
            while (answer := await self._socket.receive_json()).get("id") != self._number:
                pass
        return answer["result"]

    async def value(self, expression):
        return (await self.ask("Runtime.evaluate", expression=expression))["result"].get("value")

    async def until(self, expression):
        deadline = time.monotonic() + 40
        while not await self.value(expression):
            assert time.monotonic() < deadline, expression

    async def painted(self):
        """An empty page makes a smaller picture; the picture."""
        deadline = time.monotonic() + 40
        while len(shot := (await self.ask("Page.captureScreenshot", format="png"))["data"]) < 40_000:
            assert time.monotonic() < deadline, "the page stays empty"
        return shot

    async def click(self, x, y):
        for kind in ("mousePressed", "mouseReleased"):
            await self.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    async def press(self, key):
        for kind in ("keyDown", "keyUp"):
            text = {"text": key} if kind == "keyDown" else {}
            await self.ask("Input.dispatchKeyEvent", type=kind, key=key, code=f"Key{key.upper()}", **text)
