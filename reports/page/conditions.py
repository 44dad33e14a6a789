"""PURE. Under what conditions a scene was measured: in a line, and as names and values."""

from collections.abc import Sequence

from loadtests.scenario.dimensions import CLIENTS, DIMENSIONS, RATE, RTT, Dimension
from reports.basics.units import counted, listed, quantity
from reports.charts.chart_data import Scene
from reports.validity.network import BY, conditions
from servers.feed.schedule import Burst, Poisson, Stairs, Steady, parse_schedule
from servers.settings.fault_specs import parse_fault


def situation(scene: Scene) -> str:
    """Describe the situation of a section: all steps of its sweep; in brackets what else the run has."""
    rates, rtts_ms = (sorted(scene.steps[each.column].unique()) for each in (RATE, RTT))
    told = [
        counted(scene.clients, "client") + _besides(scene, CLIENTS),
        _schedule([scene.schedules[rate] for rate in rates]) + _besides(scene, RATE),
    ]
    if fault := str(scene.setting.get("fault") or ""):
        told.append(f"from a server that {parse_fault(fault).meaning}, on purpose")
    if rtts_ms[-1]:
        told.append(f"round trip {listed([RTT.amount(ms) for ms in rtts_ms])}{_besides(scene, RTT)}")
    told += [f"{what.lower()} {how}" for what, how in conditions(scene.setting).items()]
    return ", ".join(told)


def _besides(scene: Scene, dimension: Dimension) -> str:
    others = sorted(set(scene.summary[dimension.column]) - set(scene.steps[dimension.column]))
    return f" (this run also has {listed([dimension.amount(value) for value in others])})" if others else ""


def _schedule(several: Sequence[str]) -> str:
    """Describe schedules of one form in words; a form unknown here as it is typed."""
    rates = listed([f"{parse_schedule(each).rate_per_s:,g}" for each in several])
    match parse_schedule(several[0]):
        case Poisson():
            return f"{rates} messages a second at random instants"
        case Steady():
            return f"{rates} messages a second, evenly spaced"
    return listed([_unusual(each) for each in several])


def _unusual(text: str) -> str:
    match parse_schedule(text):
        case Burst(size=size, period_s=period_s):
            return f"{counted(size, 'message')} at once, every {quantity(period_s * 1000, 'ms')}"
        case Stairs(first_per_s=first, last_per_s=last, steps=steps, step_s=step_s):
            return f"{first:g} to {last:g} messages a second in {steps} steps of {quantity(step_s * 1000, 'ms')}"
    return text


def settings(scene: Scene) -> dict[str, str]:
    """The scenario as a list of names and values with units."""
    setting = scene.setting
    known = {
        "message_bytes": "Message content",
        "poll_interval_s": "Poll interval",
        "hold_timeout_s": "Hold timeout",
        "warmup_s": "Warm-up",
        "window_s": "Measured window",
    }
    units = {"_bytes": ("B", 1), "_s": ("ms", 1000)}
    told = {"Scenario": f"{setting['name']}: {setting['purpose']}"}
    clients, rtts_ms, rates = (sorted(scene.summary[each.column].unique()) for each in DIMENSIONS)
    told["Clients"] = ", ".join(CLIENTS.amount(count) for count in clients)
    told["Round trip added"] = ", ".join(RTT.amount(ms) for ms in rtts_ms)
    if rtts_ms[-1]:
        told["Round trip added"] += f", {BY[str(setting.get('network', 'relay'))]}"
    told |= conditions(setting)
    told["Messages due"] = _schedule([scene.schedules[rate] for rate in rates])
    for key, title in known.items():
        value = setting.get(key)
        if value is None:
            continue
        unit, scale = next(unit for ending, unit in units.items() if key.endswith(ending))
        told[title] = quantity(float(str(value)) * scale, unit)
    return told
