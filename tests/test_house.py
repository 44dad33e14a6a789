"""The repository tests itself: names in three places, import direction, purity, and the commands the README shows."""

import ast
import re
import subprocess
import sys
from dataclasses import dataclass, field
from functools import cache
from graphlib import TopologicalSorter
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
STAGES = ["servers", "loadtests", "reports"]
SOURCES = sorted(path for stage in STAGES for path in (ROOT / stage).rglob("*.py"))
MODULES = {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in SOURCES}
STARTS_PROCESSES = "loadtests.host.managed_process"
LOADTESTS_MAY_TAKE = {
    "servers.timing",
    "servers.timing.clock",
    "servers.feed.content",
    "servers.home",
    "servers.settings.fault_specs",
    "servers.feed.message",
    "servers.palette",
    "servers.patterns",
    "servers.settings.served",
    "servers.settings.setting",
    "servers.settings.units",
    "servers.feed.schedule",
    "servers.timing.stamps",
    "servers.outlet.costs",
    "servers.outlet.listening",
    "servers.targets",
    "servers.targets.adapter",
    "servers.targets.classes",
    "servers.targets.client",
    "servers.targets.message",
    "servers.targets.peers",
    "servers.targets.peers.catalogue",
    "servers.targets.presets",
    "servers.targets.reading",
    "servers.targets.redirects",
    "servers.targets.rules",
    "servers.targets.template",
    "servers.targets.tls",
    "servers.targets.tracer",
    "servers.targets.url",
    "servers.targets.variables",
    "servers.web.certificate",
    "servers.web.free_port",
    "servers.web.origins",
    "servers.web.urls",
    "servers.web.websocket_frames",
}
FILES_AT_THE_TOP = 6
FILES_IN_A_ROOM = 16
REGISTRIES = {"patterns", "practices", "papers"}
"""Rooms where a file's name is all that its reader looks for: one more is not harder to find."""
ROOM_DEPTH = 3
STANDARD_LIBRARY = set(sys.stdlib_module_names)
PURE_MAY_IMPORT = {
    "servers": {"msgspec", "h2", "hpack", "hyperframe"},
    "loadtests": {"msgspec", "h2", "hpack", "hyperframe", "numpy", "typer"},
    "reports": {"msgspec", "numpy", "pandas", "scipy", "matplotlib", "jinja2", "markupsafe", "rich"},
}
IMPURE_STANDARD = {"socket", "time", "subprocess", "asyncio", "threading", "select", "ssl", "shutil", "tempfile"}


@dataclass(frozen=True)
class Source:
    """What is asked of a file, wherever in the file it stands. attributes: (a, b) for each a.b where a is a name."""

    law: str
    imports: list[ast.Import] = field(default_factory=list)
    imports_from: list[ast.ImportFrom] = field(default_factory=list)
    classes: list[str] = field(default_factory=list)
    attributes: list[tuple[str, str]] = field(default_factory=list)


@cache
def source(path: Path) -> Source:
    """Read a file, once for all tests."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = Source(ast.get_docstring(tree) or "")
    for node in ast.walk(tree):
        match node:
            case ast.Import():
                found.imports.append(node)
            case ast.ImportFrom():
                found.imports_from.append(node)
            case ast.ClassDef():
                found.classes.append(node.name)
            case ast.Attribute(value=ast.Name(id=name)):
                found.attributes.append((name, node.attr))
    return found


def imports_of(path: Path) -> set[str]:
    """Return the dotted names a file imports."""
    plain = {alias.name for node in source(path).imports for alias in node.names}
    return plain | {node.module for node in source(path).imports_from if node.module}


def says_pure(path: Path) -> bool:
    """Whether a file's law begins so. By its text: each worker asks this of every file, only to collect the tests."""
    with path.open(encoding="utf-8") as opened:
        return next((line for line in opened if line[0] not in "#\n"), "").startswith('"""PURE')


def pattern_names(folder: str) -> set[str]:
    return {path.stem for path in (ROOT / folder).glob("*.py") if not path.name.startswith("_")}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_source_file_opens_with_its_law(path: Path) -> None:
    law = source(path).law
    assert law, f"{path.relative_to(ROOT)} needs a docstring that says what it is and what it promises"
    assert says_pure(path) == law.startswith("PURE")


