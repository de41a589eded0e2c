"""The examples and a script in the strict modes of mypy and pyright, as users with the package installed see them."""

import json
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest
import tokentape

ROOT = Path(__file__).parents[3]
NAMES = Path(tokentape.__file__).parent
SCRIPTS = [Path(__file__).with_name("typed_script.py"), *sorted((ROOT / "examples").glob("*.py"))]


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the scripts, and an environment in which this package is installed beside those of the tests."""
    folder = tmp_path_factory.mktemp("user")
    venv.create(folder / "venv", symlinks=True)
    (site,) = (folder / "venv" / "lib").glob("python*/site-packages")
    (site / "others.pth").write_text("\n".join(path for path in sys.path if path.endswith("-packages")))
    for path in NAMES.glob("*.*"):
        (site / "tokentape").mkdir(exist_ok=True)
        shutil.copy(path, site / "tokentape")
    for room in ("engine", "cext", "traces"):  # of a wheel (tests/test_packaging.py), what type checkers read
        unread = shutil.ignore_patterns("tests", "facade", "__pycache__", "*.c", "*.h", "*.so", "*.pyx", "*.pxd")
        shutil.copytree(ROOT / room, site / "tokentape" / room, ignore=unread)
    for script in SCRIPTS:
        shutil.copy(script, folder)
    return folder


def check(user: Path, *command: str) -> str:
    """Run a type checker in the user's folder; gives what it prints. It must find nothing."""
    done = subprocess.run(command, cwd=user, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_mypy_strict(user: Path) -> None:
    python = str(user / "venv" / "bin" / "python")
    names = [script.name for script in SCRIPTS]
    words = ["--strict", "--config-file=", "--cache-dir=cache", f"--python-executable={python}", *names]
    assert f"no issues found in {len(names)} source files" in check(user, sys.executable, "-m", "mypy", *words)


@pytest.mark.parametrize("where", ["installed", "in the tree of names"])
def test_pyright_strict(user: Path, where: str) -> None:
    """The tree of names (build/names) is what editors are pointed at while one works on this package."""
    settings = {
        "include": [script.name for script in SCRIPTS],
        "typeCheckingMode": "strict",
        "reportUnnecessaryTypeIgnoreComment": "error",
        "enableTypeIgnoreComments": False,
    }
    if where != "installed":
        settings["extraPaths"] = [str(NAMES.parent)]
    (user / "pyrightconfig.json").write_text(json.dumps(settings))
    python = user / "venv" / "bin" / "python" if where == "installed" else sys.executable
    assert "0 errors, 0 warnings" in check(user, sys.executable, "-m", "pyright", "--pythonpath", str(python))
