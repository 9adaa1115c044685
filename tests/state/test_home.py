"""Where is the state kept, and is a place refused that others could write?"""

import os
import pwd
from pathlib import Path

import pytest

from state.errors import StateUnwritable
from state.home import Home, find_home, prepare

BOTH = {"HOME": "/u", "XDG_CONFIG_HOME": "/c", "XDG_STATE_HOME": "/s"}


@pytest.mark.parametrize(
    ("flag", "environ", "config", "state"),
    [
        ("/f", {"QUARTERDECK_HOME": "/q", **BOTH}, "/f", "/f"),
        (None, {"QUARTERDECK_HOME": "/q", **BOTH}, "/q", "/q"),
        ("", {"QUARTERDECK_HOME": "", **BOTH}, "/c/quarterdeck", "/s/quarterdeck"),
        (None, {"HOME": "/u", "XDG_CONFIG_HOME": "/c"}, "/c/quarterdeck", "/u/.local/state/quarterdeck"),
        (None, {"HOME": "/u"}, "/u/.config/quarterdeck", "/u/.local/state/quarterdeck"),
        (None, BOTH | {"XDG_STATE_HOME": "relative"}, "/c/quarterdeck", "/u/.local/state/quarterdeck"),
    ],
)
def test_precedence(flag, environ, config, state):
    assert find_home(flag, environ) == Home(config=Path(config), state=Path(state))


@pytest.mark.parametrize(
    ("flag", "environ"), [("rel/../x", {}), (None, {"QUARTERDECK_HOME": "x"}), (None, {"HOME": "x"}), (None, {})]
)
def test_it_is_always_absolute(flag, environ):
    home = find_home(flag, environ)
    assert home.config.is_absolute()
    assert home.state.is_absolute()


@pytest.mark.parametrize("said", ["", "relative"])
def test_a_home_that_is_none_is_the_one_that_the_system_lists(said):
    listed = Path(pwd.getpwuid(os.getuid()).pw_dir)
    assert find_home(None, {"HOME": said}).config == listed / ".config" / "quarterdeck"


def test_tilde():
    assert find_home("~/x", {}).state == Path("~/x").expanduser()


@pytest.fixture
def home(tmp_path):
    home = Home(config=tmp_path, state=tmp_path / "state")
    prepare(home)
    return home


def refusal(home):
    with pytest.raises(StateUnwritable) as raised:
        prepare(home)
    assert raised.value.fix
    assert "\n" not in raised.value.line
    return str(raised.value)


def test_preparing_twice_is_fine(home):
    prepare(home)
    assert all(folder.is_dir() for folder in home.folders)


@pytest.mark.parametrize("mode", [0o770, 0o702, 0o777])
@pytest.mark.parametrize("name", ["state", "orders"])
def test_a_folder_that_others_can_write(home, mode, name):
    folder = getattr(home, name)
    folder.chmod(mode)
    assert str(folder) in refusal(home)
    folder.chmod(0o755)
    prepare(home)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
@pytest.mark.parametrize("name", ["state", "orders"])
def test_a_folder_of_someone_else(home, name):
    os.chown(getattr(home, name), 65534, 65534)
    assert "belongs to user 65534" in refusal(home)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_is_read_only(home):
    home.state.chmod(0o500)
    assert "cannot write" in refusal(home)
    home.state.chmod(0o700)


@pytest.mark.parametrize("in_the_way", ["a", "a/state", "a/state/orders"])
def test_a_file_in_the_way(tmp_path, in_the_way):
    home = Home(config=tmp_path, state=tmp_path / "a" / "state")
    path = tmp_path / in_the_way
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    assert "cannot write" in refusal(home)