def test_a_pattern_is_the_same_three_files_everywhere() -> None:
    assert pattern_names("servers/patterns") == pattern_names("loadtests/patterns")
    assert pattern_names("servers/patterns") == pattern_names("reports/theory/patterns")


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_left(path: Path) -> None:
    stage = path.relative_to(ROOT).parts[0]
    to_the_right = set(STAGES[STAGES.index(stage) + 1 :]) | {"pollbench", "notebooks", "tests"}
    for name in imports_of(path):
        assert name.split(".")[0] not in to_the_right, f"{path.relative_to(ROOT)} imports {name}"
        if stage == "loadtests" and name.split(".")[0] == "servers":
            assert name in LOADTESTS_MAY_TAKE, f"{path.relative_to(ROOT)} imports {name}: gevent must not meet asyncio"


@pytest.mark.parametrize(
    "path",
    [path for path in SOURCES if says_pure(path)],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_pure_files_touch_no_clock_socket_or_file(path: Path) -> None:
    stage = path.relative_to(ROOT).parts[0]
    for name in imports_of(path):
        top = name.split(".")[0]
        assert top in STANDARD_LIBRARY | PURE_MAY_IMPORT[stage] | set(STAGES), f"{path.name} imports {name}"
        assert top not in IMPURE_STANDARD, f"{path.relative_to(ROOT)} says PURE and imports {name}"


def test_nothing_at_the_top_of_loadtests_shadows_a_library() -> None:
    """Locust puts the folder of the locustfile first on sys.path, so `websocket.py` there would become `websocket`."""
    installed = set(STANDARD_LIBRARY) | {
        path.name.split(".")[0].split("-")[0] for path in Path(ast.__file__).parent.glob("*.py")
    }
    for entry in sys.path:
        if entry.endswith("site-packages"):
            installed |= {path.stem for path in Path(entry).iterdir() if path.suffix in {"", ".py"}}
    assert not {path.stem for path in (ROOT / "loadtests").iterdir()} & installed - {"__pycache__", "__init__"}


def rooms_of(stage: str) -> list[Path]:
    """Return the folders of a stage that hold code, sub-rooms included."""
    return sorted({path.parent for path in (ROOT / stage).rglob("*.py")} - {ROOT / stage})


@pytest.mark.parametrize("stage", STAGES)
def test_rooms_are_small_and_say_their_law(stage: str) -> None:
    top = [path.name for path in (ROOT / stage).glob("*.py")]
    assert len(top) <= FILES_AT_THE_TOP, f"{stage}/ has {len(top)} files of its own: {', '.join(sorted(top))}"
    for room in rooms_of(stage):
        name = room.relative_to(ROOT)
        assert len(name.parts) <= ROOM_DEPTH, f"{name} is too deep to be found"
        assert source(room / "__init__.py").law, f"{name}/__init__.py needs a line that says what belongs there"
        files = [path for path in room.glob("*.py") if path.name != "__init__.py"]
        assert room.name in REGISTRIES or len(files) <= FILES_IN_A_ROOM, f"{name} has {len(files)} files"


@pytest.mark.parametrize("stage", STAGES)
def test_there_are_no_circles_between_rooms(stage: str) -> None:
    """A sub-room belongs to its room, and a file at the top of a stage is a room by itself."""
    rooms: dict[str, set[str]] = {}
    for path in (ROOT / stage).rglob("*.py"):
        parts = path.relative_to(ROOT).with_suffix("").parts
        taken = {name.split(".")[1] for name in imports_of(path) if name.startswith(f"{stage}.")}
        rooms.setdefault(parts[1], set()).update(taken - {parts[1]})
    TopologicalSorter(rooms).prepare()


def modules_from(path: Path) -> set[str]:
    """Return the modules of ours that a file imports, with the packages that these lie in."""
    found: set[str] = set()
    for node in source(path).imports_from:
        if node.module:
            found.update({node.module, *(f"{node.module}.{alias.name}" for alias in node.names)})
    packages = {name.rsplit(".", up)[0] for name in found for up in range(1, name.count(".") + 1)}
    return (found | packages) & MODULES.keys()


def test_reports_reach_nothing_that_starts_processes() -> None:
    """Whoever judges must not measure: only the commands have both done. Imports of imports count."""
    graph = {name: modules_from(path) for name, path in MODULES.items()}
    for name in graph:
        if name.startswith("reports.") and not name.startswith("reports.commands"):
            seen, todo = {name: ""}, [name]
            while todo:
                here = todo.pop()
                for there in graph[here] - seen.keys():
                    seen[there] = f"{seen[here]} -> {there}"
                    todo.append(there)
            assert STARTS_PROCESSES not in seen, f"{name}{seen[STARTS_PROCESSES]}"


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("__") and name not in {"_fields", "_asdict", "_replace"}


def test_what_is_private_is_of_one_file() -> None:
    """A module whose name begins with _ belongs to its package, any other such name to its file."""
    for path in SOURCES:
        taken: set[str] = set()
        for node in source(path).imports_from:
            if str(node.module).split(".")[0] in STAGES:
                room, _, last = str(node.module).rpartition(".")
                beside = room == ".".join(path.parent.relative_to(ROOT).parts)
                taken |= {each.asname or each.name for each in node.names}
                private = [each.name for each in node.names if is_private(each.name)]
                assert not private, f"{path.relative_to(ROOT)} imports {private} from {node.module}"
                assert beside or not is_private(last), f"{path.relative_to(ROOT)} imports {node.module}"
        for name, attribute in source(path).attributes:
            assert not (name in taken and is_private(attribute)), f"{path.relative_to(ROOT)} uses {name}.{attribute}"


@pytest.mark.parametrize("stage", ["loadtests", "reports"])
def test_a_class_name_has_one_meaning_in_a_stage(stage: str) -> None:
    defined: dict[str, str] = {}
    for path in sorted((ROOT / stage).rglob("*.py")):
        for name in source(path).classes:
            if not name.startswith("_"):
                here = str(path.relative_to(ROOT))
                assert name not in defined, f"{here} and {defined[name]} both have a {name}"
                defined[name] = here


def test_only_the_front_door_sees_the_commands() -> None:
    """They may see every stage and room, so whatever saw them would see everything."""
    for path in SOURCES:
        if path.parent != ROOT / "reports" / "commands":
            taken = [name for name in imports_of(path) if name.startswith("reports.commands")]
            assert not taken, f"{path.relative_to(ROOT)} imports {', '.join(taken)}"


@pytest.mark.parametrize(
    ("started", "without"),
    [
        ("reports.commands.app", {"pandas", "scipy", "matplotlib", "jinja2", "aiohttp", "locust"}),
        ("reports.commands.app", {"numpy", "pyarrow", "psutil"}),
        ("locust, loadtests.locust_ui.hooks, loadtests.users.user_classes", {"pandas", "pyarrow", "aiohttp"}),
        ("loadtests.host.warden", {"psutil", "secrets"}),
    ],
    ids=["a command", "a command that measures nothing", "a load process", "the warden"],
)
def test_what_is_started_often_waits_for_no_library_that_it_may_never_need(started: str, without: set[str]) -> None:
    asked = f"import sys, {started}; print(*{without} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", asked], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_make_bench_runs_every_benchmark() -> None:
    programs = {path.stem for path in (ROOT / "tests" / "bench").glob("[a-z]*.py")} - {"plain_server"}
    (listed,) = re.findall(r"for each in ([\w ]+);", (ROOT / "Makefile").read_text(encoding="utf-8"))
    assert set(listed.split()) == programs


def test_the_readme_shows_only_commands_that_exist() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for target in re.findall(r"^\s*(?:\$ )?make ([a-z-]+)", readme, re.MULTILINE):
        assert target in targets, f"README shows `make {target}`, the Makefile has no such target"
    for script in re.findall(r"scripts/[\w-]+", readme):
        assert (ROOT / script).exists(), f"README names {script}"


def test_where_a_new_thing_goes_is_where_the_others_of_its_kind_are() -> None:
    """NAME or PROTOCOL stand for any file: there must be one already. A list is one that the module has."""
    contributing = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    paths = set(re.findall(r"`((?:servers|loadtests|reports|tests|docs)/[\w/.]+)`", contributing))
    missing = {path for path in paths if not any(ROOT.glob(re.sub("NAME|PROTOCOL", "[a-z]*", path)))}
    assert not missing
    lists = re.findall(r"of `([A-Z]+)` in `([\w/]+)\.py`", contributing)
    assert lists
    for name, path in lists:
        assert len(getattr(import_module(path.replace("/", ".").removesuffix(".__init__")), name)), (
            f"{path} has no {name}"
        )
