"""How late requests leave, from the tape, and that the other end agrees."""

import json
from collections.abc import Sequence

import numpy as np

from harness import clients
from harness.bench import Bench
from harness.processes import beside, run_on
from harness.rows import Section
from harness.serving import served
from harness.truth import join_requests
from harness.workloads import write_poisson


def _told(said: Sequence[str]) -> str:
    if not said:
        return "the probe said nothing"
    probe = json.loads(said[0])
    priority = "real-time priority" if probe["fifo"] else "ordinary priority"
    return f"{probe['p50_us']} / {probe['p99_us']} / {probe['p999_us']} / {probe['max_us']} us, {priority}"


def _at_rate(bench: Bench, section: Section, rate_rps: int, seconds: float, tokens: int) -> None:
    folder = bench.subfolder()
    trace = write_poisson(folder / "trace.parquet", rate_rps, seconds, tokens)
    tape, truth = folder / "tape", folder / "truth"
    with (
        served(bench.server_core, ttft="10ms", itl="5ms", truth=truth) as server,
        beside(bench.client_core, [bench.hiccups]) as said,
    ):
        used = run_on(bench.client_core, clients.replay_command(server, trace, tape), timeout_s=180)
    scheduled, sent, received = join_requests(tape, truth)
    failures = clients.tape_run(used, tape).failures
    late = (sent - scheduled) / 1e3
    p50, p99, p999 = (float(np.percentile(late, q)) for q in (50, 99, 99.9))
    name = f"{rate_rps:,} req/s"
    section.add(f"{name}: requests", f"{len(late):,}, {failures} failed", "0 failed", failures == 0)
    section.add(f"{name}: lateness p50", f"{p50:.0f} us", "150 us", p50 <= 150)
    section.add(f"{name}: lateness p99", f"{p99:.0f} us (p99.9 {p999:,.0f} us)", "2,000 us", p99 <= 2000)
    section.add(f"{name}: earliest", f"{late.min():.1f} us", "never early", bool(late.min() >= 0))
    on_wire = (received - sent) / 1e3
    text = " / ".join(f"{np.percentile(on_wire, q):,.0f}" for q in (0, 50, 99))
    section.add(f"{name}: received by the server minus sent, min / p50 / p99", f"{text} us")
    whole = (received - scheduled) / 1e3
    text = " / ".join(f"{np.percentile(whole, q):,.0f}" for q in (0, 50, 99))
    section.add(f"{name}: received by the server minus scheduled, min / p50 / p99", f"{text} us")
    section.add(f"{name}: hiccups of the core beside it, p50 / p99 / p99.9 / max", _told(said))


def measure(bench: Bench) -> Section:
    """The section."""
    seconds = 8 if bench.quick else 30
    section = Section(
        "Lateness",
        f"Poisson arrivals over {seconds} s, short answers: sent minus scheduled from the client's tape, received "
        "from the server's. The hiccup probe wakes every 1 ms on the client's core.",
    )
    _at_rate(bench, section, 95, seconds, 8)
    _at_rate(bench, section, 2000, min(seconds, 20), 4)
    return section
