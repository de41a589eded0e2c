"""The JSON scan against Python's json, on random documents and on broken ones."""

import json
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokentape.cext.parsers import json_find

MAX_DEPTH = 64
SAFE_KEYS = st.text(st.characters(codec="utf-8", exclude_characters='.[]"\\', min_codepoint=32), min_size=1)
KEYS = st.one_of(st.sampled_from(["choices", "delta", "content", "usage", "prompt_tokens", "a", "aa"]), SAFE_KEYS)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.text(),
    st.text('"\\/\n', max_size=40),
)
DOCUMENTS = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=5), st.dictionaries(KEYS, inner, max_size=5)),
    max_leaves=25,
)
LAYOUTS = st.sampled_from(
    [
        {"separators": (",", ":")},
        {},
        {"indent": 2},
        {"indent": "\t", "separators": (" ,", "\r\n:")},
    ]
)


def values(document: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value with its path, in the order of the scan: a container after what it holds."""
    if isinstance(document, dict):
        for key, value in document.items():
            yield from values(value, f"{path}.{key}" if path else key)
    elif isinstance(document, list):
        for value in document:
            yield from values(value, f"{path}[]")
    yield path, document


def kind(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return {int: "number", float: "number", str: "string", list: "array", dict: "object"}[type(value)]


@settings(max_examples=400, deadline=None)
@given(document=DOCUMENTS, layout=LAYOUTS, data=st.data())
def test_finds_what_a_parser_finds(document: Any, layout: dict[str, Any], data: st.DataObject) -> None:
    text = json.dumps(document, ensure_ascii=False, **layout)
    everything = list(values(document))
    paths = sorted({path for path, _ in everything} | {"usage", "usage.prompt_tokens", "choices[].delta.content"})
    wanted = data.draw(st.lists(st.sampled_from(paths), unique=True, max_size=20))
    expected = [(path, value) for path, value in everything if path in wanted]
    found, malformed = json_find(wanted, text.encode("utf-8", "surrogatepass"))
    assert not malformed
    assert [(match.path, match.type) for match in found] == [(path, kind(value)) for path, value in expected]
    for match, (_, value) in zip(found, expected, strict=True):
        raw = match.text.decode("utf-8", "surrogatepass")
        again = json.loads(f'"{raw}"' if match.type == "string" else raw, strict=False)
        assert json.dumps(again) == json.dumps(value)
        assert raw == raw.strip() or match.type == "string"
        assert match.size == (len(value) if isinstance(value, list | dict) else 0)
        if type(value) is int:
            assert match.integer == (value if -(2**63) <= value < 2**63 else None)
        elif match.type != "number":
            assert match.integer is None


@settings(max_examples=300, deadline=None)
@given(
    number=st.from_regex(
        r"-?(0|[1-9][0-9]{0,22})(\.[0-9]{1,22})?([eE][+-]?[0-9]{1,2})?",
        fullmatch=True,
        alphabet="0123456789-+.eE",
    )
)
def test_integers_are_exact(number: str) -> None:
    exact = Fraction(number)
    fits = exact.denominator == 1 and -(2**63) <= exact < 2**63
    found, malformed = json_find([""], number.encode())
    assert not malformed
    assert found[0].integer == (int(exact) if fits else None)


def depth(document: Any) -> int:
    if isinstance(document, dict | list):
        inner = document.values() if isinstance(document, dict) else document
        return 1 + max(map(depth, inner), default=0)
    return 0


@settings(max_examples=600, deadline=None)
@given(document=DOCUMENTS, data=st.data())
def test_tells_json_from_what_is_none(document: Any, data: st.DataObject) -> None:
    """One change of a document. Strings are not looked into, so bad escapes are the parser's to refuse."""
    text = json.dumps(document)
    at = data.draw(st.integers(0, len(text)))
    cut = data.draw(st.integers(0, 3))
    put = data.draw(st.text('{}[]:,"-+.eE0123456789 truefalsnNI\n', max_size=3))
    changed = text[:at] + put + text[at + cut :]
    try:
        good = depth(json.loads(changed, strict=False)) <= MAX_DEPTH
    except ValueError:
        good = False
    malformed = json_find([""], changed.encode())[1]
    if good:
        assert not malformed
    elif "\\" not in changed:
        assert malformed


@pytest.mark.parametrize("levels", [1, MAX_DEPTH - 1, MAX_DEPTH, MAX_DEPTH + 1, 10_000])
def test_depth_is_bounded(levels: int) -> None:
    text = b'{"a":' * levels + b"1" + b"}" * levels
    assert json_find([], text)[1] == (levels > MAX_DEPTH)
    assert json_find([], b"[" * levels)[1]


@pytest.mark.parametrize("path", [".", "a.", ".a", "a..b", "a[", "a[0]", "a[]b"])
def test_bad_paths_are_refused(path: str) -> None:
    with pytest.raises(ValueError, match="cannot be added"):
        json_find([path], b"{}")


def test_repeated_paths_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot be added"):
        json_find(["a", "a"], b"{}")
