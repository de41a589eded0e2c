"""GenAI-Perf's words for goodput (``-g time_to_first_token:300 inter_token_latency:30``) as objectives of ours."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...errors import UserError
from ..slo import Slo
from .dialect_run import Floats

_NS_PER_MS: Final = 1e6
_TIMES: Final = {"time_to_first_token": "ttft", "inter_token_latency": "tpot", "request_latency": "e2e"}
_PER_USER: Final = "output_token_throughput_per_user"


def parse_goodput(text: str) -> Slo:
    """Reads KEY:VALUE: a latency in ms that a request may have at most, or tokens/s that it must reach.

    GenAI-Perf's inter token latency is our TPOT, and its throughput per user is one over that, so that a least
    throughput is a longest TPOT (goodput_calculator/llm_goodput_calculator.py, genai-perf 0.0.16dev).

    Raises:
        UserError: The key is unknown, or the value is no number that makes sense; it says what would be right.
    """
    key, colon, value = text.partition(":")
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not colon or not np.isfinite(number) or number < 0:
        raise UserError(f"goodput {text!r}: write KEY:NUMBER, as request_latency:500 (ms) or {_PER_USER}:20 (tokens/s)")
    if key in _TIMES:
        return Slo(_TIMES[key], None, round(number * _NS_PER_MS))
    if key == _PER_USER:
        if not number:
            raise UserError(f"goodput {text!r}: a least throughput must be above 0 tokens/s")
        return Slo("tpot", None, round(1e9 / number))
    if key == "time_to_second_token":
        raise UserError(f"goodput {text!r}: there is no such objective here; use time_to_first_token")
    raise UserError(f"goodput {text!r}: {key!r} is none of {', '.join((*_TIMES, _PER_USER))}")


def good_requests(values_ns: Mapping[str, Floats], slos: Sequence[Slo]) -> NDArray[np.bool_]:
    """Which requests meet every objective of each request; what does not apply (NaN) is met.

    Args:
        values_ns: ttft, tpot and e2e of each request.
        slos: Those of the whole run are left aside.
    """
    good = np.ones(len(values_ns["e2e"]), np.bool_)
    for slo in slos:
        if slo.statistic is None:
            values = values_ns[slo.metric]
            good &= np.isnan(values) | (values <= slo.limit_ns)
    return good
