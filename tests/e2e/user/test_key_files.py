"""Key files that cannot be used are refused before the run, and their content is never shown."""

from pathlib import Path
from typing import Any

import pytest
from tokentape.engine.errors import UserError


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "No such file or directory"),
        ("", "must have exactly one line, the key"),
        ("sk-1\nsk-2\n", "must have exactly one line, the key"),
        ("sk-ü\n", "contains characters that HTTP does not allow"),
    ],
)
def test_a_key_file_that_will_not_do(
    small_trace: Any, replayed: Any, tmp_path: Path, content: str | None, problem: str
) -> None:
    path = tmp_path / "key"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UserError) as caught:
        replayed(small_trace(), "http://127.0.0.1:1", api_key_file=str(path))
    assert str(path) in str(caught.value)
    assert problem in str(caught.value)
    assert "sk-" not in str(caught.value).replace(str(path), "")
