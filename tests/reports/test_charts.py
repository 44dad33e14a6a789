"""Charts by the data on their axes."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from loadtests.scenario.dimensions import RATE, RTT
from loadtests.scenario.scenarios import Scenario
from reports.basics.units import quantity
from reports.charts import CHARTS, Chart, breakdown, cost, latency, sweep
from reports.charts.chart_data import Scene, scenes
from reports.charts.mark import mark
from reports.charts.style import styled
from reports.charts.timeline import timeline
from reports.data.load import load
from reports.measures.latency_parts import PARTS, TAIL_PARTS
from reports.measures.measures import latencies, summary
from tests.other_rows import with_rows
from tests.synthetic import write_run


@pytest.fixture(scope="module")
def far(distant: Path) -> list[Scene]:
    """The scenes of a run at three round trips. Read only."""
    run = load(distant)
    return scenes(run, summary(run), "VALID")


@pytest.fixture(scope="module")
def often(frequent: Path) -> list[Scene]:
    """The scenes of a run at three message rates. Read only."""
    run = load(frequent)
    return scenes(run, summary(run), "VALID")


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
    for pattern, rows in latencies(scene.run).groupby("pattern", observed=True):
        x, y = line(figure, f"over-time-{pattern}")
        assert rows["latency_ms"].min() <= y.min() <= y.max() <= rows["latency_ms"].max()
        assert 0 <= x.min() <= x.max() <= scene.setting["window_s"]


def test_bars_are_as_long_as_the_values_of_the_table(scene: Scene) -> None:
    cpu, memory = cost.server(scene).axes
    widths = [bar.get_width() for bar in cpu.patches]  # type: ignore[attr-defined]
    assert widths == pytest.approx(scene.rows["cpu_ms_per_1000"].tolist())
    assert len(memory.patches) == len(scene.rows)


def test_what_was_not_measured_gets_a_dash_and_no_mark(scene: Scene) -> None:
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


def test_a_sweep_has_a_point_for_every_number_of_clients(tmp_path_factory: pytest.TempPathFactory) -> None:
    growing = Scenario(
        name="grow", purpose="a sweep", clients=(2, 5, 9), schedule="poisson:8", poll_interval_s=0.2, window_s=1.0
    )
    run = load(write_run(tmp_path_factory.mktemp("sweep"), [growing], repeats=1))
    (scene,) = scenes(run, summary(run), "VALID")
    assert scene.clients == 9
    assert sweep.is_sweep(scene)
    figure = sweep.latency(scene)
    for pattern in scene.patterns:
        x, y = line(figure, f"p50_ms-{pattern}")
        assert x.tolist() == [2, 5, 9]
        wanted = scene.summary[scene.summary["pattern"] == pattern].sort_values("clients")["p50_ms"]
        assert y.tolist() == wanted.tolist()
    with styled():
        sweep.linear(scene).draw_without_rendering()


def test_a_single_repeat_of_a_sweep_shows_what_the_instrument_may_have_added() -> None:
    rows = pd.DataFrame({"p50_ms": [3.0], "p50_ms_low": [np.nan], "p50_ms_high": [np.nan], "p50_ms_floor": [2.0]})
    assert [edge.tolist() for edge in sweep.interval(rows, "p50_ms")] == [[2.0], [3.0]]
    assert [edge.tolist() for edge in sweep.interval(rows.assign(p50_ms_low=1.0, p50_ms_high=4.0), "p50_ms")] == [
        [1.0],
        [4.0],
    ]
    assert sweep.interval(rows.drop(columns="p50_ms_floor"), "p50_ms")[0].isna().all()


def test_round_trips_are_a_sweep_of_their_own_drawn_once_for_all(far: list[Scene]) -> None:
    *nearer, scene = far
    assert [each.rtt_ms for each in nearer] == [0.0, 20.0]
    assert [each.name for each in (*nearer, scene)] == ["distant-0ms", "distant-20ms", "distant"]
    assert not any(sweep.is_sweep(each, RTT) for each in nearer)
    assert sweep.is_sweep(scene, RTT)
    assert not sweep.is_sweep(scene)
    figure = sweep.latency(scene, RTT)
    floor_x, floor_y = line(figure, "floor-p99_ms")
    assert (floor_x / 2).tolist() == floor_y.tolist() == [0.0, 10.0, 40.0]
    for pattern in scene.patterns:
        x, y = line(figure, f"p99_ms-{pattern}")
        assert x.tolist() == [0, 20, 80]
        wanted = scene.summary[scene.summary["pattern"] == pattern].sort_values("rtt_ms")["p99_ms"]
        assert y.tolist() == wanted.tolist()
        assert (y >= floor_y).all()
    with styled():
        for chart in CHARTS:
            if chart.applies(scene):
                chart.draw(scene).draw_without_rendering()


def test_message_rates_are_a_sweep_of_their_own_drawn_once_for_all(often: list[Scene]) -> None:
    *rarer, scene = often
    assert [each.name for each in (*rarer, scene)] == ["frequent-4per_s", "frequent-16per_s", "frequent"]
    assert [each.rate_per_s for each in (*rarer, scene)] == [4, 16, 64]
    assert [each.cells["rate_per_s"].unique().tolist() for each in (*rarer, scene)] == [[4], [16], [64]]
    assert not any(sweep.is_sweep(each, RATE) for each in rarer)
    along = {chart.name: chart for chart in CHARTS if chart.along is RATE and chart.applies(scene)}
    assert list(along) == ["latency-by-rate", "cost-by-rate", "requests-by-rate"]
    for chart, name in (("latency-by-rate", "p99_ms"), ("cost-by-rate", "cpu_ms_per_1000")):
        figure = along[chart].draw(scene)
        for pattern in scene.patterns:
            x, y = line(figure, f"{name}-{pattern}")
            assert x.tolist() == [4, 16, 64]
            wanted = scene.summary[scene.summary["pattern"] == pattern].sort_values("rate_per_s")[name]
            assert y.tolist() == wanted.tolist()
        assert {axes.get_xscale() for axes in figure.axes} == {"log"}
    empty = line(along["requests-by-rate"].draw(scene), "empty_ratio-short_polling")[1]
    assert (np.diff(empty) <= 0).all()


@pytest.mark.parametrize(("name", "log"), [("p99_ms", True), ("cpu_ms_per_1000", False)])
def test_a_ring_marks_where_two_drawn_lines_cross(often: list[Scene], name: str, log: bool) -> None:
    scene = often[-1]
    rows = scene.summary[scene.summary["pattern"].isin(["long_polling", "sse"])]
    poll = rows["pattern"] == "long_polling"
    values = rows[name].mask(poll, rows["rate_per_s"].map({4.0: 100.0, 16.0: 40.0, 64.0: 5.0})).mask(~poll, 20.0)
    crossing = replace(scene, summary=rows.assign(**{name: values, f"{name}_low": values, f"{name}_high": values}))
    draw = sweep.latency if log else partial(sweep.linear, shown=sweep.COSTS_OF_A_DELIVERY)
    (x,), (y,) = line(draw(crossing, RATE), f"crossovers-{name}")
    share = np.log(40 / 20) / np.log(40 / 5) if log else (40 - 20) / (40 - 5)
    assert (x, y) == (pytest.approx(16 * 4**share), pytest.approx(20))


def test_of_many_steps_a_few_have_charts_of_their_own_and_the_ends_are_among_them(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    many = Scenario(
        name="many",
        purpose="a sweep",
        clients=(2,),
        schedule=",".join(f"steady:{rate}" for rate in range(10, 19)),
        window_s=0.5,
        poll_interval_s=0.2,
        rtt_ms=(0.0, 9.0),
    )
    run = load(write_run(tmp_path_factory.mktemp("many"), [many], repeats=1, labels={"sse": "SSE"}))
    found = scenes(run, summary(run), "VALID")
    assert [each.rate_per_s for each in found] == [10, 13, 15, 18]
    assert {each.rtt_ms for each in found} == {9}
    assert found[-1].furthest
    assert len(found[-1].steps) == 9


def test_a_picture_of_very_frequent_messages_shows_fewer_of_them(often: list[Scene]) -> None:
    scene = often[-1]
    slow = replace(scene, setting={**scene.setting, "poll_interval_s": 0.5})
    assert timeline(slow).axes[0].get_xlim()[1] == pytest.approx(60 / 64)


def test_who_is_far_slower_than_the_round_trip_is_named_at_the_edge_with_its_latency(far: list[Scene]) -> None:
    scene = far[-1]
    median, tail = sweep.latency(scene, RTT).axes
    assert tail.get_ylim() == (0, 160)
    slow = scene.rows.set_index("pattern").loc["short_polling"]
    for axes, name in ((median, "p50_ms"), (tail, "p99_ms")):
        assert f"Short polling {quantity(float(slow[name]), 'ms')} \N{UPWARDS ARROW}" in texts(axes)
    assert "Long polling" in texts(tail)


def test_the_cost_of_distance_is_drawn_only_where_it_is_not_the_same(far: list[Scene]) -> None:
    scene, rows = far[-1], far[-1].summary
    same = {column: 1.0 for name in sweep.COSTS for column in (name, f"{name}_low", f"{name}_high")}
    flat = replace(scene, summary=rows.assign(**same))
    assert not sweep.varies(flat, RTT)
    dearer = (flat.summary["pattern"] == "sse") & (flat.summary["rtt_ms"] == 80)
    dear = flat.summary.assign(cpu_ms_per_1000=flat.summary["cpu_ms_per_1000"].mask(dearer, 2.0))
    dear = dear.assign(cpu_ms_per_1000_low=dear["cpu_ms_per_1000"], cpu_ms_per_1000_high=dear["cpu_ms_per_1000"])
    assert sweep.varies(replace(flat, summary=dear), RTT)


def test_charts_survive_a_pattern_that_delivered_nothing(scene: Scene) -> None:
    rows = scene.summary.copy()
    rows.loc[rows["pattern"] == "sse", [name for name in rows if "_ms" in str(name) and name != "rtt_ms"]] = np.nan
    gone = scene.run.deliveries["pattern"] == "sse"
    poor = replace(scene, run=with_rows(scene.run, deliveries=scene.run.deliveries[~gone]), summary=rows)
    with styled():
        for chart in CHARTS:
            if chart.applies(poor):
                chart.draw(poor).draw_without_rendering()


def marks(figure: Figure) -> dict[str, str]:
    """The verdict's texts on a figure, by gid."""
    written = figure.findobj(lambda artist: artist.get_gid() in {"verdict", "watermark"})
    return {str(text.get_gid()): text.get_text() for text in written}  # type: ignore[attr-defined]


