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
        speed: Divisor of all times.
        start_ns, end_ns: Window of the trace, in the trace's time.
        limit: Largest number of requests, from the start of the window.
        sessions, think: When later turns are sent; see make_plan.
        history: "recorded": a turn's prompt has the recorded length and blocks. "live": it has this server's responses.
        go_on_after_failure: Send the turns after a failed one.
        prompt_form: ``text`` or ``token_ids``; None: the endpoint's default.
        trace_format: Format of the trace; None: detected.
        trace_map: Columns of a trace in an unknown format, as in ``timestamp=ts:ms,input_tokens=n_in,...``.
        cache_namespace: ``shared``: the same prompts in every run with the same seed. ``fresh``: prompts that share
            no prefix with those of other runs, so that no prefix is cached before the run.
        skip_bad_rows: Skip trace rows that cannot be read.
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
        file: File with one request per line; see ``traces/inputs``.
        dataset, column, split, subset: Dataset of a hub or a folder.
        entries: Number of different requests, which are sent repeatedly; None: all of a file, or 100 synthetic ones.
        input_mean, input_stddev: Synthetic prompt lengths in tokens.
        output_mean, output_stddev: Requested output tokens; None: the server decides.
        lengths: Joint distribution of both lengths, such as ``256,128:0.6;2048,64:0.4``; replaces the means.
        prefixes, prefix_tokens: Number and length of shared prefixes; each prompt begins with one of them.
        batch: Texts in one request (embeddings, rankings).
        image_width, image_height: Synthetic images of this size; 0: none.
        image_format: ``png`` or ``jpeg``.
        images: Folder of images to send.
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
        urls: Servers; empty: the simulator.
        url_choice: Distribution of requests over the servers.
        models: Models; empty: the first that the server lists.
        model_choice: Distribution of requests over the models.
        path: Path of the API instead of its default.
        pace: Timing of the requests.
        order: Order of the prepared requests.
        inputs: Contents of requests; see InputOptions.
        ask_length: Request a number of output tokens. False: the server decides.
        min_tokens: Request the length as a minimum too, if the server accepts that.
        probe: Send one request before the run, to learn which fields the server accepts.
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
