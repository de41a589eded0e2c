"""GenAI-Perf's goodput option (``-g time_to_first_token:300 inter_token_latency:30``) as our objectives."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...errors import UserError
from ..slo import PER_REQUEST, Slo
from .dialect_run import Floats

_NS_PER_MS: Final = 1e6
_TIMES: Final = {"time_to_first_token": "ttft", "inter_token_latency": "tpot", "request_latency": "e2e"}
_PER_USER: Final = "output_token_throughput_per_user"


def parse_goodput(text: str) -> Slo:
    """Parse KEY:NUMBER: the longest allowed latency of a request in ms, or its lowest allowed throughput in tokens/s.

    GenAI-Perf defines the units, so a number stands without one. Its inter token latency is our TPOT. Its throughput
    per user is 1 / that latency, so a lowest throughput is a longest TPOT
    (goodput_calculator/llm_goodput_calculator.py, genai-perf 0.0.16dev).

    Raises:
        UserError: The key is unknown or the value is not a number; the message says what to write.
    """
    key, colon, value = text.partition(":")
    if key in PER_REQUEST:
        known = next(word for word, metric in _TIMES.items() if metric == key)
        raise UserError(
            f"goodput {text!r}: GenAI-Perf has no objective {key!r}; write {known}:300 (ms), or --slo {key}:300ms"
        )
    if key == "time_to_second_token":
        raise UserError(f"goodput {text!r}: time_to_second_token is not supported; use time_to_first_token")
    if key not in (*_TIMES, _PER_USER):
        raise UserError(f"goodput {text!r}: unknown key {key!r}; write one of {', '.join((*_TIMES, _PER_USER))}")
    unit = "tokens/s" if key == _PER_USER else "ms"
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not colon or not np.isfinite(number) or number < 0:
        raise UserError(
            f"goodput {text!r}: write {key}:NUMBER, the number in {unit} and without a unit, such as {key}:"
            + ("20" if key == _PER_USER else "500")
        )
    if key in _TIMES:
        return Slo(_TIMES[key], None, round(number * _NS_PER_MS))
    if not number:
        raise UserError(f"goodput {text!r}: the lowest allowed throughput must be above 0 tokens/s")
    return Slo("tpot", None, round(1e9 / number))


def good_requests(values_ns: Mapping[str, Floats], slos: Sequence[Slo]) -> NDArray[np.bool_]:
    """Return a mask of the requests that meet every per-request objective; NaN (latency not applicable) passes.

    Args:
        values_ns: ttft, tpot and e2e of each request, in ns.
        slos: Objectives. Objectives for the whole run are ignored.
    """
    good = np.ones(len(values_ns["e2e"]), np.bool_)
    for slo in slos:
        if slo.statistic is None:
            values = values_ns[slo.metric]
            good &= np.isnan(values) | (values <= slo.limit_ns)
    return good
