"""The screen of `farm top`: a look every few seconds, in tables to sort and to filter."""

import time
from collections.abc import Callable, Sequence
from typing import ClassVar

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import DataTable, Footer, Input, Static
from textual.worker import get_current_worker

from farm.commands.top_look import (
    MORE_ALERTS,
    Column,
    Look,
    Since,
    T,
    alert_lines,
    campaign_columns,
    cells_of,
    failure_lines,
    headline,
    seen_since,
    use_line,
    worker_columns,
)
from storage.errors import SeedbedError

_ALERTS_SHOWN, _FAILURES_SHOWN = 4, 3
_CAMPAIGNS, _WORKERS = "campaigns", "workers"
_SORTED_BY = {_CAMPAIGNS: 5, _WORKERS: 0}  # by when they are done, and by name


class Top(App[None]):
    """Asks for a look again and again. `ask` takes the time of day and may raise SeedbedError: the
    last look stays on the screen then, and the sentence above it.
    """

    CSS = """
    Static { padding: 0 1; height: auto; }
    #away { background: $error; color: $text; }
    #alerts { color: $warning; }
    #failures { color: $text-muted; }
    DataTable { height: 1fr; min-height: 3; border-top: solid $panel; }
    DataTable:focus { border-top: solid $accent; }
    Input { dock: bottom; height: 3; }
    .hidden { display: none; }
    """
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "quit", "Quit"),
        Binding("s", "sort", "Sort by the next column"),
        Binding("r", "reverse", "Reverse"),
        Binding("slash", "filter", "Filter", key_display="/"),
        Binding("escape", "all", "All", show=False),
        Binding("tab", "app.focus_next", "Other table"),
    ]

    def __init__(self, ask: Callable[[float], Look], *, every_s: float) -> None:
        super().__init__()
        self._ask, self._every_s = ask, every_s
        self._look: Look | None = None
        self._since: Since = {}
        self._by = dict(_SORTED_BY)
        self._reversed = dict.fromkeys(_SORTED_BY, False)
        self._having = ""
        self._is_asking = False

    def compose(self) -> ComposeResult:
        yield Static("The farm is asked …", id="head", markup=False)
        yield Static(id="away", classes="hidden", markup=False)
        yield Static(id="alerts", markup=False)
        for name in _SORTED_BY:
            yield DataTable(id=name, cursor_type="row", zebra_stripes=True)
        yield Static(id="failures", markup=False)
        yield Input(placeholder="Rows that have this text", id="filter", classes="hidden")
        yield Footer()

    def on_mount(self) -> None:
        self.query_one(f"#{_CAMPAIGNS}").focus()
        self.ask_again()
        self.set_interval(self._every_s, self.ask_again)

    # --- looks ---

    def ask_again(self) -> None:
        """Ask for a look beside the screen, unless one is on its way."""
        if not self._is_asking:
            self._is_asking = True
            self.run_worker(self._asked, thread=True)

    def _asked(self) -> None:
        worker = get_current_worker()
        try:
            found: Look | SeedbedError = self._ask(time.time())
        except SeedbedError as exc:
            found = exc
        if not worker.is_cancelled:
            self.call_from_thread(self._take, found)

    def _take(self, found: Look | SeedbedError) -> None:
        self._is_asking = False
        away = self.query_one("#away", Static)
        away.set_class(isinstance(found, Look), "hidden")
        if isinstance(found, Look):
            self._look, self._since = found, seen_since(found, self._since)
            self._draw()
        else:
            away.update(f"{found} It is asked again every {self._every_s:g} s.")

    def _draw(self) -> None:
        if self._look is None:
            return
        found = self._look
        self.query_one("#head", Static).update(f"{headline(found)}\n{use_line(found)}")
        alerts = alert_lines(found, self._since)
        more = len(alerts) - _ALERTS_SHOWN
        shown = [*alerts[:_ALERTS_SHOWN], *([f"and {more} more"] if more > 0 else [])]
        self.query_one("#alerts", Static).update("\n".join(shown or [f"No alert. {MORE_ALERTS}"]))
        failures = failure_lines(found)[:_FAILURES_SHOWN]
        self.query_one("#failures", Static).update("\n".join(failures or ["No failures."]))
        self._fill(_CAMPAIGNS, campaign_columns(found.at), found.campaigns)
        self._fill(_WORKERS, worker_columns(), found.fleet.workers)

    def _fill(self, name: str, columns: Sequence[Column[T]], rows: Sequence[T]) -> None:
        """The rows of a table anew; whoever has scrolled stays where they are."""
        table = self.query_one(f"#{name}", DataTable)
        place, scrolled = table.cursor_coordinate, table.scroll_y
        by, is_reversed = self._by[name], self._reversed[name]
        cells = cells_of(columns, rows, by=by, reverse=is_reversed, having=self._having)
        table.clear(columns=True)
        for k, column in enumerate(columns):
            mark = ("▲" if is_reversed else "▼") if k == by else ""
            table.add_column(f"{column.name} {mark}".strip())
        for row in cells:
            table.add_row(*map(Text, row))
        if cells:
            table.move_cursor(row=min(place.row, len(cells) - 1))
            table.scroll_to(y=scrolled, animate=False)

    # --- keys ---

    @property
    def _table(self) -> str:
        """The table that keys are about: the one with the focus, or else the first."""
        focused = self.focused.id if self.focused else None
        return focused if focused in _SORTED_BY else _CAMPAIGNS

    def action_sort(self) -> None:
        columns = len(self.query_one(f"#{self._table}", DataTable).columns)
        self._by[self._table] = (self._by[self._table] + 1) % max(1, columns)
        self._draw()

    def action_reverse(self) -> None:
        self._reversed[self._table] = not self._reversed[self._table]
        self._draw()

    def action_filter(self) -> None:
        field = self.query_one(Input)
        field.remove_class("hidden")
        field.focus()

    def action_all(self) -> None:
        self.query_one(Input).value = ""
        self._leave_filter()

    def on_input_changed(self, changed: Input.Changed) -> None:
        self._having = changed.value
        self._draw()

    def on_input_submitted(self) -> None:
        self._leave_filter()

    def _leave_filter(self) -> None:
        field = self.query_one(Input)
        field.set_class(not field.value, "hidden")
        self.query_one(f"#{_CAMPAIGNS}").focus()
