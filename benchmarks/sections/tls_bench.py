"""What TLS costs, and whether it spoils the stamps: the same load plain and encrypted, in turns."""

from statistics import median

import numpy as np

from harness import clients
from harness.bench import Bench
from harness.rows import Section, percentiles
from harness.serving import make_certificate, served
from sections.cost import STREAMS, marginal_cost
from sections.stamps import STREAMS as STAMPED_STREAMS
from sections.stamps import replay_and_join

BAR_US = 3.0
ITL = "25ms"


def measure(bench: Bench) -> Section:
    """The section."""
    lengths = (50, 250) if bench.quick else (50, 550)
    rounds = 1 if bench.quick else 5
    tokens = 200 if bench.quick else 1000
    section = Section(
        "TLS",
        f"Cost: {STREAMS} streams x 40 tokens/s, runs of {lengths[0]} and {lengths[1]:,} tokens a stream, their "
        f"difference in CPU time of all of the client's processes per token event, median of {rounds}, plain and "
        "TLS in turns; at this load most events are read alone. "
        f"Stamps: {STAMPED_STREAMS} streams x 50 tokens/s, {tokens:,} tokens each, stamp minus the server's clock read "
        "between encrypting and send(). p50 / p99 / p99.9 in us, events read alone.",
    )
    certificate = make_certificate(bench.subfolder())
    client = clients.tokentape(bench.client_core, bench.folder)
    costs: dict[str, list[tuple[float, float, float]]] = {"plain": [], "TLS": []}
    for _ in range(rounds):
        for name, given in (("plain", None), ("TLS", certificate)):
            with served(bench.server_core, itl=ITL, certificate=given) as server:
                costs[name].append(marginal_cost(client, server, lengths))
    for name, taken in costs.items():
        user, total, _ = (median(column) for column in zip(*taken, strict=True))
        section.add(f"{name}: total (user)", f"{total:.2f} us (user {user:.2f}) per event")
    more = median(tls[1] - plain[1] for plain, tls in zip(costs["plain"], costs["TLS"], strict=True))
    section.add("TLS: more than plain", f"{more:.2f} us per event", f"{BAR_US:.0f} us", more <= BAR_US)
    for name, given in (("plain", None), ("TLS", certificate)):
        both = replay_and_join(bench, tokens, certificate=given)
        error = (both.arrival_ns - both.handed_ns)[~both.coalesced]
        p50, p99 = np.percentile(error, 50) / 1e3, np.percentile(error, 99) / 1e3
        everything = len(both.handed_ns) == both.events
        section.add(
            f"{name}: events on both sides / sent", f"{len(both.handed_ns):,} / {both.events:,}", "all", everything
        )
        section.add(f"{name}: stamps", f"{percentiles(error)} us, coalesced {both.coalesced.mean():.2%}")
        section.add(f"{name}: p50", f"{p50:.1f} us", "10 us", p50 <= 10)
        section.add(f"{name}: p99", f"{p99:.1f} us", "100 us", p99 <= 100)
    return section
