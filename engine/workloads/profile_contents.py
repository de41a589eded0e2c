"""Contents of a profile's requests and their lengths, made from the options."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from ...traces.content import Content
from ...traces.inputs.batches import batch, rank, sample
from ...traces.inputs.counts import Form, count_tokens
from ...traces.inputs.datasets import load_dataset
from ...traces.inputs.images import folder_images, synthetic_images, with_images
from ...traces.inputs.lengths import Lengths, Normal
from ...traces.inputs.prefixes import Prefixes
from ...traces.inputs.prompt_files import load_inputs
from ...traces.inputs.synthetic import SyntheticPrompts
from ..errors import UserError
from ..requests.endpoints import Endpoint
from ..tokenizer import TokenCounter
from .options import InputOptions, ProfileOptions

SYNTHETIC_ENTRIES = 100
"""Default number of synthetic requests, as in GenAI-Perf's --num-dataset-entries."""

SYNTHETIC = "synthetic:"
"""GenAI-Perf's --input-file synthetic:queries,passages: synthetic queries and passages without a file."""


@dataclass(frozen=True)
class ProfileContents:
    """The different requests of a profile.

    Attributes:
        contents: Contents of the requests.
        input_tokens: Input length of each, int32; estimates unless `exact`.
        output_tokens: Requested output tokens of each, int32; 0: the server decides.
        exact: Whether lengths are counted by the model's tokenizer.
        source: Source of the contents, for the manifest.
    """

    contents: Sequence[Content]
    input_tokens: NDArray[np.int32]
    output_tokens: NDArray[np.int32]
    exact: bool
    source: str


def make_contents(options: ProfileOptions, endpoint: Endpoint, on_note: Callable[[str], None]) -> ProfileContents:
    """Make or read the requests' contents.

    Args:
        options: Options of the profile.
        endpoint: API of the requests.
        on_note: Called with each note for the user.

    Raises:
        UserError, TraceError: A file, a dataset, a tokenizer or a length is not valid.
    """
    asked = options.inputs
    counter = None
    if options.tokenizer is not None:
        counter = TokenCounter(
            options.tokenizer, revision=options.tokenizer_revision, trust_remote_code=options.trust_remote_code
        )
    form: Form = "chat" if endpoint.chats else "prompt"
    inputs = None
    ranks = endpoint.name.endswith("rankings")
    if asked.file is not None and not str(asked.file).startswith(SYNTHETIC):
        contents = load_inputs(asked.file, column=asked.column, passages=asked.batch, on_note=on_note)
        source = str(asked.file)
        if asked.entries is not None:
            contents = sample(contents, asked.entries)
    elif asked.dataset is not None:
        contents = load_dataset(
            asked.dataset,
            column=asked.column,
            split=asked.split,
            subset=asked.subset,
            limit=asked.entries or SYNTHETIC_ENTRIES,
            on_note=on_note,
        )
        source = asked.dataset
    else:
        made = _prompts(options, counter, form).make((asked.entries or SYNTHETIC_ENTRIES) * (asked.batch + ranks))
        on_note(made.note)
        contents, source = rank(made.contents, asked.batch) if ranks else made.contents, "synthetic"
        if endpoint.generates:  # one prompt per request, counted when it was generated
            inputs = made.input_tokens
    if asked.prefixes and source != "synthetic":
        contents = _prompts(options, counter, form).put_before(contents)
    if not endpoint.generates:
        contents = batch(contents, asked.batch)
    elif asked.batch > 1:
        raise UserError(f"--batch-size {asked.batch}: --endpoint-type {endpoint.name} takes one text per request")
    contents = with_images(contents, _images(options))
    outputs = _output_lengths(contents, options, endpoint)
    if inputs is None:
        inputs = estimated_tokens(contents) if counter is None else count_tokens(contents, counter, form=form)
    return ProfileContents(contents, inputs, outputs, counter is not None, source)


def _prompts(options: ProfileOptions, counter: TokenCounter | None, form: Form) -> SyntheticPrompts:
    asked = options.inputs
    return SyntheticPrompts(
        _lengths(asked),
        counter,
        form=form,
        seed=options.seed,
        prefixes=Prefixes(asked.prefixes, asked.prefix_tokens if asked.prefixes else 0),
        name=options.tokenizer or "",
    )


def _lengths(asked: InputOptions) -> Lengths:
    if asked.lengths is not None:
        return Lengths.parse(asked.lengths)
    return Lengths.normal(asked.input_mean, asked.input_stddev, asked.output_mean, asked.output_stddev)


def _output_lengths(contents: Sequence[Content], options: ProfileOptions, endpoint: Endpoint) -> NDArray[np.int32]:
    """Return the requested output tokens of each request: its own number, or that of the options."""
    n = len(contents)
    if not endpoint.generates:
        return np.zeros(n, np.int32)
    drawn = _lengths(options.inputs).draw(n, options.seed)[1] if options.ask_length else None
    default = np.zeros(n, np.int32) if drawn is None else drawn
    outputs = [one.output_tokens or int(number) for one, number in zip(contents, default, strict=True)]
    return np.array(outputs, np.int32)


def _images(options: ProfileOptions) -> Sequence[str]:
    asked = options.inputs
    if asked.images is not None:
        return folder_images(asked.images)
    if not (asked.image_width or asked.image_height):
        return ()
    if not (asked.image_width and asked.image_height):
        raise UserError("--image-width-mean and --image-height-mean must be given together")
    return synthetic_images(
        asked.entries or SYNTHETIC_ENTRIES,
        Normal(asked.image_width, asked.image_width_stddev),
        Normal(asked.image_height, asked.image_height_stddev),
        format="jpeg" if asked.image_format == "jpeg" else "png",
        seed=options.seed,
    )


def estimated_tokens(contents: Sequence[Content]) -> NDArray[np.int32]:
    """Return the words of each content, as an estimate without a tokenizer; English has about 1.3 tokens per word."""
    return np.array([_words(content) for content in contents], np.int32)


def _words(content: Content) -> int:
    said = [content.text, content.system, content.query, *(content.texts or ())]
    said += [str(message.get("content") or "") for message in content.messages or ()]
    if content.payload is not None:
        said.append(msgspec.json.encode(content.payload).decode())
    return sum(len(text.split()) for text in said if text)
