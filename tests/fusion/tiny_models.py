"""Models of transformers that are small enough for tests: two real ones, and random weights in any shape.

The real ones are of the micropool (see ``graphrouter/datasets/micropool/README.md``): chat models of 0.13 million
parameters that answer easy questions. The random ones come with a tokenizer trained on a few lines.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

REAL = Path(__file__).parents[1] / "models"
MINI, SPARK = REAL / "mini-0.1m", REAL / "spark-0.1m"

LINES = ["the quick brown fox jumps over the lazy dog 0123456789", "what is 12 plus 30? the answer is 42."] * 4
TEMPLATE = (
    "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    "{{ m.role }}: {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}assistant:{{ mood }}{% endif %}"
)


def tiny_tokenizer(template: str | None = None, ascii_only: bool = True) -> Any:
    """Return a byte-level BPE tokenizer without a pad token.

    A random model makes invalid UTF-8 of the bytes outside ASCII, and every library writes that in its own way.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=160 if ascii_only else 320,
        special_tokens=["<s>", "</s>"],
        initial_alphabet=[*map(chr, range(33, 127)), "Ġ", "Ċ"] if ascii_only else pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(LINES, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=made, bos_token="<s>", eos_token="</s>", chat_template=template)


def save_tiny(
    folder: Path,
    template: str | None = None,
    kind: str = "Llama",
    seed: int = 0,
    ascii_only: bool = True,
    **changes: Any,
) -> Path:
    """Save a random model with its tokenizer: 4 layers, 128 wide, a context of 256 tokens.

    Args:
        folder: Where to.
        template: Chat template of the tokenizer, or None.
        kind: Of transformers, such as Llama or Mistral.
        seed: Of the weights.
        ascii_only: Whether the tokenizer has no tokens for other bytes.
        changes: Of the config.
    """
    import torch
    import transformers

    tokenizer = tiny_tokenizer(template, ascii_only)
    settings = {
        "vocab_size": len(tokenizer),
        "hidden_size": 128,
        "intermediate_size": 256,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 256,
        "bos_token_id": 0,
        "eos_token_id": 1,
    }
    torch.manual_seed(seed)
    config = getattr(transformers, f"{kind}Config")(**{**settings, **changes})
    model = transformers.AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() > 1:
                weight.mul_(3.0)  # else a random model says the same token for ever
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
