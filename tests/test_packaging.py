"""What is packaged, and what imports what."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import tokentape
from tokentape.engine.run.run_status import Status
from tokentape.engine.workloads.options import ReplayOptions
from tokentape.engine.workloads.replay_run import replay

ROOT = Path(__file__).parents[1]
ROOMS = ("engine", "cext", "traces")
HEAVY = {"jinja2", "matplotlib", "msgspec", "numpy", "pyarrow", "rich", "tokenizers", "transformers"}


def package_of(folder: Path) -> str:
    """The package that a folder of this repository becomes."""
    parts = folder.relative_to(ROOT).parts
    return "tokentape" if parts == ("engine", "facade") else ".".join(("tokentape", *parts))


FOLDERS = [path.parent for room in ROOMS for path in sorted((ROOT / room).rglob("__init__.py"))]
MODULES = {
    package_of(path.parent) if path.stem == "__init__" else f"{package_of(path.parent)}.{path.stem}": path
    for folder in FOLDERS
    for path in sorted(folder.glob("*.py"))
}
PACKAGES = {package_of(folder) for folder in FOLDERS}
COMPILED = {f"tokentape.cext.{path.stem}" for path in (ROOT / "cext").glob("*.pyx")}


# ---- what is packaged


def test_every_folder_with_an_init_is_a_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    listed = project["tool"]["setuptools"]["packages"]
    assert len(set(listed)) == len(listed)
    assert set(listed) == PACKAGES


def test_every_folder_with_python_in_it_has_an_init() -> None:
    """A folder without one would be missing from the wheel, which is not visible in the source tree."""
    with_python = {path.parent for room in ROOMS for path in (ROOT / room).rglob("*.py")}
    assert with_python == set(FOLDERS)


@pytest.fixture(scope="module")
def wheel_names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The files of a wheel of this tree; its compiled modules are those that lie in the tree."""
    folder = tmp_path_factory.mktemp("wheel")
    compiled = folder / "lib" / "tokentape" / "cext"
    compiled.mkdir(parents=True)
    for path in (ROOT / "cext").glob("*.so"):
        shutil.copy(path, compiled)  # newer than its sources: setuptools compiles it no second time
    command = [sys.executable, "setup.py", "--quiet", "build", "--build-lib", folder / "lib"]
    command += ["bdist_wheel", "--bdist-dir", folder / "bdist", "--dist-dir", folder]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=300)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as opened:
        return set(opened.namelist())


def test_the_wheel_holds_the_program_and_nothing_else(wheel_names: set[str]) -> None:
    modules = {name.replace(".", "/") + ("/__init__.py" if name in PACKAGES else ".py") for name in MODULES}
    faces = {f"tokentape/cext/{path.name}" for suffix in ("pyi", "pxd") for path in (ROOT / "cext").glob(f"*.{suffix}")}
    data = {f"tokentape/traces/data/{path.name}" for path in (ROOT / "traces" / "data").iterdir()}
    compiled = {name for name in wheel_names if name.endswith(".so")}
    expected = modules | faces | data | compiled | {"tokentape/py.typed"}
    assert {name for name in wheel_names if ".dist-info/" not in name} == expected
    assert {name.partition(".")[0].replace("/", ".") for name in compiled} == COMPILED
    assert {f"{name.replace('.', '/')}.pyi" for name in COMPILED} <= faces


def test_the_wheel_carries_licence_and_command(wheel_names: set[str]) -> None:
    told = {name.partition(".dist-info/")[2] for name in wheel_names if ".dist-info/" in name}
    assert {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"} <= told


# ---- what is imported when


def python(*arguments: str) -> str:
    """Return the output of a new Python process."""
    env = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=env, timeout=60).stdout


@pytest.mark.parametrize(
    "code",
    [
        "import tokentape",
        "from tokentape.engine.cli.main import cli; cli(['--help'], standalone_mode=False)",
        *(
            f"from tokentape.engine.cli.main import cli; cli(['{verb}', '--help'], standalone_mode=False)"
            for verb in ("replay", "summarize", "plot", "report", "recover", "serve")
        ),
    ],
)
def test_help_loads_nothing_heavy(code: str) -> None:
    loaded = python("-c", f"{code}\nimport sys; print(*(name.partition('.')[0] for name in sys.modules))")
    names = set(loaded.splitlines()[-1].split())
    assert "tokentape" in names
    assert not names & HEAVY


