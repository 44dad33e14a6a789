"""The map says at each point what advice says there, and shows what is known, what is open and where the user is."""

from dataclasses import replace

import numpy as np
import pytest

import pollbench
from reports.advice.advise import Question, advise, ranked
from reports.advice.decision_map import UNKNOWN, DecisionMap, decision_map
from reports.advice.goals import parse_goal
from reports.charts.decision import decision
from reports.charts.style import styled
from reports.charts.svg import standalone
from reports.model.model import Model
from tests.model.conftest import made_up_cells, made_up_model

ASKED = Question(clients=300, rate_per_s=3.0, goals=[parse_goal("p99 < 30s")], poll_interval_s=10.0)


@pytest.fixture(scope="module")
def model() -> Model:
    return made_up_model(made_up_cells(noise=0.08))


@pytest.fixture(scope="module")
def found(model: Model) -> DecisionMap:
    return decision_map(model, ASKED, columns=18, lines=5)


def test_the_map_says_at_each_point_what_advice_says_there(model: Model, found: DecisionMap) -> None:
    for line, column in ((1, 6), (2, 9), (4, 12)):
        asked = replace(ASKED, clients=round(found.clients[line]), rate_per_s=found.rates[column])
        assert found.best[line][column] == ranked(advise(model, asked))[0].pattern


def test_it_goes_on_to_where_the_model_ends_and_says_so(found: DecisionMap) -> None:
    best = np.array(found.best)
    assert (best[:, 0] == UNKNOWN).all() and (best[:, -1] == UNKNOWN).all()
    assert {"short_polling", "sse"} <= set(best.ravel())


def test_short_polling_takes_over_as_messages_become_frequent_and_the_border_is_open(found: DecisionMap) -> None:
    best = np.array(found.best)[3]
    where = np.flatnonzero(best == "short_polling")
    assert (np.flatnonzero(best == "sse") < where.min()).all()
    assert np.array(found.open).any() and not np.array(found.open).all()


def test_the_picture_names_the_fields_and_has_the_point_asked_about(found: DecisionMap) -> None:
    with styled():
        svg = standalone(decision(found))
    assert 'id="asked"' in svg and 'id="field-short_polling"' in svg and "beyond what was measured" in svg
    assert 'id="open-' in svg


def test_a_picture_of_another_kind_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert pollbench.main(["advise", "--clients", "400", "--rate", "2", "--map", "map.gif"]) == 2
    assert "--map map.gif: neither .svg nor .png" in " ".join(capsys.readouterr().err.split())
