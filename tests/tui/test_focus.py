from textual.widget import Widget


def ground_of_cursor(table):
    """What lies under the row that the cursor is on, as it is on the screen now."""
    segments = list(table.render_line(table.cursor + 1 - table.above))
    return segments[0].style.bgcolor


def test_when_the_keyboard_moves_only_what_tells_where_it_is_is_drawn_again(filled, drive, monkeypatch):
    monkeypatch.setenv("COLORTERM", "truecolor")
    drawn = []
    refresh = Widget.refresh

    def noted(widget, *regions, **options):
        drawn.append((widget, regions))
        return refresh(widget, *regions, **options)

    async def scenario(pilot):
        await pilot.sees("fix flaky test", "health-check")
        sessions, jobs = (pilot.app.overview.panes[name].table for name in ("sessions", "jobs"))
        await pilot.until(
            lambda: ground_of_cursor(sessions) == pilot.app.palette.cursor.bgcolor, "the keyboard is there"
        )
        monkeypatch.setattr(Widget, "refresh", noted)
        await pilot.press("tab")
        await pilot.until(lambda: jobs.has_focus and any(widget is jobs for widget, _ in drawn), "it has moved")
        monkeypatch.undo()
        assert ground_of_cursor(sessions) == pilot.app.palette.cursor_off.bgcolor
        assert ground_of_cursor(jobs) == pilot.app.palette.cursor.bgcolor
        of_tables = {widget: regions for widget, regions in drawn if widget in (sessions, jobs)}
        assert set(of_tables) == {sessions, jobs}
        assert all(regions and all(region.height == 1 for region in regions) for _, regions in drawn)

    drive(filled.home, scenario)