@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.name)
def test_every_chart_carries_the_verdict_in_room_of_its_own(scene: Scene, chart: object) -> None:
    if not chart.applies(scene):  # type: ignore[attr-defined]
        pytest.skip("needs several client counts")
    for verdict, shown in {
        "VALID": set(),
        "SUSPECT": {"verdict"},
        "FAIL": {"verdict", "watermark"},
    }.items():
        with styled():
            figure = chart.draw(scene)  # type: ignore[attr-defined]
            mark(figure, verdict)  # type: ignore[arg-type]
        assert set(marks(figure)) == shown
        assert all(verdict in text for text in marks(figure).values())
        if shown:
            with styled():
                figure.draw_without_rendering()
            badge = figure.get_suptitle()
            assert badge.startswith(verdict)
            bottom = figure._suptitle.get_window_extent().y0
            assert all(axes.get_window_extent().y1 <= bottom for axes in figure.axes)


def test_the_marks_of_latency_stand_where_the_parts_are_and_slow_ones_further_right(scene: Scene) -> None:
    for axes, over in zip(breakdown.parts(scene).axes, breakdown.OVER, strict=True):
        assert axes.get_xscale() == "log"
        marks = {mark.get_gid(): mark.get_xdata()[0] for mark in axes.lines}  # type: ignore[index]
        for row in scene.rows.to_dict("records"):
            for part in PARTS:
                if row[f"{part}_{over}_ms"] > 0:
                    assert marks[f"{part}-{over}-{row['pattern']}"] == row[f"{part}_{over}_ms"]


