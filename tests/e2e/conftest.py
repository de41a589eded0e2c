"""Recorders for the tests of whole runs."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tokentape.engine.run.recorder import Recorder, RecordOptions


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Callable[..., Recorder]]:
    """Starts recorders: recorder(url, out="prod.tape", keep_bodies=True, …)."""
    running: list[Recorder] = []

    def start(url: str, out: str = "prod.tape", notes: list[str] | None = None, **options: Any) -> Recorder:
        on_note = [].append if notes is None else notes.append
        running.append(Recorder(RecordOptions(url=url, port=0, **options), tmp_path / out, (), on_note))
        running[-1].start()
        return running[-1]

    yield start
    for one in running:
        one.stop()
