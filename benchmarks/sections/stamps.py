"""How true the stamps are: the client's against the moment at which the server handed the event to its kernel."""

from pathlib import Path

import numpy as np

from harness import clients
from harness.bench import Bench
from harness.processes import run_on
from harness.rows import Section, percentiles
from harness.serving import served
from harness.truth import Joined, join_stamps, join_tapes
from harness.workloads import write_burst

STREAMS, ITL = 200, "20ms"


def replay_and_join(
    bench: Bench, tokens: int, *, busy: bool = False, certificate: tuple[Path, Path] | None = None
) -> Joined:
    """A replay against a server that keeps its own tape: the events of both."""
    folder = bench.subfolder()
    trace = write_burst(folder / "trace.parquet", STREAMS, tokens, spread_s=1)
    tape, truth = folder / "tape", folder / "truth"
    with served(bench.server_core, itl=ITL, truth=truth, certificate=certificate) as server:
        command = clients.replay_command(server, trace, tape, *(["--busy"] if busy else []))
        run_on(bench.client_core, command, timeout_s=180)
    return join_tapes(tape, truth)


def _aiohttp(bench: Bench, tokens: int) -> Joined:
    folder = bench.subfolder()
    stamps, truth = folder / "stamps.jsonl", folder / "truth"
    with served(bench.server_core, itl=ITL, truth=truth) as server:
        clients.aiohttp(bench.client_core, bench.folder, spread_s=1, stamps=stamps)(server, STREAMS, tokens)
    return join_stamps(stamps, truth)


def measure(bench: Bench) -> Section:
    """The section."""
    tokens = 250 if bench.quick else 1000
    section = Section(
        "Truth of the stamps",
        f"{STREAMS} streams x 50 tokens/s, {tokens:,} tokens each: stamp minus the server's clock read just before "
        "its send(), events joined on response id and index. p50 / p99 / p99.9 in us.",
    )
    quiet = replay_and_join(bench, tokens)
    alone = ~quiet.coalesced
    error = (quiet.arrival_ns - quiet.handed_ns)[alone]
    p50, p99 = np.percentile(error, 50) / 1e3, np.percentile(error, 99) / 1e3
    section.add("events on both sides / sent", f"{len(quiet.handed_ns):,} / {quiet.events:,}", "all",
                len(quiet.handed_ns) == quiet.events)  # fmt: skip
    section.add("coalesced share", f"{quiet.coalesced.mean():.2%}")
    section.add("un-coalesced events, kernel stamp", f"{percentiles(error)} us")
    before = f"{error.min() / 1e3:.1f} us, {np.mean(error < 0):.3%} of them"
    section.add("un-coalesced events stamped before they were handed over: earliest, share", before)
    section.add("un-coalesced events, kernel stamp: p50", f"{p50:.1f} us", "10 us", p50 <= 10)
    section.add("un-coalesced events, kernel stamp: p99", f"{p99:.1f} us", "100 us", p99 <= 100)
    section.add(
        "un-coalesced events, stamp after the read", f"{percentiles((quiet.read_ns - quiet.handed_ns)[alone])} us"
    )
    section.add("all events, kernel stamp", f"{percentiles(quiet.arrival_ns - quiet.handed_ns)} us")
    busy = replay_and_join(bench, tokens, busy=True)
    alone = ~busy.coalesced
    error = (busy.arrival_ns - busy.handed_ns)[alone]
    busy_p99 = np.percentile(error, 99) / 1e3
    section.add("the same with a busy Python thread in the controller", f"{percentiles(error)} us")
    section.add("busy thread: p99 / quiet p99", f"{busy_p99 / p99:.2f}", "2", busy_p99 <= 2 * p99)
    section.add("busy thread: coalesced share", f"{busy.coalesced.mean():.2%}")
    section.add("busy thread: stamp after the read", f"{percentiles((busy.read_ns - busy.handed_ns)[alone])} us")
    other = _aiohttp(bench, tokens)
    section.add("aiohttp, its own stamps", f"{percentiles(other.arrival_ns - other.handed_ns)} us")
    return section
