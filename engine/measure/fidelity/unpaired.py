"""Comparison of unrelated requests: two traces, or a trace and a tape."""

from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from ...tape.read import Tape
from .compare import Fidelity, Reuse, compare, lengths
from .tape_fidelity import FIDELITY_COLUMNS, got_reuse, since_zero


@dataclass(frozen=True)
class TrafficSample:
    """Arrivals and lengths.

    Attributes:
        at_ns: Arrival times since the first, in ns, ascending.
        input_tokens, output_tokens: Lengths of the requests whose lengths are known.
        reuse: Tokens that a cache held, or that an infinite cache would have held; None if unknown.
    """

    at_ns: NDArray[np.int64]
    input_tokens: NDArray[np.int32]
    output_tokens: NDArray[np.int32]
    reuse: Reuse | None


def sample_of_tape(tape: Tape) -> TrafficSample:
    """Return the arrivals and lengths of a tape's main phase: send times, or for a server's own tape arrival times."""
    names = dict.fromkeys((*FIDELITY_COLUMNS, "received_ns", "input_tokens", "output_tokens"))
    requests = tape.read("requests", list(names)).sort_by("request_id")
    main = requests.filter(pc.equal(requests["phase"], "main"))
    name = "received_ns" if tape.manifest.get("role") == "server" else "sent_ns"
    known = main.filter(pc.is_valid(main[name]))
    ok = known.filter(pc.equal(known["outcome"], "ok"))
    return TrafficSample(
        np.sort(since_zero(known, tape.manifest, name)),
        ok["input_tokens"].drop_null().to_numpy(),
        ok["output_tokens"].drop_null().to_numpy(),
        got_reuse(main),
    )


def compare_samples(a: TrafficSample, b: TrafficSample) -> Fidelity:
    """Compare B with A."""
    return compare(
        a.at_ns,
        b.at_ns,
        lengths(a.input_tokens, b.input_tokens, paired=False),
        lengths(a.output_tokens, b.output_tokens, paired=False),
        a.reuse,
        b.reuse,
    )
