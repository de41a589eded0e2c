"""docs/python.md: its reference is that of the code, every public name is in it, and its examples run."""

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest
import tokentape
from python_reference import BEGIN, CLASSES, FUNCTIONS, PAGE, members, reference

TEXT = PAGE.read_text()
EXAMPLES = re.findall(r"^```python runnable\n(.*?)^```$", TEXT, re.M | re.S)


def test_the_reference_is_that_of_the_code() -> None:
    """If not: PYTHONPATH=build/names python tests/support/python_reference.py."""
    assert BEGIN + TEXT.partition(BEGIN)[2] == reference()


def test_every_public_name_is_in_it() -> None:
    functions = {name for name in tokentape.__all__ if inspect.isfunction(getattr(tokentape, name))}
    assert functions == set(FUNCTIONS)
    for name in tokentape.__all__:
        assert name == "__version__" or f"tokentape.{name}" in TEXT, name
    for kind in CLASSES:
        for member in members(kind):
            assert re.search(rf"`(\w+\.)?{member}[`(]", TEXT), f"{kind.__name__}.{member}"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_parameter_has_a_meaning(name: str) -> None:
    section = TEXT.partition(f"### `tokentape.{name}(")[2].partition("\n### ")[0]
    for parameter in inspect.signature(getattr(tokentape, name)).parameters.values():
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD:
            assert re.search(rf"^\| `{parameter.name}` \| `.+` \| .*\| \S.*\|$", section, re.M), parameter.name


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_an_example_runs_and_prints(example: str, tmp_path: Path) -> None:
    env = {"PYTHONPATH": str(Path(tokentape.__file__).parents[1])}
    command = [sys.executable, "-W", "error", "-c", example]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout
