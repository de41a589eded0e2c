"""MLPerf LoadGen, version 6.0.17, scenario Server with token latencies (mlcommons/inference, loadgen/results.cc).

Every latency starts at the query's scheduled time. Per sample:

    latency                 completion - scheduled
    first token latency     first token - scheduled
    time per output token   (latency - first token latency) / (tokens - 1), in whole ns; undefined for one token

The p-th percentile of n sorted samples is the one with index floor(n p), without interpolation; means are whole ns.
Completed samples per second = (n - 1) / (end of the query that was issued last - start), completed tokens per second =
tokens over the same time, scheduled samples per second = (n - 1) / (scheduled time of the last query - start)
(`LogSummary`; the time per output token is made in logging.cc).
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from ...tape.schema import TOKEN_KINDS
from ..slo import Slo
from .dialect_run import Floats, Run
from .dialect_summary import DialectSummary, Row, Section, Value, counted, left_out, per_second, single, tape_names

TOOL: Final = "MLPerf LoadGen 6.0.17"
PERCENTILES: Final = (0.5, 0.9, 0.95, 0.97, 0.99, 0.999)


def summarize(run: Run, slos: Sequence[Slo] = ()) -> DialectSummary:
    """Return the lines of LoadGen's summary. LoadGen reports no goodput."""
    del slos
    chunks = run.chunks(TOKEN_KINDS)
    answered = chunks.count > 0
    ok = run.ok
    done, first = (np.where(answered, chunks.nth(n), run.end)[ok] for n in (-1, 0))
    scheduled, tokens = run.scheduled[ok], np.nan_to_num(run.osl[ok])
    latency, first_token = done - scheduled, first - scheduled
    many = tokens > 1
    tpot = np.floor((latency - first_token)[many] / (tokens[many] - 1))
    start = float(run.scheduled.min(initial=np.inf))
    place = int(np.argmax(scheduled)) if len(scheduled) else 0
    seconds = float(done[place] - start) / 1e9 if len(scheduled) else 0.0
    planned = float(scheduled[place] - start) / 1e9 if len(scheduled) else 0.0
    rates = [
        single("samples_per_s", "Completed samples per second    : ", "1/s", per_second(len(done) - 1, seconds)),
        single("tokens_per_s", "Completed tokens per second: ", "1/s", per_second(float(tokens.sum()), seconds)),
    ]
    scheduled_rate = per_second(len(done) - 1, planned)
    additional = [
        single("scheduled_per_s", "Scheduled samples per second : ", "1/s", scheduled_rate),
        *_latencies("latency", "latency (ns)", 32, "latency", latency),
    ]
    if run.generates:
        additional += [
            *_latencies("first_token_latency", "First Token latency (ns)", 44, "first token latency", first_token),
            *_latencies("time_per_output_token", "Time per Output Token (ns)", 46, "time to output token", tpot),
        ]
    alone = int((~many).sum()) if run.generates else 0
    return DialectSummary(
        dialect="mlperf",
        tool=TOOL,
        tapes=tape_names(run),
        layout="lines",
        head="",
        sections=(
            Section("MLPerf Results Summary", ("value",), tuple(rates if run.generates else rates[:1])),
            Section("Additional Stats", ("value",), tuple(additional)),
        ),
        notes=(
            *left_out(run, "they are ignored; LoadGen waits for every sample, and its run would be INVALID"),
            *(
                ["As in LoadGen, completed rates end with the query that was issued last; others ended later"]
                if len(done) and done.max() > done[place]
                else ()
            ),
            *([f"{alone:,} requests of a single token have no time per output token"] if alone else ()),
            *([counted(run, "LoadGen uses the counts that the system under test reports")] if run.generates else ()),
        ),
    )


def _latencies(key: str, label: str, width: int, percentile_label: str, values: Floats) -> list[Row]:
    ordered = np.sort(values)
    count = len(ordered)
    named: list[tuple[str, Value]] = [
        ("Min", int(ordered[0]) if count else None),
        ("Max", int(ordered[-1]) if count else None),
        ("Mean", int(ordered.sum() // count) if count else None),
    ]
    rows = [single(f"{name.lower()}_{key}_ns", f"{f'{name} {label}':<{width}}: ", "ns", value) for name, value in named]
    for share in PERCENTILES:
        value = int(ordered[int(count * share)]) if count else None
        text = f"{100 * share:.2f} percentile {percentile_label} (ns)   : "
        rows.append(single(f"p{100 * share:g}_{key}_ns", text, "ns", value))
    return rows
