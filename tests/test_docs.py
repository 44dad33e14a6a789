"""The documentation builds with every link good, says what the code says, and its example server can be measured."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml
from playwright.sync_api import Browser

import pollbench
from loadtests.records.rows import ROW_TYPES
from loadtests.scenario.scenarios import SCENARIOS
from servers.targets.adapter import Adapter, Publish, Subscribe
from tests.accessible import PHONE, complaints

ROOT = Path(pollbench.__file__).parent
EXAMPLE = ROOT / "docs/examples/own_server.py"
OF_EACH_KIND = ("index", "howto/own-server", "reference/settings", "gates")
LOOKED_AT = """async (html) => {
  document.querySelector("main").outerHTML = html;
  const shared = ["color-contrast", "scrollable-region-focusable"].map((id) => [id, { enabled: false }]);
  const found = await axe.run("main", { rules: Object.fromEntries(shared) });
  return found.violations.map((each) => `${each.id}: ${each.nodes[0].html}`);
}"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make docs` does, with every link and anchor good."""
    folder = tmp_path_factory.mktemp("docs") / "site"
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    built = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stderr
    return folder


def test_make_docs_says_where_the_site_is() -> None:
    told = subprocess.run(["make", "-n", "docs"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    built = yaml.safe_load(re.sub(r"!!\S+", "", (ROOT / "mkdocs.yml").read_text(encoding="utf-8")))["site_dir"]
    assert f'echo "the documentation is in {ROOT}/{built}/index.html"' in told


def test_the_pages_that_the_code_says_are_there_and_nothing_comes_from_elsewhere(site: Path) -> None:
    commands = (site / "reference/commands.html").read_text(encoding="utf-8")
    assert "--hold-timeout" in commands
    rows = (site / "reference/rows.html").read_text(encoding="utf-8")
    assert all(name in rows for row, _ in ROW_TYPES.values() for name in row._fields)
    scenarios = (site / "reference/scenarios.html").read_text(encoding="utf-8")
    assert all(scenario.purpose in scenarios for scenario in SCENARIOS.values())
    own_server = re.sub("<[^>]+>", "", (site / "howto/own-server.html").read_text(encoding="utf-8"))
    assert "class SignedChat(Client)" in own_server
    assert "class Feed" in own_server
    adapters = (site / "reference/adapters.html").read_text(encoding="utf-8")
    assert all(key in adapters for table in (Adapter, Publish, Subscribe) for key in table.__struct_fields__)
    for page in site.rglob("*.html"):
        loaded = re.findall(r'<(?:script|img)[^>]+src="(https?:[^"]+)"', page.read_text(encoding="utf-8"))
        loaded += re.findall(r'<link[^>]+rel="stylesheet"[^>]+href="(https?:[^"]+)"', page.read_text(encoding="utf-8"))
        assert not loaded, page


@pytest.mark.peer
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_pages_of_each_kind_on_a_phone(browser: Browser, site: Path, scheme: str) -> None:
    page = browser.new_page(viewport=PHONE)
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    for name in OF_EACH_KIND:
        page.goto((site / f"{name}.html").as_uri())
        assert complaints(page) == "", name
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
    page.close()


@pytest.mark.peer
def test_axe_finds_nothing_in_what_is_a_page_s_own_on_any_other(browser: Browser, site: Path) -> None:
    """Put into one page that is there already, which takes a tenth of the time. Colours, and what scrolls, are made by
    what all pages share.
    """
    page = browser.new_page(viewport=PHONE)
    page.goto((site / "gates.html").as_uri())
    complaints(page, "footer")  # so that axe is there
    others = [
        file for file in site.rglob("*.html") if file.relative_to(site).with_suffix("").as_posix() not in OF_EACH_KIND
    ]
    assert len(others) > 20
    for file in others:
        own = re.search("<main.*</main>", file.read_text(encoding="utf-8"), re.DOTALL)
        assert own, file
        found = page.evaluate(LOOKED_AT, own[0])
        assert found == [], file
    page.close()


@pytest.mark.slow
def test_the_example_server_is_measured_like_one_of_ours(tmp_path: Path) -> None:
    words = [
        "run",
        "sse",
        "--server",
        shlex.join([sys.executable, str(EXAMPLE)]),
        "--json",
        "--out",
        str(tmp_path / "run"),
    ]
    brief = ["--clients", "4", "--schedule", "steady:10", "--warmup", "0.2", "--window", "1.5", "--drain", "0.3"]
    done = subprocess.run(
        [sys.executable, str(ROOT / "pollbench.py"), *words, *brief],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in {pollbench.DONE, pollbench.INVALID}, done.stderr  # a busy machine has a late generator
    (row,) = json.loads(done.stdout)["summary"]
    assert (row["delivered"], row["missed"], row["duplicated"], row["unknown"]) == (4 * 15, 0, 0, 0)
    assert str(EXAMPLE) in json.loads((tmp_path / "run/run.json").read_text(encoding="utf-8"))["command"]
    assert (pd.read_parquet(tmp_path / "run/cells/feed-4-sse-1/deliveries.parquet")["received_ns"] > 0).all()


def test_a_server_that_is_not_there_is_named_with_the_reason(tmp_path: Path) -> None:
    words = ["run", "sse", "--server", "/no/such/server", "--out", str(tmp_path / "run"), "--window", "0.5"]
    done = subprocess.run(
        [sys.executable, str(ROOT / "pollbench.py"), *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "the server cannot be started: /no/such/server: No such file" in done.stderr
    assert "Traceback" not in done.stderr
