"""Options of a replay and of a profile, for the command line and the Python API."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ..plan import Choice, Order, Pace, Sessions, Think
from ..requests.endpoints import PromptForm
from ..run.send_options import MS, SendOptions


@dataclass(frozen=True)
class ReplayOptions(SendOptions):
    """Options of a replay; the defaults are those of ``tokentape replay``.

    Attributes:
        speed: Divide all times by this.
        start_ns, end_ns: The window of the trace, in the trace's own time.
        limit: Number of requests to send, the first of the window.
        sessions, think: When later turns leave; see make_plan.
        history: "recorded": a turn's prompt has the recorded length and blocks. "live": it holds this server's replies.
        go_on_after_failure: Send the turns after one that failed all the same.
        prompt_form: ``text`` or ``token_ids``; None: the endpoint's own.
        trace_format: None finds it out.
        trace_map: The columns of a trace in no known format, as in ``timestamp=ts:ms,input_tokens=n_in,...``.
        cache_namespace: ``shared``: the same prompts in every run with the same seed. ``fresh``: prompts that share
            no prefix with another run's, so that none meets a warm cache.
        skip_bad_rows: Leave out trace rows that cannot be read.
    """

    speed: str | float = 1
    start_ns: int | None = None
    end_ns: int | None = None
    limit: int | None = None
    sessions: Sessions = "open"
    think: Think = "recorded"
    history: Literal["recorded", "live"] = "recorded"
    go_on_after_failure: bool = False
    prompt_form: PromptForm | None = None
    trace_format: str | None = None
    trace_map: str | None = None
    cache_namespace: Literal["fresh", "shared"] = "shared"
    skip_bad_rows: bool = False


@dataclass(frozen=True)
class InputOptions:
    """Options of a profile's inputs; without a file or dataset they are synthetic.

    Attributes:
        file: With one request a line; see ``traces/inputs``.
        dataset, column, split, subset: Of a hub or a folder.
        entries: Number of different requests, sent again and again; None: all of a file, or 100 synthetic ones.
        input_mean, input_stddev: Synthetic prompt lengths in tokens.
        output_mean, output_stddev: Output tokens to ask for; None: what the server likes.
        lengths: A distribution of both, as in ``256,128:0.6;2048,64:0.4``; it goes before the means.
        prefixes, prefix_tokens: Number and length of shared prefixes, one of which is put before each prompt.
        batch: Texts in one request (embeddings, rankings).
        image_width, image_height: Synthetic images of this size; 0: none.
        image_format: ``png`` or ``jpeg``.
        images: A folder of pictures to send along.
    """

    file: Path | None = None
    dataset: str | None = None
    column: str | None = None
    split: str | None = None
    subset: str | None = None
    entries: int | None = None
    input_mean: int = 550
    input_stddev: float = 0.0
    output_mean: int | None = None
    output_stddev: float = 0.0
    lengths: str | None = None
    prefixes: int = 0
    prefix_tokens: int = 100
    batch: int = 1
    image_width: int = 0
    image_height: int = 0
    image_width_stddev: float = 0.0
    image_height_stddev: float = 0.0
    image_format: str = "png"
    images: Path | None = None


@dataclass(frozen=True)
class ProfileOptions(SendOptions):
    """Options of a profile; the defaults are those of ``tokentape profile``.

    Attributes:
        urls: The servers; empty: the simulator.
        url_choice: How requests are spread over them.
        models: To ask for; empty: the first that the server lists.
        model_choice: How requests are spread over them.
        path: Of the API, instead of its own.
        pace: When requests leave.
        order: Of the prepared requests.
        inputs: What requests say; see InputOptions.
        ask_length: Ask for a number of output tokens; else the server decides.
        min_tokens: Ask for at least as many, where the server takes it.
        probe: Send one request before the run, to learn what the server takes.
    """

    urls: Sequence[str] = ()
    url_choice: Choice = field(default_factory=Choice)
    models: Sequence[str] = ()
    model_choice: Choice = field(default_factory=Choice)
    path: str | None = None
    pace: Pace = field(default_factory=lambda: Pace(concurrency=1, duration_ns=30_000 * MS))
    order: Order = "sequential"
    inputs: InputOptions = field(default_factory=InputOptions)
    ask_length: bool = False
    min_tokens: bool = False
    probe: bool = True
