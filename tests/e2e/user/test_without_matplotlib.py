"""What draws says what it lacks, where matplotlib is not installed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import tokentape

HIDDEN = """
import sys
sys.modules["matplotlib"] = None  # as if it were not there
from tokentape.engine.cli.main import main
sys.argv = ["tokentape", *sys.argv[1:]]
main()
"""


@pytest.mark.parametrize("words", [["plot"], ["report"], ["profile", "--simulate", "--generate-plots", "--out"]])
def test_missing_matplotlib_is_told_before_anything_is_done(words: list[str], tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", HIDDEN, *words, str(tmp_path / "any.tape")],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(Path(tokentape.__file__).parents[1])},
    )
    assert run.returncode == 2
    assert run.stderr == ("Error: plots need matplotlib, which is not installed; run: pip install 'tokentape[plots]'\n")
    assert not list(tmp_path.iterdir())
