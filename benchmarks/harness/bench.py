"""What all parts of the benchmark share: the cores, the folder, how long to measure."""

import tempfile
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Bench:
    """One run of the benchmarks.

    Attributes:
        folder: For tapes and programs; removed at the end.
        quick: Shorter runs, fewer repetitions.
        server_core, client_core: Where each side is pinned.
        floor, hiccups: The compiled programs.
        vllm_rs: The binary, or None.
        tokenizer: A folder that it can read, or None.
        traces: The folder with recorded traces, or None.
    """

    folder: Path
    quick: bool
    server_core: int
    client_core: int
    floor: Path
    hiccups: Path
    vllm_rs: Path | None
    tokenizer: Path | None
    traces: Path | None

    def subfolder(self) -> Path:
        """An empty folder of its own for one run's files."""
        return Path(tempfile.mkdtemp(dir=self.folder))
