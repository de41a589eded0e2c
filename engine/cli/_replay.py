"""The work of ``tokentape replay``, apart from its options."""

import os
import sys
import time
from pathlib import Path
from typing import Any

import click

from ... import traces
from ..errors import UserError
from ..measure.summary import summarize
from ..report.export import write_summary_files
from ..run.controller import Interrupted
from ..run.progress import ProgressDisplay
from ..run.replay import ReplayOptions, replay
from ..units import duration_ns
from .output import failure_limit, print_summary, slo_list


def _options(given: dict[str, Any]) -> ReplayOptions:
    if (given["url"] is None) == (not given["simulate"]):
        raise UserError("say where to: either --url URL, or --simulate for the simulated server")
    simulator: list[str] = []
    for name in ("ttft", "itl"):
        if given[name] is not None:
            if given["url"] is not None:
                raise UserError(f"--{name} is the simulated server's; it goes with --simulate, not with --url")
            simulator += [f"--{name}", given[name]]
    form = given["prompt_form"]
    return ReplayOptions(
        url=given["url"],
        simulator=simulator,
        start_ns=duration_ns(given["start"]) if given["start"] else None,
        end_ns=duration_ns(given["end"]) if given["end"] else None,
        prompt_form=None if form is None else form.replace("-", "_"),
        **{f"{name}_ns": duration_ns(given[name]) for name in ("connect_timeout", "read_timeout", "grace", "preopen", "spin")},
        **{
            name: given[name]
            for name in (
                "endpoint", "model", "speed", "limit", "workers", "tokenizer", "seed", "trace_format", "skip_bad_rows",
                "stream", "usage", "ignore_eos", "headers", "api_key_env", "reuse", "kernel_stamps", "keep_bodies",
            )
        },
    )  # fmt: skip


def _out_for(trace: Path) -> Path:
    return Path(f"{trace.stem}-{time.strftime('%Y%m%d-%H%M%S')}.tape")


def run_replay(given: dict[str, Any]) -> int:
    """Replay, seal, sum up, print; returns the exit code."""
    options = _options(given)
    trace = given["trace"]
    if (trace is None) == (not given["sample"]):
        raise UserError("say what to replay: a TRACE file, or --sample for the one that comes with the program")
    trace = trace or traces.sample_path()
    out = given["out"] or _out_for(trace)
    limit = failure_limit(given["max_failures"])
    slos = slo_list(given["slos"])
    with ProgressDisplay(quiet=given["quiet"]) as display:
        try:
            tape = replay(
                trace,
                out,
                options,
                command=["tokentape", *sys.argv[1:]],
                on_status=display.show,
                on_note=lambda note: click.echo(f"note: {note}", err=True),
            )
        except Interrupted:
            click.echo(f"stopped at once; what was measured lies in {out}: tokentape recover {out}", err=True)
            os._exit(130)
    summary = summarize(tape, slos=slos, max_failures=limit)
    write_summary_files(tape, summary)
    print_summary(summary, given["output"])
    click.echo(f"the tape is {out}", err=True)
    return summary.exit_code
