"""docs/python.md: its reference is that of the code, and every public name is in it."""

import inspect
import re

import pytest
import tokentape
from python_reference import BEGIN, CLASSES, FUNCTIONS, PAGE, members, reference

TEXT = PAGE.read_text()


def test_the_reference_is_that_of_the_code() -> None:
    """If this fails, run: PYTHONPATH=build/names python tests/support/python_reference.py"""
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
