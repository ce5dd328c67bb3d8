"""Loading of a causal language model and its tokenizer for the transformers engine."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any, NamedTuple

from fusion.engines.base import Request, plain_text
from graphrouter.errors import UserError, first_line, suggest
from graphrouter.progress import without_weights_bar
from graphrouter.training import pick_device

DTYPES = ("auto", "float32", "bfloat16", "float16")


class Loaded(NamedTuple):
    """Model with its tokenizer.

    Attributes:
        model: Causal language model, in evaluation mode.
        tokenizer: Tokenizer of transformers.
        ends: Ids that end a response: those of the generation config, and the tokenizer's end token.
        limit: Most tokens of prompt and response together; None where the model has no limit.
    """

    model: Any
    tokenizer: Any
    ends: frozenset[int]
    limit: int | None

    def prompts(self, requests: list[Request], options: dict[str, Any]) -> list[list[int] | str]:
        """Return the token ids of each request's prompt, or in one line why it has none.

        With the chat template where the tokenizer has one; else `plain_text`.
        """
        template = self.tokenizer.chat_template is not None
        found: list[list[int] | str] = []
        for request in requests:
            try:
                text = self._text(request, options) if template else plain_text(request.messages)
                ids: list[int] = self.tokenizer(text, add_special_tokens=not template)["input_ids"]
            except Exception as error:  # a template may raise anything, and refuses in this way the roles that it lacks
                found.append(f"the prompt cannot be written: {first_line(error)}")
            else:
                found.append(ids or "the prompt has no tokens")
        return found

    def _text(self, request: Request, options: dict[str, Any]) -> str:
        text: str = self.tokenizer.apply_chat_template(
            list(request.messages), tokenize=False, add_generation_prompt=True, **options
        )
        return text

    def write(self, ids: list[int]) -> str:
        """Turn token ids of a response into text, without special tokens."""
        text: str = self.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return text


def load(name: str, revision: str | None, device: str, dtype: str) -> Loaded:
    """Load a model from a folder or the Hugging Face hub.

    Args:
        name: Folder, or name on the hub.
        revision: Branch, tag or commit on the hub; None for its default.
        device: auto, cpu or cuda.
        dtype: One of `DTYPES`; auto is that of the weights, and float32 on a CPU.

    Raises:
        UserError: If it is no causal language model with all its weights, or the device or dtype is not at hand.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    place = pick_device(device)
    if dtype not in DTYPES:
        raise UserError(f"dtype of {name!r} must be known, but is {dtype!r}{suggest(dtype, DTYPES)}")
    dtype = dtype if dtype != "auto" or place.type != "cpu" else "float32"
    where = {"revision": revision} if revision else {}
    _check_config(name, where)
    try:
        kind = dtype if dtype == "auto" else getattr(torch, dtype)
        # The bar of weights that are on the disk would break that of the caller. A download keeps its own.
        with without_weights_bar() if Path(name).is_dir() else nullcontext():
            both: Any = AutoModelForCausalLM.from_pretrained(name, dtype=kind, output_loading_info=True, **where)
        tokenizer = AutoTokenizer.from_pretrained(name, **where)
    except (OSError, ValueError, ImportError, RuntimeError, KeyError, TypeError) as error:
        raise _refused(name, error) from None
    model, report = both
    if report["missing_keys"]:
        missing = sorted(report["missing_keys"])
        raise UserError(f"{name} must hold all weights, but lacks {missing[0]} and {len(missing) - 1} others")
    return Loaded(model.to(place).eval(), tokenizer, _ends(model, tokenizer), context_limit(model.config))


def _check_config(name: str, where: dict[str, str]) -> None:
    """Refuse what is no decoder with keys and values for its past tokens, before its weights are read."""
    from transformers import AutoConfig
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as CAUSAL

    try:
        config = AutoConfig.from_pretrained(name, **where)
    except (OSError, ValueError, ImportError, KeyError) as error:
        raise _refused(name, error) from None
    kinds = {name for names in CAUSAL.values() for name in ([names] if isinstance(names, str) else names)}
    architectures = config.architectures or [config.model_type]
    if config.is_encoder_decoder or not kinds.intersection(architectures):
        raise UserError(
            f"model must be a causal language model, but {name} is {', '.join(architectures)}; "
            "take a decoder-only one, such as a Llama or Qwen"
        )


def _refused(name: str, error: Exception) -> UserError:
    return UserError(
        f"model must be a folder or a hub name with a causal language model and its tokenizer, but {name}: "
        f"{first_line(error)}"
    )


def _ends(model: Any, tokenizer: Any) -> frozenset[int]:
    ends = [model.generation_config.eos_token_id, tokenizer.eos_token_id]
    return frozenset(end for some in ends for end in (some if isinstance(some, list) else [some]) if end is not None)


def context_limit(config: Any) -> int | None:
    """Return the most tokens of prompt and response together that a model's config allows; None for no limit."""
    limit = getattr(config.get_text_config(), "max_position_embeddings", None)
    return limit if isinstance(limit, int) and limit > 0 else None
