"""A full disk and too few descriptors: told clearly, and what was measured is kept."""

from pathlib import Path
from typing import Any

import pytest
from tokentape.engine.tape import open_tape


def test_a_full_disk_keeps_the_journal(simulator: Any, small_trace: Any, run_cli: Any, tmp_path: Path) -> None:
    """A limit on file sizes stands for the full disk: the kernel refuses the write that would pass it."""
    trace = small_trace(400, gap_ms=2, output_tokens=60)
    words = ("replay", trace, "--url", simulator(itl="2ms").url, "--out", "x.tape", "--quiet")
    result = run_cli(*words, limits="ulimit -f 300")
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    assert "x.tape: the disk is full. The journal was kept" in result.stderr
    assert "tokentape recover x.tape" in result.stderr
    recovered = run_cli("recover", "x.tape")
    assert recovered.returncode == 0
    tape = open_tape(tmp_path / "x.tape")
    assert tape.manifest["recovered"] is True
    assert len(tape.events) > 0
    assert len(set(tape.requests["request_id"].to_pylist())) == len(tape.requests)


@pytest.mark.parametrize("soft", [40, 300])
def test_the_limit_of_open_files_is_raised(
    simulator: Any, small_trace: Any, run_cli: Any, tmp_path: Path, soft: int
) -> None:
    result = run_cli(
        *("replay", small_trace(80, gap_ms=0, output_tokens=30), "--url", simulator().url, "--out", "x.tape"),
        limits=f"ulimit -Sn {soft} && ulimit -Hn 300",
    )
    assert "Traceback" not in result.stderr
    assert open_tape(tmp_path / "x.tape").requests["outcome"].to_pylist() == ["ok"] * 80


def test_too_few_descriptors_are_told_before_the_start(
    small_trace: Any, refusing_port: int, run_cli: Any, tmp_path: Path
) -> None:
    words = ("replay", small_trace(200, gap_ms=0), "--url", f"127.0.0.1:{refusing_port}", "--out", "x.tape")
    result = run_cli(*words, limits="ulimit -n 128")
    assert result.returncode == 2
    assert result.stderr == (
        "Error: a worker may have 200 requests due within one second, but a process may open only 128 files; "
        "raise the hard limit (as root: ulimit -Hn 264), use more --workers or a lower --speed\n"
    )
    assert "refuses" in run_cli(*words, "--workers", "4", limits="ulimit -n 128").stderr  # 50 each do fit


def test_a_simulator_with_few_descriptors_serves_them_all(small_trace: Any, run_cli: Any, tmp_path: Path) -> None:
    """Controller, worker and simulator each have 128; the server's queue holds what it cannot take yet."""
    result = run_cli(
        *("replay", small_trace(60, gap_ms=1), "--simulate", "--ttft", "5ms", "--itl", "1ms", "--out", "x.tape"),
        limits="ulimit -n 128",
    )
    assert "Traceback" not in result.stderr
    assert open_tape(tmp_path / "x.tape").requests["outcome"].to_pylist() == ["ok"] * 60
