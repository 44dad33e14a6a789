"""Cells of a server whose law is known, since it was made up: what is fitted must find it again."""

from collections.abc import Sequence
from math import sqrt

import msgspec
import numpy as np
import pytest

from loadtests.records.manifest import Machine
from reports.model.cell_figures import CellFigures, Load, message_payload_bytes
from reports.model.model import Coverage, Model, coverage, fit_all
from reports.model.service import ASKED, HELD, quantile_s, requests_per_s

CLIENTS = (10, 50, 200, 500)
RATES = (0.5, 2.0, 10.0, 40.0)
LABELS = {"short_polling": "Short polling", "long_polling": "Long polling", "sse": "Server-Sent Events"}
LABELS |= {"chunked": "Chunked streaming", "websocket": "WebSocket", "http2_push": "HTTP/2 push"}


def true_cores(pattern: str, load: Load) -> float:
    """The law that the made-up server has."""
    if pattern == ASKED:
        return 30e-6 * load.requests_per_s + 1e-3 * sqrt(load.requests_per_s)
    if pattern == HELD:
        return 31e-6 * load.requests_per_s + 0.3e-3 * load.wakes_per_s
    return 8.5e-6 * load.deliveries_per_s + 0.34e-3 * load.wakes_per_s + 3e-6 * load.clients


def made_up(pattern: str, clients: float, rate_per_s: float, noise: float, random: np.random.Generator) -> CellFigures:
    """noise: standard deviation of what each figure is off, as a share of it."""
    payload = message_payload_bytes(pattern, 200)
    load = Load(
        clients=clients,
        rate_per_s=rate_per_s,
        wakes_per_s=rate_per_s,
        requests_per_s=0.0,
        payload_bytes_per_s=payload * clients * rate_per_s,
    )
    for _ in range(8):
        served = requests_per_s(pattern, load, 31e-6)
        load = msgspec.structs.replace(load, requests_per_s=served)
    cores = true_cores(pattern, load)
    service_s = cores / (load.requests_per_s or load.deliveries_per_s)

    def noisy(value: float) -> float:
        return value * float(np.exp(random.normal(0.0, noise)))

    return CellFigures(
        pattern=pattern,
        label=LABELS[pattern],
        load=load,
        message_bytes=200,
        cores=noisy(cores),
        memory_bytes=noisy(60e6 + 20e3 * clients),
        sent_bytes_per_s=noisy(load.payload_bytes_per_s + 250 * load.requests_per_s + 3 * clients),
        p50_ms=noisy(0.3 + 1e3 * quantile_s(pattern, load, service_s, 0.5)),
        p99_ms=noisy(0.9 + 1e3 * quantile_s(pattern, load, service_s, 0.99)),
        missed=0,
    )


def made_up_cells(noise: float = 0.05, seed: int = 1, patterns: Sequence[str] = tuple(LABELS)) -> list[CellFigures]:
    random = np.random.default_rng(seed)
    return [made_up(each, clients, rate, noise, random) for each in patterns for clients in CLIENTS for rate in RATES]


def made_up_model(cells: Sequence[CellFigures]) -> Model:
    return Model(
        made_at="2026-11-24T07:30:00Z",
        machine=Machine(system="none", cpu="made up", cores=2, memory_bytes=2**33, python="3.11", clock_id="made-up"),
        versions={"pollbench": "0.1.0"},
        commit="0000000",
        runs=["pollbench compare"],
        tls_record_s=1e-6,
        coverage=coverage(cells) if len(cells) > 4 else Coverage(0, 0),
        labels={cell.pattern: cell.label for cell in cells},
        laws=fit_all(cells),
        observations=list(cells),
    )


@pytest.fixture(scope="session")
def model() -> Model:
    return made_up_model(made_up_cells())
