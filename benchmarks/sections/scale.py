"""How far one worker goes: events per second against the bare loop, and ten thousand open streams."""

from harness import clients
from harness.bench import Bench
from harness.rows import Section
from harness.serving import served


def measure(bench: Bench) -> Section:
    """The section."""
    streams, tokens = 1000, 300 if bench.quick else 1000
    section = Section(
        "Scale of one worker",
        f"{streams:,} streams x 100 tokens/s ({tokens:,} tokens each): token events per second from the first event to "
        "the last. Then 10,000 open streams x 5 tokens/s, opened over 5 s.",
    )
    with served(bench.server_core) as server:
        floor = clients.floor(bench.floor, bench.client_core, bench.folder, streams_per_ms=20)
        least = floor(server, streams, tokens)
        run = clients.tokentape(bench.client_core, bench.folder)(server, streams, tokens)
    assert least.rate and run.rate
    section.add("bare loop: rate", f"{least.rate:,.0f} events/s")
    section.add("tokentape: rate", f"{run.rate:,.0f} events/s")
    section.add("tokentape: rate / floor", f"{run.rate / least.rate:.3f}", "0.95", run.rate / least.rate >= 0.95)
    section.add("tokentape: failures", f"{run.failures}", "0", run.failures == 0)
    _many(bench, section)
    return section


def _many(bench: Bench, section: Section) -> None:
    streams, tokens = 10_000, 40 if bench.quick else 100
    with served(bench.server_core, itl="200ms") as server:
        client = clients.tokentape(bench.client_core, bench.folder, spread_s=5, watch_memory=True)
        run = client(server, streams, tokens)
    name = f"{streams:,} open streams"
    section.add(f"{name}: failures", f"{run.failures}", "0", run.failures == 0)
    section.add(f"{name}: rate", f"{run.rate or 0:,.0f} events/s")
    peak = run.used.memory.resident_bytes.get("worker", 0) / 1e6
    section.add(f"{name}: peak resident size of the worker", f"{peak:.0f} MB", "256 MB", 0 < peak <= 256)
    section.add(f"{name}: all processes together (PSS)", f"{run.used.memory.pss_bytes / 1e6:.0f} MB")
