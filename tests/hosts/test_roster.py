"""Who is there, what each is to do and what each has handed in, whatever happens in whichever order."""

from pathlib import Path

import pytest

from loadtests.live.counts import Live
from loadtests.metrics.counting import Counted, SoFar
from loadtests.runs.hosts.endings import HostFailed
from loadtests.runs.hosts.messages import LOST_S, HostRefused, Piece
from loadtests.runs.hosts.roster import FRESH_S, STEP_S, Roster
from loadtests.summary.reduction import Window
from tests.hosts.wanted import VERSIONS, Host, some_work

PIECE = Piece(file="deliveries-sse-7@beta.rows", size_bytes=3, rows=0, sha256="0" * 64)


class Clock:
    """A clock that is put forward by hand."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def roster(clock: Clock, said: list[str]) -> Roster:
    return Roster(VERSIONS, said.append, clock)


def silence(roster: Roster, clock: Clock, for_s: float) -> None:
    """Let time go by as a run does, which looks several times a second."""
    until_s = clock.now_s + for_s
    while clock.now_s < until_s:
        clock.now_s += STEP_S / 4
        roster.look()


def test_hosts_are_let_in_and_told_to_wait(roster: Roster, said: list[str]) -> None:
    assert roster.lacking(1) == "0 of 1 load hosts are there"
    assert Host(roster, "alpha").join().ask().do == "wait"
    assert roster.lacking(1) == ""
    assert roster.lacking(2) == "1 of 2 load hosts are there (alpha)"
    assert said == ["load host alpha at 10.0.0.1 has joined: 2 cores, a CPU"]


def test_a_host_of_another_version_is_refused_by_name_and_named_as_missing(roster: Roster, said: list[str]) -> None:
    with pytest.raises(HostRefused, match=r"python 3\.12\.1 instead of 3\.11\.4") as refused:
        Host(roster, "beta", VERSIONS | {"python": "3.12.1"}).join()
    assert refused.value.for_good
    assert said == ["load host beta at 10.0.0.1 was refused: python 3.12.1 instead of 3.11.4"]
    assert roster.lacking(1) == ("0 of 1 load hosts are there; beta was refused (python 3.12.1 instead of 3.11.4)")


def test_a_name_is_one_hosts_until_that_is_lost(roster: Roster, clock: Clock) -> None:
    Host(roster, "alpha").join()
    other = Host(roster, "alpha")
    with pytest.raises(HostRefused, match="--name") as refused:
        other.join()
    assert not refused.value.for_good
    silence(roster, clock, LOST_S + 1)
    other.join()


def test_joining_twice_is_joining_once(roster: Roster, said: list[str]) -> None:
    alpha = Host(roster, "alpha").join().join()
    assert len(said) == 1
    assert [each.joined.instance for each in roster.there()] == [alpha.instance]


def test_a_cell_has_the_hosts_that_came_first_and_the_rest_wait(roster: Roster, tmp_path: Path) -> None:
    first, second, third = (Host(roster, name).join() for name in ("zeta", "alpha", "beta"))
    roster.begin(2, some_work(), tmp_path)
    assert roster.crew == ("alpha", "zeta")
    assert [each.ask().do for each in (first, second, third)] == ["work", "work", "wait"]


def test_nothing_is_begun_with_a_host_that_is_silent_though_it_is_not_lost_yet(
    roster: Roster, clock: Clock, tmp_path: Path
) -> None:
    alpha = Host(roster, "alpha").join()
    silence(roster, clock, FRESH_S + 1)
    assert roster.lacking(1) == "0 of 1 load hosts are there; alpha is silent"
    with pytest.raises(HostFailed):
        roster.begin(1, some_work(), tmp_path)
    alpha.ask()
    assert roster.lacking(1) == ""


def test_a_cell_does_not_begin_before_all_are_there(roster: Roster, tmp_path: Path) -> None:
    Host(roster, "alpha").join()
    with pytest.raises(HostFailed, match="1 of 2 load hosts are there"):
        roster.begin(2, some_work(), tmp_path)
    assert roster.crew == ()


def test_asking_again_gives_the_same_order(roster: Roster, tmp_path: Path) -> None:
    """So nothing is lost with a connection that broke before the answer came."""
    alpha, work = Host(roster, "alpha").join(), some_work()
    alpha.ask()
    seen = alpha.seen
    roster.begin(1, work, tmp_path)
    once = alpha.ask()
    alpha.seen = seen
    assert alpha.ask() == once
    assert once.work == work


def test_a_host_that_is_silent_is_lost_by_name_and_within_a_stated_time(
    roster: Roster, clock: Clock, tmp_path: Path
) -> None:
    alpha, _ = Host(roster, "alpha").join(), Host(roster, "beta").join()
    roster.begin(2, some_work(), tmp_path)
    silence(roster, clock, LOST_S - 1)
    alpha.ask()
    roster.check()
    silence(roster, clock, 1.5)
    with pytest.raises(HostFailed, match=f"load host beta was not heard of for {LOST_S:g} s"):
        roster.check()
    assert roster.lacking(2) == "1 of 2 load hosts are there (alpha); beta was not heard of for 5 s"


def test_nobody_is_lost_because_the_run_itself_stood_still(roster: Roster, clock: Clock) -> None:
    Host(roster, "alpha").join()
    clock.now_s += 3600
    roster.look()
    assert roster.lacking(1) == ""


def test_what_a_host_cannot_do_fails_the_cell_by_its_name(roster: Roster, tmp_path: Path) -> None:
    alpha, work = Host(roster, "alpha").join(), some_work()
    roster.begin(1, work, tmp_path)
    alpha.ask(attempt=work.attempt, problem="the load process 1 of 1 ended by itself with signal SIGKILL: killed")
    with pytest.raises(HostFailed, match="load host alpha: the load process 1 of 1 ended by itself"):
        roster.check()


def test_the_problem_of_an_earlier_try_is_none_of_this_one(roster: Roster, tmp_path: Path) -> None:
    alpha, work = Host(roster, "alpha").join(), some_work()
    roster.begin(1, work, tmp_path)
    roster.release()
    roster.begin(1, some_work(), tmp_path)
    alpha.ask(attempt=work.attempt, problem="an old one")
    roster.check()


def test_a_host_that_leaves_fails_the_cell_with_its_reason(roster: Roster, tmp_path: Path) -> None:
    alpha = Host(roster, "alpha").join()
    roster.begin(1, some_work(), tmp_path)
    roster.leave(alpha.leaving("interrupted there"))
    with pytest.raises(HostFailed, match="load host alpha left: interrupted there"):
        roster.check()


def test_a_host_that_was_lost_is_told_to_join_again(roster: Roster, clock: Clock) -> None:
    alpha = Host(roster, "alpha").join()
    silence(roster, clock, LOST_S + 1)
    with pytest.raises(HostRefused, match="join again") as refused:
        alpha.ask()
    assert not refused.value.for_good
    alpha.join()
    assert roster.lacking(1) == ""


def test_only_what_came_as_it_was_sent_is_handed_in(roster: Roster, tmp_path: Path) -> None:
    beta, work = Host(roster, "beta").join(), some_work()
    roster.begin(1, work, tmp_path)
    told = beta.handed_in(work.attempt, PIECE)
    for size_bytes, digest in [(0, ""), (2, PIECE.sha256), (3, "1" * 64)]:
        if size_bytes:
            roster.arrived("beta", beta.instance, work.attempt, PIECE.file, size_bytes, digest)
        with pytest.raises(HostRefused, match="send it again"):
            roster.handed_in(told)
        assert roster.of_crew()[0].pieces is None
    roster.arrived("beta", beta.instance, work.attempt, PIECE.file, 3, PIECE.sha256)
    roster.handed_in(told)
    roster.handed_in(told)
    assert roster.of_crew()[0].pieces == [PIECE]


def test_rows_of_a_try_that_is_over_are_refused_for_good(roster: Roster, tmp_path: Path) -> None:
    """Or they would be counted beside those of the try that came after it."""
    beta, work = Host(roster, "beta").join(), some_work()
    roster.begin(1, work, tmp_path)
    roster.release()
    roster.begin(1, some_work(), tmp_path)
    for late in (
        lambda: roster.piece("beta", beta.instance, work.attempt),
        lambda: roster.arrived("beta", beta.instance, work.attempt, PIECE.file, 3, PIECE.sha256),
        lambda: roster.handed_in(beta.handed_in(work.attempt)),
    ):
        with pytest.raises(HostRefused, match="over") as refused:
            late()
        assert refused.value.for_good
    assert roster.of_crew()[0].pieces is None


def test_a_host_that_is_started_anew_does_not_speak_for_the_one_before(roster: Roster, tmp_path: Path) -> None:
    old, work = Host(roster, "beta").join(), some_work()
    roster.begin(1, work, tmp_path)
    roster.leave(old.leaving("killed"))
    new = Host(roster, "beta").join()
    for each in (old, new):
        with pytest.raises(HostRefused, match="wanted no more"):
            roster.handed_in(each.handed_in(work.attempt))
    with pytest.raises(HostFailed, match="load host beta left: killed"):
        roster.check()


def test_all_hear_that_the_run_is_over_and_so_does_who_comes_later(roster: Roster) -> None:
    alpha = Host(roster, "alpha").join()
    roster.end(130, "it was interrupted")
    order = alpha.ask()
    assert (order.do, order.code, order.why) == ("end", 130, "it was interrupted")
    assert roster.there() == []
    assert Host(roster, "beta").join().ask().do == "end"


def test_a_host_hears_of_the_window_even_where_it_missed_the_order_to_count(roster: Roster, tmp_path: Path) -> None:
    alpha, beta, window = Host(roster, "alpha").join(), Host(roster, "beta").join(), Window(1, 2, 0)
    roster.begin(2, some_work(), tmp_path)
    roster.count(window)
    order = alpha.ask()
    assert (order.do, order.window) == ("count", window)
    roster.hand_in()
    for host in (alpha, beta):
        order = host.ask()
        assert (order.do, order.window) == ("hand in", window)
    roster.release()
    roster.begin(2, some_work(), tmp_path)
    assert alpha.ask().window is None, "another try has another window"


def test_what_hosts_have_counted_is_what_they_said_last_of_this_try(roster: Roster, tmp_path: Path) -> None:
    def told(deliveries: int) -> SoFar:
        return SoFar({"sse": Counted(Live(deliveries=deliveries))})

    alpha, beta, work = Host(roster, "alpha").join(), Host(roster, "beta").join(), some_work()
    roster.begin(2, work, tmp_path)
    alpha.ask(attempt=work.attempt, told=told(3))
    beta.ask(attempt=some_work().attempt, told=told(99))
    alpha.ask(attempt=work.attempt, told=told(5), seen=-1)
    assert roster.told == {"alpha": told(5)}
    roster.hand_in()
    roster.handed_in(beta.handed_in(work.attempt, told=told(7)))
    assert roster.told == {"alpha": told(5), "beta": told(7)}
    roster.release()
    assert set(roster.told) == {"alpha", "beta"}, "whoever tells of it may not have looked yet"


def test_nothing_is_ordered_of_a_host_that_was_lost_meanwhile(roster: Roster, clock: Clock, tmp_path: Path) -> None:
    alpha, beta = Host(roster, "alpha").join(), Host(roster, "beta").join()
    roster.begin(2, some_work(), tmp_path)
    beta.ask()
    roster.leave(beta.leaving("interrupted there"))
    roster.count(Window(1, 2, 0))
    roster.hand_in()
    assert alpha.ask().do == "hand in"
    with pytest.raises(HostFailed, match="load host beta left: interrupted there"):
        roster.check()
