"""Chat data: messages with roles, as sessions of turns."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tokentape.traces import TraceError, read

Write = Callable[[bytes | str], Path]


def message(role: str, content: Any, **more: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **more}


FIRST = [message("system", "Be brief."), message("user", "What is a tape?"), message("assistant", "A record.")]
SECOND = [message("user", "A?"), message("assistant", "B."), message("user", "Thanks"), message("assistant", "Sure.")]


@pytest.mark.parametrize("key", ["messages", "conversations", "conversation"])
@pytest.mark.parametrize("layout", ["lines", "array", "pretty"])
def test_each_answer_is_a_request(write: Write, key: str, layout: str) -> None:
    records = [{key: FIRST}, {key: SECOND, "id": "talk"}]
    text = (
        "\n".join(map(json.dumps, records))
        if layout == "lines"
        else json.dumps(records, indent=2 if layout == "pretty" else None)
    )
    trace = read(write(text))
    assert trace.format == "chat"
    bodies = [json.loads(body) for body in trace.table["body"].to_pylist()]
    assert bodies == [{"messages": FIRST[:2]}, {"messages": SECOND[:1]}, {"messages": SECOND[:3]}]
    assert trace.table["session_id"].to_pylist() == ["conversation 1", "talk", "talk"]
    assert trace.table["parent"].to_pylist()[2] == 1


def test_other_names_of_roles_and_content_become_openai_s(write: Write) -> None:
    talk = [{"role": "human", "value": "A?", "weight": 0}, {"role": "gpt", "value": "B."}, *SECOND[2:]]
    trace = read(write(json.dumps({"conversations": talk})))
    bodies = [json.loads(body)["messages"] for body in trace.table["body"].to_pylist()]
    assert bodies == [[message("user", "A?", weight=0)], [message("user", "A?", weight=0), *SECOND[1:3]]]


def test_tools_and_parts_are_sent_as_they_were(write: Write) -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    talk = [
        message("user", [{"type": "text", "text": "Look"}, {"type": "image_url", "image_url": {"url": "data:,"}}]),
        message("assistant", None, tool_calls=[call]),
        message("tool", "42", tool_call_id="c"),
        message("assistant", "It is 42."),
    ]
    tools = [{"type": "function", "function": {"name": "f"}}]
    trace = read(write(json.dumps({"messages": talk, "tools": tools, "weight": 1})))
    bodies = [json.loads(body) for body in trace.table["body"].to_pylist()]
    assert bodies == [{"messages": talk[:1], "tools": tools}, {"messages": talk[:3], "tools": tools}]


def test_a_conversation_begins_at_its_first_question(write: Write) -> None:
    talk = [message("assistant", "Hello!"), *SECOND]
    trace = read(write(json.dumps({"messages": talk})))
    assert json.loads(trace.table["body"][0].as_py()) == {"messages": SECOND[:1]}
    assert any("1 conversation begins with an answer" in note for note in trace.notes)


@pytest.mark.parametrize(
    ("record", "problem"),
    [
        (
            {"messages": [message("narrator", "x")]},
            r"row 1, field messages\[0\].role: 'narrator' is not a role",
        ),
        (
            {"messages": [{"role": "user"}]},
            r"field messages\[0\].content: is missing; the message's text",
        ),
        ({"messages": SECOND[:1]}, "none of its 1 conversations has an answer"),
        ({"messages": [message("user", 5)]}, r"field messages\[0\].content: 5 is neither a text nor a list"),
    ],
)
def test_bad_messages(write: Write, record: dict[str, Any], problem: str) -> None:
    with pytest.raises(TraceError, match=problem):
        read(write(json.dumps(record)))


def test_other_formats_with_messages_stay_themselves(write: Write) -> None:
    row = {"timestamp": 0, "messages": SECOND[:1], "output_length": 3, "input_length": 5, "hash_ids": [0]}
    assert read(write(json.dumps(row) + "\n")).format == "mooncake"
