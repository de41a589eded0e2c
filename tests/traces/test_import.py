"""What importing costs: the program's help must not wait for Arrow."""

from __future__ import annotations

import json
import os
import subprocess
import sys

HEAVY = ("pyarrow", "numpy", "msgspec", "transformers", "tokenizers", "pandas")

# Arrow itself imports pandas, and what that needs, where there is one.
WITHOUT_PANDAS = """
import sys
class Without:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "pandas":
            raise ImportError(name)
sys.meta_path.insert(0, Without())
"""


def modules_after(code: str) -> list[str]:
    """The modules that are loaded after a piece of code ran in a fresh interpreter."""
    script = f"{WITHOUT_PANDAS}\n{code}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    env = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=env)
    names = json.loads(done.stdout)
    assert isinstance(names, list)
    return names


def test_the_package_is_light() -> None:
    loaded = modules_after("import tokentape.traces, tokentape.traces.errors; tokentape.traces.sample_path()")
    assert "tokentape.traces" in loaded
    assert not [name for name in HEAVY if name in loaded]


def test_reading_loads_no_more_than_it_needs() -> None:
    loaded = modules_after(f"{WITHOUT_PANDAS}from tokentape.traces import read, sample_path; read(sample_path())")
    assert "pyarrow" in loaded
    unneeded = (
        "pyarrow.dataset",
        "pyarrow.parquet",
        "pyarrow.csv",
        "pyarrow.compute",
        "transformers",
    )
    assert not [name for name in unneeded if name in loaded]


def test_it_knows_nothing_of_the_engine() -> None:
    """The package itself loads the errors that it exports, and nothing else of the engine."""
    loaded = modules_after("from tokentape.traces import detect, prompts, sample, transform")
    found = {name for name in loaded if name.startswith(("tokentape.engine", "tokentape.cext"))}
    assert found == {"tokentape.engine", "tokentape.engine.errors"}
