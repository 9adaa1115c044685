"""Who may come in to the console that browsers show?"""

import pytest

from tui.web.door import refusal

TOKEN = "t0ken-of-this-server"
HERE = "127.0.0.1:8642"
FROM_HERE = {"Host": HERE, "Origin": f"http://{HERE}"}


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        (f"/{TOKEN}/", {"Host": HERE}),
        (f"/{TOKEN}/", FROM_HERE),
        (f"/{TOKEN}/static/js/textual.js", {"Host": "localhost:9000"}),
        (f"/{TOKEN}/static/js/textual.js", {"Host": "localhost"}),
        (f"/{TOKEN}/ws", FROM_HERE | {"Upgrade": "websocket"}),
    ],
)
def test_who_knows_the_token_comes_in(path, headers):
    assert refusal(path, headers, TOKEN) == ""


@pytest.mark.parametrize(
    ("path", "headers", "why"),
    [
        ("/", {"Host": HERE}, "token"),
        ("/wrong/", {"Host": HERE}, "token"),
        (f"/{TOKEN}x/", {"Host": HERE}, "token"),
        (f"/{TOKEN[:-1]}/", {"Host": HERE}, "token"),
        (f"/x/{TOKEN}/", {"Host": HERE}, "token"),
        (f"//{TOKEN}/", {"Host": HERE}, "token"),
        ("/\udcff/", {"Host": HERE}, "token"),
        (f"/{TOKEN.upper()}/", {"Host": HERE}, "token"),
        (f"/{TOKEN}/", {}, "name"),
        (f"/{TOKEN}/", {"Host": "rebound.example:8642"}, "name"),
        (f"/{TOKEN}/", {"Host": "127.0.0.1.rebound.example:8642"}, "name"),
        (f"/{TOKEN}/", {"Host": "0.0.0.0:8642"}, "name"),
        (f"/{TOKEN}/", FROM_HERE | {"Origin": "http://elsewhere.example"}, "site"),
        (f"/{TOKEN}/", FROM_HERE | {"Origin": "http://127.0.0.1:1"}, "site"),
        (f"/{TOKEN}/", FROM_HERE | {"Origin": "null"}, "site"),
        (f"/{TOKEN}/ws", {"Host": HERE, "Upgrade": "WebSocket"}, "browser"),
        (f"/{TOKEN}/ws", FROM_HERE | {"Upgrade": "websocket", "Origin": "http://elsewhere.example"}, "site"),
    ],
)
def test_nobody_else_does(path, headers, why):
    assert why in refusal(path, headers, TOKEN)
