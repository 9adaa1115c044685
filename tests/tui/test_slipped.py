"""No key acts on a row that has just come under the cursor by itself."""

from tui.widgets.table import SLIP_S, Table


def test_a_key_that_was_meant_for_the_row_that_has_gone_acts_on_no_other(filled, drive, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(Table, "clock", lambda _: now[0])

    async def scenario(pilot):
        app, asked = pilot.app, []
        app.link.put_entry = lambda *said, **_: asked.append(said[:3])
        await pilot.press("2")
        await pilot.sees("health-check", "weekly")
        table = app.overview.panes["jobs"].table
        for times in range(2):
            await pilot.press("home")
            rows = table.rows
            table.show(rows[1:])
            now[0] += times * (SLIP_S + 0.1)
            await pilot.press("p")
            assert [name for _, name, _ in asked] == ["weekly"] * times * 2
            if not times:
                await pilot.sees("another row has come under the cursor")
                await pilot.press("p")
                assert [name for _, name, _ in asked] == ["weekly"]
            table.show(rows)

    drive(filled.home, scenario)


def test_what_only_looks_different_is_the_same_row(filled, drive):
    async def scenario(pilot):
        await pilot.sees("fix flaky test")
        table = pilot.app.overview.panes["sessions"].table
        table.show(list(table.rows))
        assert not table.slipped()
        table.show(table.rows[1:], from_top=True)
        assert not table.slipped()
        table.show(table.rows[1:])
        assert not table.slipped()  # nothing is under it
        table.show(pilot.app.overview.panes["sessions"].all_rows)

    drive(filled.home, scenario)
