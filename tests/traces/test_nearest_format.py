"""Errors about files of no known format name the nearest format."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tokentape.traces import TraceError, read
from tokentape.traces.detect import READERS
from tokentape.traces.nearest_format import NEEDED

Write = Callable[[bytes | str], Path]
ADVICE = " Run `tokentape trace formats` for all formats, or name the columns with --map"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "TIMESTAMP,Context,GeneratedTokens\n2023-11-16 18:17:03.97,1,2\n",
            "is not a known trace format. Nearest: azure, but its column ContextTokens is missing "
            "(found: 'TIMESTAMP, Context, GeneratedTokens').",
        ),
        (
            '{"timestamp": 0, "input_len": 5, "output_len": 3, "hash_ids": [1]}\n',
            "Nearest: mooncake, but its keys input_length and output_length are missing "
            "(found: 'timestamp, input_len, output_len, hash_ids').",
        ),
        (
            "Timestamp,Model,Request tokens,Response\n1,m,2,3\n",
            "but its column Response tokens is missing",
        ),
        ('[{"custom_id": "1", "method": "POST", "body": {}}]', "Nearest: openai-batch, but its key url is missing"),
        (
            json.dumps({"custom_id": "1", "method": "POST", "body": {}}, indent=1),
            "Nearest: openai-batch, but its key url is missing",
        ),
        ("a,b,c\n1,2,3\n", "is not a known trace format: its columns are 'a, b, c'."),
        ("hello\n", "is not a known trace format: it begins with 'hello'."),
    ],
)
def test_the_nearest_format_and_what_is_missing(write: Write, text: str, told: str) -> None:
    with pytest.raises(TraceError) as error:
        read(write(text))
    assert told in str(error.value)
    assert str(error.value).endswith(ADVICE)


def test_only_known_formats_are_named() -> None:
    assert NEEDED.keys() <= {reader.NAME for reader in READERS}
