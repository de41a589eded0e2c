"""All benchmarks in one go: the table on the terminal, and docs/benchmarks.md.

    python benchmarks/run.py [--quick] [--vllm-rs PATH] [--tokenizer DIR] [--traces DIR] [--only NAME]... [--out FILE]

The server has one core, each client the other. Everything is measured against the same native server in
the same run, so that ratios mean something where absolute figures move.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from harness import ROOT, clients, machine, processes, rows
from harness.bench import Bench
from sections import cost, lateness, scale, stamps, tls_bench, whole_traces

PARTS: dict[str, Callable[[Bench], rows.Section | None]] = {
    "cost": cost.measure,
    "scale": scale.measure,
    "stamps": stamps.measure,
    "tls": tls_bench.measure,
    "lateness": lateness.measure,
    "traces": whole_traces.measure,
}


def _arguments() -> argparse.Namespace:
    shared = ROOT.parent / "shared"
    parser = argparse.ArgumentParser(description="Measure everything that has a bar.")
    parser.add_argument("--quick", action="store_true", help="Shorter runs, one repetition.")
    parser.add_argument("--vllm-rs", type=Path, help="The binary out of vLLM's wheel, to measure beside us.")
    parser.add_argument("--tokenizer", type=Path, default=shared / "tokenizers" / "tiny", help="For vllm-rs.")
    parser.add_argument("--traces", type=Path, default=shared / "traces", help="Where recorded traces lie.")
    parser.add_argument("--only", action="append", choices=PARTS, help="Only this part; may be given several times.")
    parser.add_argument("--out", type=Path, help="The document.  [default: docs/benchmarks.md, of a run of all parts]")
    return parser.parse_args()


def main() -> int:
    """Measure, print, write; 0 even when a bar is missed: the document says it."""
    given = _arguments()
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        print("two cores are needed: one for the server, one for the clients", file=sys.stderr)
        return 2
    processes.allow_many_files()
    steal_s = machine.steal_s()
    sections = []
    with tempfile.TemporaryDirectory(prefix="tokentape-bench-") as name:
        folder = Path(name)
        bench = Bench(
            folder=folder,
            quick=given.quick,
            server_core=cores[0],
            client_core=cores[1],
            floor=clients.compile_c("floor.c", folder),
            hiccups=clients.compile_c("hiccups.c", folder),
            vllm_rs=given.vllm_rs.resolve() if given.vllm_rs else None,
            tokenizer=given.tokenizer if given.tokenizer.is_dir() else None,
            traces=given.traces if given.traces.is_dir() else None,
        )
        for part, measure in PARTS.items():
            if given.only and part not in given.only:
                continue
            load = machine.load()
            print(f"{part} (load average {load})", flush=True)
            section = measure(bench)
            if section is None:
                print("  left out: what it needs is not there")
                continue
            section.load = load
            sections.append(section)
    notes = [
        f"Server on core {cores[0]}, client (all of its processes) on core {cores[1]}.",
        f"Time that the hypervisor gave to others meanwhile: {machine.steal_s() - steal_s:.1f} s.",
    ]
    if given.quick:
        notes.append("A quick run: shorter, and each figure measured once.")
    if not given.vllm_rs:
        notes.append("vllm-rs was not at hand.")
    out = given.out or (None if given.only else ROOT / "docs" / "benchmarks.md")
    if out is not None:
        rows.write(out, sections, machine.describe(), notes)
    missed = sum(row.met is False for section in sections for row in section.rows)
    print(f"{missed} bars missed" + (f"; written to {out}" if out else ""))
    return 0


if __name__ == "__main__":
    sys.exit(main())
