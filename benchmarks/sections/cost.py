"""CPU per token event: user and total, of all processes of each client, against the bare loop."""

from statistics import median

from harness import clients
from harness.bench import Bench
from harness.clients import Client, Run
from harness.rows import Section
from harness.serving import Served, served

STREAMS = 500


def _marginal(long: Run, short: Run) -> tuple[float, float, float]:
    """User us and total us per token event, and token events per second, start-up subtracted."""
    tokens = long.tokens - short.tokens
    seconds = long.used.wall_s - short.used.wall_s
    if long.span_s and short.span_s:
        seconds = long.span_s - short.span_s
    user_us = (long.used.user_s - short.used.user_s) / tokens * 1e6
    total_us = (long.used.cpu_s - short.used.cpu_s) / tokens * 1e6
    return user_us, total_us, tokens / seconds


def marginal_cost(client: Client, server: Served, lengths: tuple[int, int]) -> tuple[float, float, float]:
    """User us and total us per token event, and token events per second, of the difference of two lengths."""
    short, long = (client(server, STREAMS, tokens) for tokens in lengths)
    if short.failures or long.failures:
        raise RuntimeError(f"{short.failures + long.failures} streams failed")
    return _marginal(long, short)


def measure(bench: Bench) -> Section:
    """The section."""
    lengths = (100, 500) if bench.quick else (100, 1100)
    rounds = 1 if bench.quick else 5
    section = Section(
        "CPU per token event",
        f"{STREAMS} streams x 100 tokens/s, runs of {lengths[0]} and {lengths[1]:,} tokens a stream; the difference of "
        "the two cancels the start. User and system time of all processes, from the trace to the sealed tape; "
        f"median of {rounds}.",
    )
    ours: dict[str, Client] = {
        "bare epoll + recv loop": clients.floor(bench.floor, bench.client_core, bench.folder),
        "tokentape": clients.tokentape(bench.client_core, bench.folder),
    }
    others: dict[str, Client] = {"aiohttp": clients.aiohttp(bench.client_core, bench.folder)}
    if bench.vllm_rs and bench.tokenizer:
        others["vllm-rs"] = clients.vllm_rs(bench.vllm_rs, bench.client_core, bench.tokenizer)
    taken: dict[str, list[tuple[float, float, float]]] = {name: [] for name in (*ours, *others)}
    with served(bench.server_core) as server:
        for _ in range(rounds):
            for name, client in ours.items():
                taken[name].append(marginal_cost(client, server, lengths))
        for name, client in others.items():
            taken[name].append(marginal_cost(client, server, lengths))
    floor_us = [total for _, total, _ in taken["bare epoll + recv loop"]]
    for name, figures in taken.items():
        user, total, rate = (median(column) for column in zip(*figures, strict=True))
        least, most = min(row[1] for row in figures), max(row[1] for row in figures)
        spread = f", {least:.2f} to {most:.2f}" if len(figures) > 1 else ""
        text = f"{total:.2f} us (user {user:.2f}{spread}), {rate:,.0f} events/s"
        section.add(f"{name}: total (user), rate", text)
        if name in others:
            section.add(f"{name}: total / floor", f"{total / median(floor_us):.2f}")
    user = median(user for user, _, _ in taken["tokentape"])
    section.add("tokentape: user time per event", f"{user:.2f} us", "2 us", user <= 2)
    totals = [total for _, total, _ in taken["tokentape"]]
    ratio = median(totals) / median(floor_us)
    rounds_text = ", ".join(f"{total / least:.2f}" for total, least in zip(totals, floor_us, strict=True))
    section.add("tokentape: total / floor", f"{ratio:.2f} (by round: {rounds_text})", "1.25", ratio <= 1.25)
    return section
