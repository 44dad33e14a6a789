"""How far a run is, on stderr: a bar with the time left on a terminal, one line per cell everywhere else."""

from collections.abc import Callable, Iterable, Sequence
from typing import Self

from rich.console import Console, RenderableType
from rich.markup import escape
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.text import Text

from loadtests.records.manifest import Cell
from loadtests.scenario.plan import PlannedCell
from servers.timing.clock import now_ns


class TimeLeft(ProgressColumn):
    """What the plan says is left. Known in advance, so there is no need to estimate it from a speed."""

    def render(self, task: Task) -> Text:
        return Text(f"{duration(max(0.0, (task.total or 0.0) - task.completed))} left", style="progress.remaining")


class _WithBoard(Progress):
    """A progress bar beneath whatever `board` is."""

    board: RenderableType | None = None

    def get_renderables(self) -> Iterable[RenderableType]:
        if self.board is not None:
            yield self.board
        yield from super().get_renderables()


class _Shown:
    """What both bars are: so many things of a kind, one after the other, and a line of text for each that failed."""

    def __init__(self, console: Console, total: int, left: ProgressColumn) -> None:
        self._console = console
        self._total = total
        self._ended = 0
        self._progress = _WithBoard(
            TextColumn("{task.fields[count]}"),
            BarColumn(bar_width=None),
            left,
            TextColumn("{task.description}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )

    def _tell(self, name: str, problem: str) -> None:
        """Say how one has ended, where no bar shows it."""
        if problem:
            self._console.print(f"[red]failed[/] {name}: {escape(problem)}", highlight=False, soft_wrap=True)
        elif not self._console.is_terminal:
            self._console.print(f"{self._count()} {name}", highlight=False, soft_wrap=True)

    def _count(self) -> str:
        return f"{self._ended}/{self._total}"

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()


class Bar(_Shown):
    """Shows cells as they are measured. A cell never counts for more than its expected time until it has ended.

    board: asked on a terminal after each finished cell, for what to show above the bar until the end. place: stands
    before a cell's name, where cells of several runs take turns.
    """

    def __init__(
        self, console: Console, cells: Sequence[PlannedCell], board: Callable[[Cell], RenderableType] | None = None
    ) -> None:
        super().__init__(console, len(cells), TimeLeft())
        self._board = board
        self._cells = list(cells)
        self._done_s = 0.0
        self._started_ns = now_ns()
        self.place = ""
        total_s = sum(cell.expected_s for cell in cells)
        self._task = self._progress.add_task("", total=total_s, count=self._count())

    def starts(self, planned: PlannedCell) -> None:
        self._started_ns = now_ns()
        self._progress.update(self._task, description=escape(f"{self.place}{planned.name}"), count=self._count())

    def tick(self) -> None:
        in_cell_s = (now_ns() - self._started_ns) / 1e9
        expected_s = self._cells[self._ended].expected_s
        self._progress.update(self._task, completed=self._done_s + min(in_cell_s, expected_s))

    def ended(self, cell: Cell) -> None:
        self._done_s += self._cells[self._ended].expected_s
        self._ended += 1
        self._progress.update(self._task, completed=self._done_s, count=self._count())
        self._tell(f"{self.place}{cell.name}", "; ".join(cell.problems))
        if not cell.problems and self._console.is_terminal and self._board is not None:
            self._progress.board = self._board(cell)


class TimeLeftLearned(ProgressColumn):
    """What is left if the rest takes as long each as what has ended; "" until something has."""

    def render(self, task: Task) -> Text:
        if not task.completed or task.finished:
            return Text("")
        in_this_s = (now_ns() - task.fields["since_ns"]) / 1e9
        to_do = round((task.total or 0.0) - task.completed)
        left_s = learned_s((task.elapsed or 0.0) - in_this_s, round(task.completed), in_this_s, to_do)
        return Text(f"{duration(left_s)} left", style="progress.remaining")


def learned_s(took_s: float, ended: int, in_this_s: float, to_do: int) -> float:
    """Return how long `to_do` things still take, one of them begun, when those that ended took so long together.

    The one that is going on never counts for more than they did on average.
    """
    each_s = took_s / ended
    return to_do * each_s - min(in_this_s, each_s)


class TurnsBar(_Shown):
    """Shows runs of arms of unknown length: `total` of them, one after the other."""

    def __init__(self, console: Console, total: int) -> None:
        super().__init__(console, total, TimeLeftLearned())
        self._name = ""
        self._task = self._progress.add_task("", total=total, count=self._count(), since_ns=now_ns())

    def starts(self, name: str) -> None:
        self._name = name
        self._progress.update(self._task, description=escape(name), since_ns=now_ns())

    def ended(self, problem: str = "") -> None:
        self._ended += 1
        self._progress.update(self._task, completed=self._ended, count=self._count(), since_ns=now_ns())
        self._tell(self._name, problem)


def duration(seconds: float) -> str:
    """Return a time for people: "8 s", "2 min 40 s", "3 h 05 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"
