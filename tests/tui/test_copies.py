"""Which text of a thing is copied, and which next?"""

from types import SimpleNamespace

from tui.panes.copies import Copying, of_run, of_session


def test_the_key_goes_through_the_texts_of_one_thing_and_begins_anew_at_another():
    copying, texts = Copying(), (("id", "1"), ("title", "x"))
    said = [copying.next(of, texts) for of in (1, 1, 1, 2, 1)]
    assert [(one.what, one.again) for one in said] == [
        ("id", "title"),
        ("title", "id"),
        ("id", "title"),
        ("id", "title"),
        ("id", "title"),
    ]
    assert Copying().next(1, (("id", "1"),)).again == ""


def test_of_a_run_its_output_comes_first_and_what_it_lacks_is_left_out():
    run = SimpleNamespace(id=8, task="mend it", workspace="/w")
    checks = (SimpleNamespace(ok=True, name="scope", why="fine"), SimpleNamespace(ok=False, name="budget", why="full"))
    detail = SimpleNamespace(run=run, verdict=SimpleNamespace(checks=checks), tail=("a", "b"))
    assert of_run(detail)[:2] == (("the output", "a\nb"), ("the verdict", "ok scope: fine\nNO budget: full"))
    detail = SimpleNamespace(run=run, verdict=None, tail=())
    assert [what for what, _ in of_run(detail)] == ["run id", "what was asked", "workspace"]


def test_of_a_session_the_id_of_the_conversation_it_stands_in():
    session = SimpleNamespace(id=4, generation_id=9, title=None, workspace="/w")
    old, now = SimpleNamespace(id=8, provider_id="old"), SimpleNamespace(id=9, provider_id="now")
    detail = SimpleNamespace(session=session, generations=(old, now))
    assert [text for _, text in of_session(detail)] == ["4", "now", "/w"]
