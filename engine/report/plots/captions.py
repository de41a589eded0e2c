"""Captions: how to read each plot, in a sentence or two."""

from typing import Final

CAPTIONS: Final = {
    "input_output_lengths": "Each cell is a range of input and output tokens; its colour is the number of requests that"
    " successful requests in it.",
    "request_latency": "From the due time and from the send to the last token. Each dot is a request, its height means"
    " nothing; a percentile that falls among failed requests reaches to the cross.",
    "time_to_first_token": "From the due time and from the send to the first token. Each dot is a request, its height"
    " means nothing.",
    "token_latency_by_position": "The gap before each token over its place in the output. A cloud that rises to the"
    " right: decoding slows down as the context grows.",
    "ttft_by_input_length": "Each dot is a request. A median that rises in proportion to the input: prefill dominates;"
    " flat with outliers: queueing does.",
    "timeline": "Each request is a line from its due time to its end, the first on top. Below, if there are many, the"
    " same lines upright: there a server that falls behind is a ramp.",
    "throughput": "Scheduled and sent should lie on one another. Requests in flight that grow as long as the load"
    " lasts: the server does not keep up.",
    "latency_cdf": "The share of samples that took no longer than x. A curve that ends below 100 %: the rest failed."
    " One that begins above 0 %: events that were read together, gaps below a microsecond.",
    "lateness": "How long after its due time each request left. The diamond (p99) should be left of the dashed lines,"
    " the circle (p50) left of the dotted one.",
    "itl_by_position": "Bands of the gaps between tokens over the output position, and how many samples each position"
    " has.",
    "goodput": "Requests per second that succeeded and within a limit: read it from the limit up, or from the goodput"
    " that is needed to the right.",
}
"""Captions by the names in PLOTS."""
