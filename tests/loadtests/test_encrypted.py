"""Our servers under TLS: every pattern delivers what it does in the clear, and clients trust only who signed."""

import json
import socket
import ssl
from pathlib import Path

import pytest
import trustme

import pollbench
from loadtests.records.to_parquet import collect
from loadtests.runs.target import Target
from reports.data.load import load
from reports.measures.measures import summary
from reports.theory.compare import agreements
from tests.loadtests.load_process import FOR_LONG, check_whole, http_host, loads_on
from tests.server_process import serving
from tests.targets.test_run import command

pytestmark = [pytest.mark.slow, pytest.mark.apart]
BRIEF = ["--clients", "4", "--schedule", "steady:20", "--warmup", "0.2", "--window", "1", "--drain", "0.4"]
POLLS = {"short_polling", "long_polling"}
TLS = ("--tls", "--https-port", "0")


@pytest.mark.parametrize("more", [[], ["--rtt", "20ms", "--no-keep-alive"]], ids=["here", "far, a connection a poll"])
def test_every_pattern_delivers_everything_under_tls(more: list[str], tmp_path: Path) -> None:
    words = ["compare", "--tls", "--repeats", "1", "--poll-interval", "0.2", *BRIEF, "--warmup", "1", *more]
    done = command(*words, "--json", "--out", str(tmp_path / "run"))
    assert done.returncode in {pollbench.DONE, pollbench.INVALID}, done.stderr  # a busy machine has a late generator
    result = json.loads(done.stdout)
    rows = {row["pattern"]: (row["delivered"], row["missed"], row["errors"]) for row in result["summary"]}
    assert rows == dict.fromkeys(rows, (80, 0, 0))
    assert len(rows) == 6
    doubts = [each["what"] for each in result["cautions"]]
    late = any(what.startswith(("The load generator was late", "The publisher was late")) for what in doubts)
    assert late or not [what for what in doubts if "theory" in what], doubts  # figures of either are late too
    run = load(tmp_path / "run")
    compared = {(each.pattern, each.name) for each in agreements(run, summary(run))}
    foretold = {pattern for pattern in rows if not (more and pattern in POLLS)}  # of handshakes nothing is known
    for name in ("wire_bytes_per_delivery", "segments_per_delivery"):
        assert late or {pattern for pattern, known in compared if known == name} == foretold
    for cell in (tmp_path / "run/cells").iterdir():
        assert "https_port" in (cell / "server.log").read_text(encoding="utf-8")
        assert json.loads((cell / "cell.json").read_text(encoding="utf-8"))["settings"]["tls"] is True


def test_bytes_on_the_wire_are_those_of_records_and_bytes_of_http_are_not(tmp_path: Path) -> None:
    wire = {}
    for name, more in (("plain", []), ("tls", ["--tls"])):
        done = command("run", "sse", *more, *BRIEF, "--json", "--out", str(tmp_path / name))
        (row,) = json.loads(done.stdout)["summary"]
        wire[name] = row["wire_bytes_per_delivery"] - row["http_bytes_per_delivery"]
    assert wire["plain"] < 1 < wire["tls"] < 60  # RFC 8446: 22 bytes a record, which may hold several messages


def test_a_certificate_of_another_authority_is_not_trusted(tmp_path: Path) -> None:
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "other.pem"))
    headless = ("--headless", "--users", "2", "--spawn-rate", "2", *FOR_LONG, "--exit-code-on-error", "0")
    with serving("--schedule", "steady:20", *TLS) as server, loads_on(tmp_path, http_host(server)) as loads:
        load = loads.start("SseUser", *headless, "--tls", "--ca", str(tmp_path / "other.pem"))
        loads.await_rows(load, users=2, each=1, table="requests")
        load.stopped()
        assert collect(loads.cell).problems == []
        assert {"protocol"} <= set(loads.table("requests")["error"].unique()) <= {"protocol", "cut"}
        assert not loads.table("requests")["messages"].any()


def test_users_that_ask_for_tls_and_a_server_that_knows_none_are_told_apart(tmp_path: Path) -> None:
    with serving() as server, loads_on(tmp_path, http_host(server)) as loads:
        load = loads.start("SseUser", "--headless", *FOR_LONG, "--tls")
        assert load.ended() == 3
        assert "serves no TLS, which --tls asks for" in load.words()


def test_by_hand_users_find_the_encrypted_port_and_who_signed_by_themselves(tmp_path: Path) -> None:
    headless = ("--headless", "--users", "6", "--spawn-rate", "6", *FOR_LONG, "--exit-code-on-error", "0")
    with serving("--schedule", "steady:20", *TLS) as server, loads_on(tmp_path, http_host(server)) as loads:
        load = loads.start("SseUser", "Http2PushUser", *headless, "--tls")
        loads.await_rows(load, users=6)
        load.stopped()
        check_whole(loads, users=6)


def test_the_port_speaks_http_1_by_alpn_and_its_authority_is_gone_with_the_server() -> None:
    with serving(*TLS) as server:
        stats = Target(f"http://127.0.0.1:{server.port}").stats
        assert stats.https_port is not None
        context = ssl.create_default_context(cafile=stats.authority)
        context.set_alpn_protocols(["http/1.1"])
        with (
            socket.create_connection(("127.0.0.1", stats.https_port)) as plain,
            context.wrap_socket(plain, server_hostname="127.0.0.1") as secure,
        ):
            assert secure.selected_alpn_protocol() == "http/1.1"
            secure.sendall(b"GET /stats HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            assert secure.recv(65_536).startswith(b"HTTP/1.1 200 OK")
    assert not Path(stats.authority).exists()