@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.name)
def test_a_chart_for_a_phone_is_as_narrow_as_one_and_shows_the_same(scene: Scene, chart: Chart) -> None:
    if not chart.applies(scene):
        pytest.skip("this scene has nothing for it")
    with styled():
        wide = chart.draw(scene)
    with styled(narrow=True):
        narrow = chart.draw(scene)
    assert narrow.get_figwidth() < wide.get_figwidth() / 2
    names = [sorted(str(mark.get_gid()) for axes in each.axes for mark in axes.lines) for each in (wide, narrow)]
    assert names[0] == names[1]
    assert len(narrow.axes) >= len(wide.axes) - 1


def test_each_chart_has_words_of_its_own(scene: Scene) -> None:
    told = [chart.words(scene) for chart in CHARTS if chart.applies(scene)]
    assert len({*told}) == len(told)
    for words in told:
        assert all(label in words for label in (scene.look.labels[pattern] for pattern in scene.patterns)), words
        assert "nan" not in words


def test_parts_of_a_tail_that_are_unknown_get_a_dash_and_no_mark(scene: Scene) -> None:
    rows = scene.summary.assign(**dict.fromkeys(TAIL_PARTS, np.nan))
    _, tail = breakdown.parts(replace(scene, summary=rows)).axes
    assert texts(tail) == ["\N{EN DASH}"] * len(scene.patterns)
    assert not tail.lines


def test_the_fan_out_runs_from_the_first_client_to_the_last_of_the_table(scene: Scene) -> None:
    figure = breakdown.fan_out(scene)
    for row in scene.rows.to_dict("records"):
        x, y = line(figure, f"fan-out-{row['pattern']}")
        assert x.tolist() == list(range(1, scene.clients + 1))
        assert (np.diff(y) >= 0).all()
        assert y[0] <= row["middle_client_ms"] <= y[-1]


def test_patterns_that_are_far_apart_are_not_drawn_on_one_scale(scene: Scene) -> None:
    panels = dict(zip(scene.patterns, breakdown.fan_out(scene).axes, strict=True))
    polling, *streams = (panels[name] for name in ("short_polling", "chunked", "sse", "websocket"))
    assert "own scale" in polling.get_title()
    assert len({axes.get_ylim() for axes in streams}) == 1
    assert polling.get_ylim()[1] > breakdown.ONE_SCALE * streams[0].get_ylim()[1]


def test_a_platform_without_stamps_has_no_chart_of_parts_and_still_a_fan_out(scene: Scene) -> None:
    without = [str(name) for name in scene.summary if "wait_" in str(name) or "network_" in str(name)]
    mac = replace(
        scene,
        summary=scene.summary.assign(**dict.fromkeys(without, np.nan)),
        run=with_rows(scene.run, deliveries=scene.run.deliveries.assign(arrived_ns=0)),
    )
    assert not breakdown.is_known(mac)
    with styled():
        breakdown.fan_out(mac).draw_without_rendering()
