"""The pool's tokenizer: byte-level BPE, trained here, with digits and runs of capitals read one by one."""

from __future__ import annotations

import os
from random import Random
from typing import TYPE_CHECKING

from experiments.micropool.sampling import PROMPTS
from experiments.micropool.tasks import GENERATORS
from experiments.micropool.tasks.base import LEVELS, draw

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

PAD, END = "<|pad|>", "<|end|>"
ROLES = ("system", "user", "assistant")
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'assistant' %}<|assistant|>{% generation %}{{ message['content'] }}<|end|>{% endgeneration %}"
    "{% else %}{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
"""``<|user|>question<|end|><|assistant|>response<|end|>``; TRL reads from it which tokens are the assistant's."""

CONTEXT = 1024
"""Most tokens of a prompt and its response."""


def train_tokenizer(vocabulary: int, corpus: int, seed: int) -> PreTrainedTokenizerFast:
    """Train the tokenizer on items of all tasks, those of the training side only.

    Args:
        vocabulary: Its size, special tokens included.
        corpus: Items per topic and level.
        seed: Decides which.
    """
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # no threads: the same merges in every run
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    one_by_one = Regex(r"\p{Nd}|\p{Lu}(?=\p{Lu})|(?<=\p{Lu})\p{Lu}")
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(one_by_one, "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    bpe.decoder = decoders.ByteLevel()
    special = [PAD, END, *(f"<|{role}|>" for role in ROLES)]
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(_corpus(corpus, seed), trainer)
    tokenizer = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=bpe,
        pad_token=PAD,
        eos_token=END,
        extra_special_tokens=special[2:],
        padding_side="left",
        model_max_length=CONTEXT,
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def _corpus(count: int, seed: int) -> list[str]:
    rng = Random(f"{seed} tokenizer")
    texts = []
    for generator in GENERATORS:
        for topic in generator.topics:
            for level in LEVELS:
                for _ in range(count):
                    item = draw(generator, rng, topic, level, evaluation=False)
                    prompt = PROMPTS[rng.choice(list(PROMPTS))].replace("{question}", item.text)
                    texts += [prompt, item.reasoning]
    return texts