def test_a_worker_at_work_has_no_arrow_and_no_tokenizer_in_its_memory(tmp_path: Path) -> None:
    """Read from the mapped files of the worker process itself, in the middle of a run."""
    mapped: set[str] = set()

    def look(status: Status) -> None:
        for process in Path("/proc").glob("[0-9]*"):
            try:
                parent = re.search(r"^PPid:\s(\d+)", (process / "status").read_text(), re.M)
                if (
                    parent
                    and int(parent[1]) == os.getpid()
                    and "engine.run.worker" in (process / "cmdline").read_text()
                ):
                    mapped.update(re.findall(r"/\S+\.so\S*", (process / "maps").read_text()))
            except (FileNotFoundError, ProcessLookupError):  # it ended while we looked
                continue

    options = ReplayOptions(limit=30, speed=8)
    replay(tokentape.sample_trace(), tmp_path / "tape", options, on_status=look)
    assert any("tokentape/cext/reactor" in name or "/cext/reactor" in name for name in mapped)
    assert any("uvloop" in name for name in mapped)
    assert not [name for name in mapped if re.search("arrow|numpy|tokenizers|msgspec", name)]


# ---- imports run one way


def imports_of(name: str, path: Path) -> Iterator[str]:
    """Return the modules of Tokentape that a file imports."""
    tree = ast.parse(path.read_text())
    known = MODULES.keys() | COMPILED
    package = name if path.stem == "__init__" else name.rpartition(".")[0]
    for node in ast.walk(tree):
        found: list[str] = []
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = package.split(".")
                base = ".".join([*parts[: len(parts) - node.level + 1], *filter(None, [node.module])])
            found = [f"{base}.{alias.name}" if f"{base}.{alias.name}" in known else base for alias in node.names]
        for module in found:
            if module.partition(".")[0] == "tokentape":
                assert module in known, f"{path} imports {module}, which is not there"
                yield module


def room_of(module: str) -> str:
    """Return the layer of a module: cext, traces, a folder of engine, or a file directly in engine."""
    parts = module.split(".")[1:]
    if not parts or (ROOT / "engine" / "facade" / f"{parts[0]}.py").exists():
        return "facade"
    if parts[0] != "engine":
        return parts[0]
    return parts[1] if len(parts) > 1 else "engine"


COMMON = {"engine", "errors", "units", "tokenizer"}
"""Modules directly in engine, which every folder of engine may import."""

MAY_IMPORT = {
    "cext": set(),
    "traces": set(),
    "engine": set(),
    "errors": set(),
    "units": {"errors"},
    "tokenizer": {"errors", "traces"},
    "plan": {"traces", *COMMON},
    "requests": {"plan", "transport", "traces", "cext", *COMMON},
    "tape": COMMON,
    "measure": {"tape", *COMMON},
    "report": {"measure", "tape", "facade", *COMMON},
    "host": set(),
    "scheduling": {"errors"},
    "transport": {"traces", "cext", "facade", *COMMON},
    "simulate": {"requests", "tape", "cext", "host", "scheduling", *COMMON},
    "record": {"run", "transport", "requests", "tape", "cext", "traces", "host", *COMMON},
    "run": {
        "plan",
        "requests",
        "transport",
        "simulate",
        "tape",
        "cext",
        "traces",
        "host",
        "scheduling",
        "facade",
        *COMMON,
    },
    "workloads": {
        "run",
        "plan",
        "requests",
        "transport",
        "tape",
        "traces",
        "host",
        *COMMON,
    },
    "cli": {
        "workloads",
        "run",
        "record",
        "simulate",
        "transport",
        "plan",
        "requests",
        "report",
        "measure",
        "tape",
        "traces",
        "facade",
        *COMMON,
    },
    "facade": {
        "workloads",
        "run",
        "record",
        "simulate",
        "plan",
        "report",
        "measure",
        "tape",
        "traces",
        "cext",
        *COMMON,
    },
}
"""Allowed imports between layers. Lower layers import the facade only for the version."""


def test_every_room_has_its_arrows() -> None:
    assert {room_of(name) for name in MODULES} == set(MAY_IMPORT)


@pytest.mark.parametrize("name", sorted(MODULES))
def test_imports_run_one_way(name: str) -> None:
    room = room_of(name)
    for module in imports_of(name, MODULES[name]):
        reached = room_of(module)
        assert reached in MAY_IMPORT[room] | {room}, f"{name} ({room}) imports {module} ({reached})"


@pytest.mark.parametrize("path", sorted((ROOT / "cext").glob("*.p[xy][xdi]")), ids=lambda path: path.name)
def test_compiled_modules_import_nothing_of_ours_but_each_other(path: Path) -> None:
    lines = re.findall(r"^\s*(?:from\s+\S+\s+c?import|c?import)\s.*$", path.read_text(), re.M)
    for line in lines:
        assert not re.search(r"tokentape|\.\.|engine|traces", line), line
