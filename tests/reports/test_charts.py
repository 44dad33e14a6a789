"""Charts by the data on their axes."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from loadtests.scenario import Scenario
from reports.charts import CHARTS, cost, latency, sweep
from reports.charts.timeline import timeline
from reports.load import load
from reports.measures import latencies, summary
from reports.scene import Scene, scenes
from reports.style import styled
from reports.synthetic import write_run


def line(figure: Figure, name: str) -> tuple[np.ndarray, np.ndarray]:
    """The data of the line with this gid."""
    found = [drawn for axes in figure.axes for drawn in axes.get_lines() if drawn.get_gid() == name]
    assert found, f"no line {name}"
    return np.asarray(found[0].get_xdata()), np.asarray(found[0].get_ydata())


def texts(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.name)
def test_every_chart_that_applies_can_be_drawn_and_names_every_pattern(scene: Scene, chart: object) -> None:
    if not chart.applies(scene):  # type: ignore[attr-defined]
        pytest.skip("needs several client counts")
    with styled():
        figure = chart.draw(scene)  # type: ignore[attr-defined]
        figure.draw_without_rendering()
    written = " ".join(str(text.get_text()) for text in figure.findobj(lambda artist: hasattr(artist, "get_text")))
    assert all(label in written for label in scene.look.labels.values())


def test_the_distribution_passes_through_the_median_of_the_table(scene: Scene) -> None:
    figure = latency.ecdf(scene)
    for row in scene.rows.to_dict("records"):
        x, y = line(figure, f"ecdf-{row['pattern']}")
        assert np.interp(0.5, y, x) == pytest.approx(row["p50_ms"])
        assert (np.diff(x) >= 0).all()


def test_the_spectrum_passes_through_p90_and_stops_where_a_repeat_cannot_tell(scene: Scene) -> None:
    figure = latency.spectrum(scene)
    for row in scene.rows.to_dict("records"):
        x, y = line(figure, f"spectrum-{row['pattern']}")
        assert np.interp(10, x, y) == pytest.approx(row["p90_ms"])
        assert x[-1] <= row["delivered"] / row["repeats"]


def test_the_running_median_lies_within_what_was_measured(scene: Scene) -> None:
    figure = latency.over_time(scene)
    for pattern, rows in scene.latency.groupby("pattern", observed=True):
        x, y = line(figure, f"over-time-{pattern}")
        assert rows["latency_ms"].min() <= y.min() <= y.max() <= rows["latency_ms"].max()
        assert 0 <= x.min() <= x.max() <= scene.setting["window_s"]


def test_bars_are_as_long_as_the_values_of_the_table(scene: Scene) -> None:
    cpu, memory = cost.server(scene).axes
    widths = [bar.get_width() for bar in cpu.patches]  # type: ignore[attr-defined]
    assert widths == pytest.approx(scene.rows["cpu_ms_per_1000"].tolist())
    assert len(memory.patches) == len(scene.rows)


def test_what_was_not_measured_gets_a_dash_and_no_bar(scene: Scene) -> None:
    _, empty = cost.requests(scene).axes
    streams = scene.rows["empty_ratio"].isna().to_numpy()
    assert [text == "\N{EN DASH}" for text in texts(empty)] == streams.tolist()


def test_the_solid_part_of_a_traffic_bar_is_the_message_itself(scene: Scene) -> None:
    (axes,) = cost.traffic(scene).axes
    solid = [bar.get_width() for bar in axes.patches if bar.get_alpha() is None]  # type: ignore[attr-defined]
    assert solid == pytest.approx(scene.rows["payload_bytes_per_delivery"].tolist())


def test_the_timeline_shows_when_messages_were_due_and_when_one_client_had_them(scene: Scene) -> None:
    (axes,) = timeline(scene).axes
    span_s = axes.get_xlim()[1]
    for pattern in scene.patterns:
        received_s, _ = line(axes.figure, f"received-{pattern}")  # type: ignore[arg-type]
        due = next(drawn for drawn in axes.collections if drawn.get_gid() == f"due-{pattern}")
        due_s = np.array([np.asarray(path.vertices)[0, 0] for path in due.get_paths()])
        assert ((due_s >= 0) & (due_s < span_s)).all()
        # What was due in the span has arrived, in the span or after it.
        assert len(received_s) >= len(due_s) > 0
        assert all((received_s >= at).any() for at in due_s)


def test_the_timeline_marks_what_was_pushed_as_pushed(scene: Scene) -> None:
    figure = timeline(scene)
    assert len(line(figure, "pushed-http2_push")[0]) > 0
    assert len(line(figure, "pushed-sse")[0]) == 0


@pytest.fixture(scope="session")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """A scene of a run with three numbers of clients and two round trips."""
    growing = Scenario(
        name="grow",
        purpose="a sweep",
        clients=(2, 5, 9),
        schedule="poisson:8",
        poll_interval_s=0.2,
        window_s=1.0,
        rtt_ms=(0.0, 60.0),
    )
    run = load(write_run(tmp_path_factory.mktemp("sweep"), [growing], repeats=1))
    (scene,) = scenes(run, summary(run), latencies(run))
    return scene


@pytest.mark.parametrize(
    ("along", "steps", "fixed"),
    [(sweep.CLIENTS, [2, 5, 9], ("rtt_ms", 60.0)), (sweep.ROUND_TRIP, [0.0, 60.0], ("clients", 9))],
)
def test_a_sweep_has_a_point_for_every_step_with_the_other_dimension_held(
    swept: Scene, along: sweep.Along, steps: list[float], fixed: tuple[str, float]
) -> None:
    assert along.is_swept(swept)
    figure = sweep.latency(swept, along)
    for pattern in swept.patterns:
        x, y = line(figure, f"p50_ms-{pattern}")
        assert x.tolist() == steps
        own = swept.summary[(swept.summary["pattern"] == pattern) & (swept.summary[fixed[0]] == fixed[1])]
        assert y.tolist() == own.sort_values(along.column)["p50_ms"].tolist()
    with styled():
        sweep.cost(swept, along).draw_without_rendering()


def test_a_run_with_one_number_of_clients_and_one_round_trip_has_no_sweep(scene: Scene) -> None:
    assert not sweep.CLIENTS.is_swept(scene)
    assert not sweep.ROUND_TRIP.is_swept(scene)


def test_charts_survive_a_pattern_that_delivered_nothing(scene: Scene) -> None:
    silent = scene.latency["pattern"] == "sse"
    rows = scene.summary.copy()
    rows.loc[rows["pattern"] == "sse", [name for name in rows if "_ms" in str(name) and name != "rtt_ms"]] = np.nan
    gone = scene.deliveries["pattern"] == "sse"
    poor = replace(scene, latency=scene.latency[~silent], deliveries=scene.deliveries[~gone], summary=rows)
    with styled():
        for chart in CHARTS:
            if chart.applies(poor):
                chart.draw(poor).draw_without_rendering()
