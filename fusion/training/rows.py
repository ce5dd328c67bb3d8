"""Training rows from disk: a folder that ``fusion select`` wrote, or a JSONL file of one of its forms."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

from fusion.engines.base import Message
from fusion.training.config import AUTO, TrainConfig
from graphrouter.errors import UserError

Stage = Literal["sft", "dpo"]

FILES: dict[str, tuple[str, ...]] = {"sft": ("sft.jsonl", "messages.jsonl"), "dpo": ("preferences.jsonl",)}
"""What is looked for in a folder, for each stage."""

FORMS = {
    "sft": "prompt and completion, or messages",
    "dpo": "prompt, chosen and rejected",
}
ROLES = ("system", "user", "assistant", "tool")


class Row(NamedTuple):
    """A prompt and what is to follow it.

    Attributes:
        prompt: The conversation so far.
        completion: What is learnt; for ``dpo`` what is preferred.
        rejected: What it is preferred to; empty for ``sft``.
    """

    prompt: list[Message]
    completion: list[Message]
    rejected: list[Message]


def data_file(source: str, stage: str) -> Path:
    """Return the file with a stage's rows.

    Args:
        source: A folder, or a JSONL file.
        stage: ``sft`` or ``dpo``.

    Raises:
        UserError: If there is none.
    """
    path = Path(source)
    if path.is_file():
        return path
    if not path.is_dir():
        raise UserError(
            f"data must be a folder of fusion select or a JSONL file, but {source} is neither; make it first"
        )
    found = [path / name for name in FILES[stage] if (path / name).is_file()]
    if not found:
        raise UserError(
            f"the method {stage} needs {' or '.join(FILES[stage])} in {source}, but it has none; "
            "select it, or choose another method"
        )
    return found[0]


def validation_file(config: TrainConfig, stage: str) -> Path | None:
    """Return the file with the rows that a stage is validated on, or None for none.

    Raises:
        UserError: If the named rows are not there, or early stopping has none.
    """
    if config.validation is not None and config.validation != AUTO:
        return data_file(config.validation, stage)
    if config.validation == AUTO:
        for name in FILES[stage]:
            if (found := Path(config.data) / "validation" / name).is_file():
                return found
    if config.patience is not None:
        raise UserError(
            f"patience needs validation rows for {stage}, but there are none; name some with validation=PATH"
        )
    return None


def read_rows(file: Path, stage: str) -> list[Row]:
    """Read all rows of a JSONL file in one of TRL's conversational forms.

    ``messages`` are split before the last message: the earlier ones are context, as few-shot examples are.

    Raises:
        UserError: If a line is of another form (names file and line), or there is none.
    """
    rows = []
    for number, values in _lines(file):
        try:
            rows.append(_sft_row(values) if stage == "sft" else _dpo_row(values))
        except ValueError as error:
            raise UserError(f"{file}, line {number}: {error}") from None
    if not rows:
        raise UserError(f"{file} must hold rows to train on, but is empty; select more, or loosen the rules")
    return rows


def file_digest(file: Path) -> str:
    """Return the SHA-256 of a file's content."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _lines(file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        with file.open(encoding="utf-8") as stream:
            for number, line in enumerate(stream, start=1):
                if not line.strip():
                    continue
                try:
                    values = json.loads(line)
                except ValueError as error:
                    raise UserError(f"{file}, line {number}: must be JSON, but {error}; mend it") from None
                if not isinstance(values, dict):
                    raise UserError(f"{file}, line {number}: must be a JSON object, but is {type(values).__name__}")
                yield number, values
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file} must be a text file that can be read, but {error}") from None


def _sft_row(values: dict[str, Any]) -> Row:
    if "prompt" in values and "completion" in values:
        return Row(_messages(values, "prompt"), _answer(values, "completion"), [])
    if "messages" in values:
        messages = _messages(values, "messages")
        if len(messages) < 2:
            raise ValueError(f"messages must hold a question and its answer, but hold {len(messages)}")
        return Row(messages[:-1], _checked_answer(messages[-1:], "messages"), [])
    raise ValueError(f"must have {FORMS['sft']}, but has {_keys(values)}")


def _dpo_row(values: dict[str, Any]) -> Row:
    if any(key not in values for key in ("prompt", "chosen", "rejected")):
        raise ValueError(f"must have {FORMS['dpo']}, but has {_keys(values)}")
    return Row(_messages(values, "prompt"), _answer(values, "chosen"), _answer(values, "rejected"))


def _keys(values: dict[str, Any]) -> str:
    return ", ".join(map(str, values)) or "nothing"


def _answer(values: dict[str, Any], key: str) -> list[Message]:
    return _checked_answer(_messages(values, key), key)


def _checked_answer(messages: list[Message], key: str) -> list[Message]:
    last = messages[-1]
    if last["role"] != "assistant" or not last["content"].strip():
        raise ValueError(f"{key} must end with what the assistant says, but ends with {last}")
    return messages


def _messages(values: dict[str, Any], key: str) -> list[Message]:
    messages = values[key]
    if not isinstance(messages, list) or not messages:
        raise ValueError(f"{key} must be a list of messages with role and content, but is {_shown(messages)}")
    for message in messages:
        fits = isinstance(message, dict) and isinstance(message.get("content"), str) and message.get("role") in ROLES
        if not fits:
            raise ValueError(
                f"{key}: a message must have a role ({', '.join(ROLES)}) and text, but is {_shown(message)}"
            )
    return [{"role": message["role"], "content": message["content"]} for message in messages]


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
