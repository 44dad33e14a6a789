"""Servers under TLS: followed by every pattern, trusted only where somebody said so, and the page says which."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from servers.web.free_port import free_port
from tests.forked import Forked
from tests.targets.test_run import ADAPTER, BRIEF, PUBLISH, command

FAILED, USAGE = 1, 2


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path, Path]]:
    """Run a foreign server under TLS; give its URL, the authority that signed, and its adapter."""
    folder, port = tmp_path_factory.mktemp("tls"), str(free_port())
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "authority.pem"))
    made = authority.issue_cert("127.0.0.1")
    made.private_key_pem.write_to_path(str(folder / "key.pem"))
    made.cert_chain_pems[0].write_to_path(str(folder / "chain.pem"))
    (folder / "chat.toml").write_text(ADAPTER.partition("[publish]")[1] + ADAPTER.partition("[publish]")[2])
    with Forked("tests.targets.foreign", port, "", str(folder / "chain.pem"), str(folder / "key.pem")) as process:
        assert process.first_line() == "ready"
        yield f"wss://127.0.0.1:{port}", folder / "authority.pem", folder / "chat.toml"


def test_every_pattern_is_followed_under_tls_with_the_authority_that_signed(
    secured: tuple[str, Path, Path], tmp_path: Path
) -> None:
    url, authority, adapter = secured
    words = ["compare", "--target", str(adapter), "--url", url, "--ca", str(authority), "--repeats", "1", *BRIEF]
    done = command(*words, "--json", "--out", str(tmp_path / "run"))
    result = json.loads(done.stdout)
    rows = {row["pattern"]: (row["delivered"], row["missed"], row["duplicated"]) for row in result["summary"]}
    assert rows == dict.fromkeys(["long_polling", "sse", "websocket"], (80, 0, 0)), done.stderr
    assert "was not checked" not in done.stdout


def test_a_certificate_that_nobody_checked_is_said_on_the_page(secured: tuple[str, Path, Path], tmp_path: Path) -> None:
    url = secured[0].replace("wss", "https")
    words = ["run", "sse", "--url", f"{url}/events", "--publish", PUBLISH, "--insecure", *BRIEF, "--json"]
    done = command(*words, "--out", str(tmp_path / "run"))
    result = json.loads(done.stdout)
    assert result["summary"][0]["delivered"] == 80, done.stderr
    assert any("certificate was not checked" in caution["what"] for caution in result["cautions"])
    assert "certificate was not checked" in (tmp_path / "run/report.html").read_text(encoding="utf-8")
    assert "--insecure" in json.loads((tmp_path / "run/run.json").read_text(encoding="utf-8"))["command"]


@pytest.mark.parametrize(
    ("publish", "says"),
    [
        (PUBLISH, "certificate verify failed"),
        (
            "pipe cat",
            "TLS: (self.signed|unable to get local issuer) certificate.*--ca FILE, or --insecure",
        ),
    ],
)
def test_a_certificate_that_is_not_trusted_is_named_on_either_side(
    publish: str, says: str, secured: tuple[str, Path, Path], tmp_path: Path
) -> None:
    url = secured[0].replace("wss", "https")
    words = ["run", "sse", "--url", f"{url}/events", "--publish", publish, "--set", "roll_call_s=2", *BRIEF]
    done = command(*words, "--out", str(tmp_path / "run"))
    assert done.returncode == FAILED
    assert re.search(says, " ".join(done.stderr.split())), done.stderr
    assert "Traceback" not in done.stderr


def test_a_server_that_asks_for_it_is_shown_the_clients_certificate(tmp_path: Path) -> None:
    authority, port = trustme.CA(), str(free_port())
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    for name in ("server", "client"):
        made = authority.issue_cert("127.0.0.1", common_name=name)
        made.private_key_pem.write_to_path(str(tmp_path / f"{name}.key"))
        made.cert_chain_pems[0].write_to_path(str(tmp_path / f"{name}.pem"))
    files = [str(tmp_path / name) for name in ("server.pem", "server.key", "authority.pem")]
    own = [f"tls.cert='{tmp_path / 'client.pem'}'", f"tls.key='{tmp_path / 'client.key'}'"]
    with Forked("tests.targets.foreign", port, "", *files) as process:
        assert process.first_line() == "ready"
        words = ["run", "sse", "--url", f"https://127.0.0.1:{port}/events", "--publish", PUBLISH, "--ca", files[2]]
        shown = [word for each in own for word in ("--set", each)]
        done = command(*words, *shown, *BRIEF, "--json", "--out", str(tmp_path / "run"))
        refused = command(*words, "--set", "roll_call_s=2", *BRIEF, "--out", str(tmp_path / "refused"))
    assert json.loads(done.stdout)["summary"][0]["delivered"] == 80, done.stderr
    assert refused.returncode == FAILED
    assert "it may want a client certificate (tls.cert)" in " ".join(refused.stderr.split()), refused.stderr


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_an_authority_that_cannot_be_read_is_refused_at_once(content: str | None, tmp_path: Path) -> None:
    file = tmp_path / "authority.pem"
    if content is not None:
        file.write_text(content)
    done = command("run", "sse", "--url", "https://h/e", "--publish", PUBLISH, "--ca", str(file))
    assert done.returncode == USAGE
    assert f"tls.ca '{file}' cannot be used: " in done.stderr
    assert done.stderr.count("\n") == 1
