"""An experiment without servers: its figures are arithmetic, so that the frame can be held against what must come."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import nan
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from loadtests.experiments.observations import Observation
from reports.charts.style import Look, figure
from reports.experiments import Effect, Effects
from reports.experiments.effects import change_text

Figures = Callable[[str, int], dict[str, float]]


def halves(arm: str, run: int) -> dict[str, float]:
    """The machine slows down from run to run, and the practice halves whatever it would have cost."""
    return {"cost_ms": 10.0 * run / (2 if arm == "on" else 1), "missed": 0.0, "untold": nan}


@dataclass
class MadeUp:
    figures: Figures = halves
    TITLE: str = "Made up & <quoted>"
    ADVICE: str = "Switch it on."
    MECHANISM: str = "Half is less than whole."
    LIMITS: str = "Nowhere."
    ARMS: Mapping[str, str] = field(default_factory=lambda: {"off": "without it", "on": "with it"})
    EFFECTS: Sequence[Effect] = (
        Effect("cost_ms", "cost", "ms", "off", "on", expected="lower"),
        Effect("missed", "messages missed", "", "off", "on", expected="same", kind="difference"),
        Effect("untold", "what is not measured", "B", "off", "on"),
    )
    measured: list[tuple[str, bool]] = field(default_factory=list)
    doubts: Sequence[str] = ()
    invalid: Sequence[str] = ()

    def measure(self, arm: str, where: Path, *, quick: bool) -> Observation:
        assert where.is_dir()
        assert not any(where.iterdir())
        (where / "log").write_text("left behind")
        self.measured.append((arm, quick))
        run = sum(arm == each for each, _ in self.measured)
        points: list[dict[str, float | str]] = [{"at_s": float(run), "who": "one", "gap": nan}]
        return Observation(self.figures(arm, run), points, ["only made up", *self.doubts], [*self.invalid])

    def verdict(self, effects: Effects) -> str:
        return f"It costs {change_text(effects['cost_ms', 'on'])}."

    def draw(self, points: pd.DataFrame, look: Look) -> Figure:
        drawn = figure(2.0)
        axes = drawn.add_subplot()
        for arm, rows in points.groupby("arm"):
            axes.plot(rows["repeat"], rows["at_s"], color=look.line(str(arm)), label=look.labels[str(arm)])
        return drawn


def repeated(figures: Figures, arms: Mapping[str, str], repeats: int = 5) -> dict[tuple[str, int], dict[str, float]]:
    """Observe every arm of an experiment so often, as its figures say."""
    return {(arm, run): figures(arm, run) for run in range(1, repeats + 1) for arm in arms}
