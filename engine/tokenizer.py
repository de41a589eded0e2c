"""A model's own tokenizer, by directory or hub name: counts tokens in batches, knows what a chat template adds."""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..traces.inputs.hub import hub_address, hub_is_off, hub_is_reachable
from .errors import UserError

BATCH_TEXTS = 1024
"""Texts given to the tokenizer at once: bounds the memory, and lets it use its threads."""

_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?", re.ASCII)


class TokenCounter:
    """Counts tokens as a model's tokenizer does; loads it when first asked.

    Args:
        name: A directory that holds tokenizer.json and the like, or a name on the Hugging Face hub.
        revision: Of a hub name: a branch, a tag or a commit; None is the newest.
        trust_remote_code: Run code that comes with the tokenizer.
    """

    def __init__(self, name: Path | str, *, revision: str | None = None, trust_remote_code: bool = False) -> None:
        self._name, self._revision, self._trust = name, revision, trust_remote_code
        self._tokenizer: Any = None

    @property
    def tokenizer(self) -> Any:
        """The tokenizer itself.

        Raises:
            UserError: The tokenizer does not exist or cannot be loaded.
        """
        if self._tokenizer is None:
            self._tokenizer = load_tokenizer(self._name, revision=self._revision, trust_remote_code=self._trust)
        return self._tokenizer

    def count(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, without the special ones that a model's input begins or ends with.

        Raises:
            UserError: There is no such tokenizer, or it does not load.
        """
        return self._counts(texts, special=False)

    def count_prompts(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text with the special ones, as a server counts a prompt of the completions API.

        Raises:
            UserError: Likewise.
        """
        return self._counts(texts, special=True)

    def count_chats(self, chats: Sequence[Sequence[dict[str, Any]]]) -> list[int]:
        """Tokens of each list of messages, rendered for an answer as a server renders it.

        Without a chat template the tokens of the messages' texts. Of content in parts the text counts.

        Raises:
            UserError: Likewise, or the template refuses messages.
        """
        from jinja2 import TemplateError

        plain = [[message | {"content": _text(message.get("content"))} for message in chat] for chat in chats]
        if not self.tokenizer.chat_template:
            return self._counts(["\n".join(message["content"] for message in chat) for chat in plain], special=True)
        try:
            rendered = [
                self.tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True) for chat in plain
            ]
        except (TemplateError, TypeError, KeyError) as error:
            raise UserError(f"{self._name}: its chat template refuses the messages: {error}") from None
        return self._counts(rendered, special=False)

    def _counts(self, texts: Sequence[str], *, special: bool) -> list[int]:
        counts: list[int] = []
        for start in range(0, len(texts), BATCH_TEXTS):
            encoded = self.tokenizer(
                list(texts[start : start + BATCH_TEXTS]),
                add_special_tokens=special,
                return_attention_mask=False,
                return_token_type_ids=False,
                verbose=False,
            )
            counts += [len(ids) for ids in encoded["input_ids"]]
        return counts


def _text(content: Any) -> str:
    """Return what is text in a message's content."""
    if isinstance(content, list):
        parts = [part.get("text") if isinstance(part, dict) else part for part in content]
        return "\n".join(part for part in parts if isinstance(part, str))
    return content if isinstance(content, str) else ""


def load_tokenizer(name: Path | str, *, revision: str | None = None, trust_remote_code: bool = False) -> Any:
    """A tokenizer from a directory, the hub's cache on this machine, or the hub. Importing transformers takes seconds.

    Args:
        name: A directory or a hub name.
        revision: Of a hub name: a branch, a tag or a commit; None is the newest.
        trust_remote_code: Run code that comes with the tokenizer.

    Raises:
        UserError: There is none; the message says what to do.
    """
    path, said = Path(name), str(name)
    local = said != "" and path.is_dir()
    if not local and (path.exists() or not _HUB_NAME.fullmatch(said)):
        raise UserError(
            f"{said or repr(said)}: not a directory; give one with a tokenizer's files (tokenizer.json), or a hub name"
        )
    # It would say that PyTorch is absent: no model is to run here. And a hub that is silent is not waited for.
    for variable, value in (
        ("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1"), ("HF_HUB_ETAG_TIMEOUT", "5"), ("HF_HUB_DOWNLOAD_TIMEOUT", "10"),
    ):  # fmt: skip
        os.environ.setdefault(variable, value)
    from transformers import AutoTokenizer

    def load(*, online: bool) -> Any:
        options: dict[str, Any] = {} if revision is None else {"revision": revision}
        return AutoTokenizer.from_pretrained(
            said, local_files_only=not online, trust_remote_code=trust_remote_code, **options
        )

    try:
        return load(online=False)
    except (OSError, ValueError, KeyError, ImportError) as error:
        if local:
            raise UserError(f"{name}: no tokenizer could be loaded from it: {error}") from None
    reachable = hub_is_reachable()
    if reachable:
        try:
            return load(online=True)
        except (OSError, ValueError, KeyError, ImportError) as error:
            first = str(error).partition("\n")[0]
            raise UserError(f"{name}: no tokenizer could be loaded from {hub_address()}: {first}") from None
    why = "HF_HUB_OFFLINE is set" if hub_is_off() else f"{hub_address()} cannot be reached"
    at = "" if revision is None else f" --revision {revision}"
    raise UserError(
        f"{name}: no tokenizer of this name in the hub's cache on this machine (HF_HOME), and {why}; name a directory "
        f"with its tokenizer.json, or run once where there is a network: hf download {name}{at}"
    )


def template_overhead(tokenizer: Any, *, chat: bool) -> int:
    """Tokens that a server adds to each prompt: a chat template's around the one user message, or special tokens.

    Args:
        tokenizer: As `load_tokenizer` gives it.
        chat: The prompt goes through the chat template; a tokenizer without one is taken to add nothing.
    """
    probe = "time"
    bare = len(tokenizer.encode(probe, add_special_tokens=False))
    if not chat:
        return len(tokenizer.encode(probe)) - bare
    if not tokenizer.chat_template:
        return 0
    rendered = tokenizer.apply_chat_template(
        [{"role": "user", "content": probe}], tokenize=False, add_generation_prompt=True
    )
    return len(tokenizer.encode(rendered, add_special_tokens=False)) - bare
