"""Layers of the C core: which folder includes which, and within a folder which file calls which."""

import re
from pathlib import Path

import pytest

CEXT = Path(__file__).parents[2] / "cext"
TIERS = (("base",), ("parse",), ("response", "schedule", "channel", "net"), ("reactor", "server", "proxy"))
"""Folders of the core from the bottom up. A folder includes headers of lower tiers and its own."""
ROOMS = [room for tier in TIERS for room in tier]


def without_comments(text: str) -> str:
    """C code without comments and without the contents of string literals."""
    pattern = r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"'
    return re.sub(pattern, lambda found: '""' if found[0][0] == '"' else " ", text, flags=re.S)


def defined_functions(code: str) -> set[str]:
    """Functions with external linkage that a file defines."""
    found = re.finditer(r"^(?!static\b|typedef\b|#)\w[\w *]*?\b(\w+)\([^;{}]*\)\s*\{", code, re.M)
    return {match[1] for match in found}


def static_functions(code: str) -> set[str]:
    """Functions that only this file can call."""
    return set(re.findall(r"^static\b[\w *]*?\b(\w+)\([^;{}]*\)\s*\{", code, re.M))


def inline_bodies(code: str) -> str:
    """The inline functions of a header, without its prototypes."""
    return "\n".join(re.findall(r"^static inline [^\n]*(?:\}$|\n(?:.*?\n)?\}$)", code, re.M | re.S))


class Layers:
    """The layers that a folder's internal header lists, and the functions of its files.

    Args:
        folder: A folder with one ``*_internal.h``.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (self.header,) = folder.glob("*_internal.h")
        comment = self.header.read_text().partition("*/")[0]
        listing, _, callbacks = comment.partition("Calls back up:")
        self.layer: dict[str, int] = {}
        number = 0
        for entry in re.finditer(r"^ \*   (?:(\d+)  |   )(\w+(?:\.c|/)) +\S", listing, re.M):
            number = int(entry[1] or number)
            assert entry[2] not in self.layer, f"{entry[2]} is listed twice"
            self.layer[entry[2]] = number
        self.callbacks = {
            (caller, function) for function, caller in re.findall(r"^ \*   (\w+) \((\w+\.c)\): \S", callbacks, re.M)
        }
        assert self.callbacks or callbacks.strip() == "none.", "the header says neither which calls go up nor 'none.'"
        self.code = {path: without_comments(path.read_text()) for path in sorted(folder.rglob("*.c"))}
        self.home = {name: self.unit(path) for path, code in self.code.items() for name in defined_functions(code)}

    def unit(self, path: Path) -> str:
        """The entry of the list that holds a file: the file itself or its folder."""
        first = path.relative_to(self.folder).parts[0]
        return first if first == path.name else f"{first}/"

    def units(self) -> set[str]:
        """The entries that the list should have."""
        return {self.unit(path) for path in self.code}

    def calls_up(self) -> set[tuple[str, str]]:
        """Pairs of a file and a function that it uses although the function's layer is not lower."""
        found = set()
        for path, code in self.code.items():
            own = static_functions(code)
            caller = self.unit(path)
            for name in set(re.findall(r"(?<![\w.>])\w+", code)) - own:
                home = self.home.get(name)
                if home is not None and home != caller and self.layer[home] >= self.layer[caller]:
                    found.add((path.name, name))
        return found


@pytest.mark.parametrize("room", TIERS[-1])
def test_calls_between_files_go_down(room: str) -> None:
    """Every call between files of a folder goes to a lower layer or is listed; every listed call exists."""
    layers = Layers(CEXT / room)
    assert set(layers.layer) == layers.units()
    assert layers.calls_up() == layers.callbacks


@pytest.mark.parametrize("room", TIERS[-1])
def test_inline_functions_of_internal_headers_call_no_file(room: str) -> None:
    layers = Layers(CEXT / room)
    bodies = inline_bodies(without_comments(layers.header.read_text()))
    assert set(re.findall(r"(?<![\w.>])\w+", bodies)).isdisjoint(layers.home)


HEADER = """/* x_internal.h: an example.
 *
 * Layers, from the bottom up.
 *
 *   1  low.c   the bottom
 *   2  high.c  the top
 *
 * Calls back up: {callbacks} */
"""
LOW = (
    "#include <x.h>\nstatic int own(void) { return 1; }\nint low(void) {\n    return own() + s->high; /* high() */\n}\n"
)
HIGH = "static int own(void) { return 2; }\nint high(void) {\n    return low() + own();\n}\n"


@pytest.mark.parametrize(
    ("low", "callbacks", "found", "listed"),
    [
        (LOW, "none.", set(), set()),
        (LOW.replace("own() +", "high() +"), "none.", {("low.c", "high")}, set()),
        (LOW.replace("own() +", "call(high) +"), "none.", {("low.c", "high")}, set()),
        (LOW, "\n *   high (low.c): a reason.", set(), {("low.c", "high")}),
        (
            LOW.replace("own() +", "high() +"),
            "\n *   high (low.c): a reason.",
            {("low.c", "high")},
            {("low.c", "high")},
        ),
    ],
)
def test_the_check_finds_calls_up(
    tmp_path: Path, low: str, callbacks: str, found: set[tuple[str, str]], listed: set[tuple[str, str]]
) -> None:
    (tmp_path / "x_internal.h").write_text(HEADER.format(callbacks=callbacks))
    (tmp_path / "low.c").write_text(low)
    (tmp_path / "high.c").write_text(HIGH)
    layers = Layers(tmp_path)
    assert layers.layer == {"low.c": 1, "high.c": 2}
    assert layers.home == {"low": "low.c", "high": "high.c"}
    assert layers.calls_up() == found
    assert layers.callbacks == listed


def test_every_folder_of_the_core_has_a_tier() -> None:
    folders = {path.relative_to(CEXT).parts[0] for path in CEXT.rglob("*.[ch]")}
    assert folders - {"tests"} == set(ROOMS)


@pytest.mark.parametrize("room", ROOMS)
def test_includes_of_folders_run_one_way(room: str) -> None:
    tier = next(number for number, rooms in enumerate(TIERS) if room in rooms)
    allowed = {room, *(lower for rooms in TIERS[:tier] for lower in rooms)}
    for path in (CEXT / room).rglob("*.[ch]"):
        included = set(re.findall(r'^#include "(\w+)/', path.read_text(), re.M))
        assert included <= allowed, f"{path.relative_to(CEXT)} includes {sorted(included - allowed)}"
