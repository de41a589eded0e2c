"""Whole recorded traces: memory of all processes, and every row and token accounted for."""

from pathlib import Path

import pyarrow.compute as pc

from harness import clients
from harness.bench import Bench
from harness.processes import run_on
from harness.rows import Section
from harness.serving import served

FILES = (
    ("Mooncake conversation", "mooncake/conversation_trace.jsonl"),
    ("Azure code", "azure/AzureLLMInferenceTrace_code.csv"),
)


def _replay(bench: Bench, section: Section, name: str, trace: Path) -> None:
    from tokentape import traces
    from tokentape.engine.tape import open_tape

    seconds = 60.0
    recorded = traces.read(trace)
    speed = round(recorded.span_ns / 1e9 / seconds, 1)
    limit = len(recorded) // 10 if bench.quick else len(recorded)
    tape_path = bench.subfolder() / "tape"
    with served(bench.server_core) as server:
        command = clients.replay_command(server, trace, tape_path, "--speed", str(speed), "--limit", str(limit))
        used = run_on(bench.client_core, command, timeout_s=400, watch_memory=True)
    tape = open_tape(tape_path)
    requests = tape.requests
    run = clients.tape_run(used, tape_path)
    planned = tape.manifest["plan"]
    early = pc.min(pc.subtract(requests["sent_ns"], requests["scheduled_ns"])).as_py()
    late = pc.quantile(pc.subtract(requests["sent_ns"], requests["scheduled_ns"]), [0.5, 0.99]).to_pylist()
    section.add(f"{name}: rows / rows of the plan", f"{requests.num_rows:,} / {planned['rows']:,}", "all",
                requests.num_rows == planned["rows"] == limit)  # fmt: skip
    section.add(f"{name}: output tokens / asked for", f"{run.tokens:,} / {planned['output_tokens']:,}", "all",
                run.tokens == planned["output_tokens"])  # fmt: skip
    section.add(f"{name}: failures", f"{run.failures}", "0", run.failures == 0)
    section.add(f"{name}: earliest", f"{early / 1e3:.1f} us", "never early", early >= 0)
    section.add(f"{name}: lateness p50 / p99", f"{late[0] / 1e3:,.0f} / {late[1] / 1e3:,.0f} us")
    total_mb = used.memory.pss_bytes / 1e6
    section.add(f"{name}: all processes together (PSS)", f"{total_mb:.0f} MB", "700 MB", 0 < total_mb <= 700)
    peaks = ", ".join(f"{who} {size / 1e6:.0f} MB" for who, size in sorted(used.memory.resident_bytes.items()))
    section.add(f"{name}: peak resident size", peaks)
    text = f"{used.wall_s:.1f} s for a plan of {planned['span_ns'] / 1e9:.1f} s at {speed}x; CPU {used.cpu_s:.1f} s"
    section.add(f"{name}: time, from the trace file to the sealed tape", text)


def measure(bench: Bench) -> Section | None:
    """The section; None where there are no traces."""
    section = Section(
        "Whole traces",
        "Replayed at a speed that makes them last a minute"
        + (", the first tenth of the rows (quick)." if bench.quick else ".")
        + " Prompts are composed, bodies are sent in full length.",
    )
    for name, file in FILES:
        if bench.traces and (bench.traces / file).is_file():
            _replay(bench, section, name, bench.traces / file)
    return section if section.rows else None
