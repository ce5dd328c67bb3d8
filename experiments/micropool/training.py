"""Trains one model of the pool: a plain loop, with loss on the tokens of the response only."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional

from experiments.micropool.config import Model, Pool
from experiments.micropool.sampling import training_pairs
from experiments.micropool.tokenizer import CONTEXT
from fusion.engines.base import Message
from graphrouter.errors import UserError
from graphrouter.files import atomic_write

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

IGNORED = -100
"""Label of a token that bears no loss."""

BETAS = (0.9, 0.98)
CLIP = 1.0


@dataclass
class State:
    """Where training stands.

    Attributes:
        model: Being trained.
        optimizers: Muon for the matrices inside the blocks, AdamW for the embedding and the norms.
        losses: One per step so far.
    """

    model: LlamaForCausalLM
    optimizers: list[torch.optim.Optimizer]
    losses: list[float] = field(default_factory=list)


def new_state(model: Model, pool: Pool, tokenizer: PreTrainedTokenizerFast, device: torch.device) -> State:
    """Return a model with random weights, the same for the same seed."""
    from transformers import LlamaConfig, LlamaForCausalLM

    shape = pool.shapes[model.shape]
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=shape.width,
        num_hidden_layers=shape.layers,
        intermediate_size=shape.feed_forward,
        num_attention_heads=shape.heads,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    torch.manual_seed(Random(f"{pool.seed} weights {model.name}").getrandbits(32))
    llama = LlamaForCausalLM(config).to(device)  # type: ignore[arg-type]
    return State(llama, _optimizers(llama, pool))


def _optimizers(llama: LlamaForCausalLM, pool: Pool) -> list[torch.optim.Optimizer]:
    """Return Muon and AdamW, on one learning rate.

    Muon (Jordan et al., 2024, https://kellerjordan.github.io/posts/muon), its updates scaled to AdamW's size
    (arXiv:2502.16982), needs about half the steps of AdamW alone here.
    """
    matrices = [value for name, value in llama.named_parameters() if value.ndim == 2 and "embed" not in name]
    inside = {id(value) for value in matrices}
    others = [value for value in llama.parameters() if id(value) not in inside]
    return [
        torch.optim.Muon(matrices, weight_decay=pool.weight_decay, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(others, betas=BETAS, weight_decay=0.0, fused=True),
    ]


def batches(
    model: Model, pool: Pool, tokenizer: PreTrainedTokenizerFast, start: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield token ids and labels [B, T] of each step from ``start`` on.

    The batches of a chunk are drawn together and sorted by length, so that little is padded; each chunk depends only on
    its number.
    """
    for chunk in range(start // pool.chunk, math.ceil(pool.steps(model) / pool.chunk)):
        rows = encode(list(training_pairs(model, pool.seed, chunk, pool.chunk * pool.batch)), tokenizer)
        rows.sort(key=lambda row: len(row[0]))
        order = list(range(pool.chunk))
        Random(f"{pool.seed} order {model.name} {chunk}").shuffle(order)
        for turn, place in enumerate(order):
            if start <= chunk * pool.chunk + turn < pool.steps(model):
                yield pad(rows[place * pool.batch : (place + 1) * pool.batch], tokenizer)


def encode(
    pairs: list[tuple[tuple[Message, ...], str]], tokenizer: PreTrainedTokenizerFast
) -> list[tuple[list[int], int]]:
    """Return the token ids of each conversation, and how many of them are the prompt's."""
    prompts = [
        str(tokenizer.apply_chat_template([dict(turn) for turn in turns], tokenize=False, add_generation_prompt=True))
        for turns, _ in pairs
    ]
    before = tokenizer(prompts, add_special_tokens=False)["input_ids"]
    after = tokenizer([f"{text}{tokenizer.eos_token}" for _, text in pairs], add_special_tokens=False)["input_ids"]
    return [(first + second, len(first)) for first, second in zip(before, after, strict=True)]


def pad(rows: list[tuple[list[int], int]], tokenizer: PreTrainedTokenizerFast) -> tuple[Tensor, Tensor]:
    """Return ids [B, T], padded on the right, and labels [B, T] that ignore prompts and padding."""
    longest = max(len(ids) for ids, _ in rows)
    ids = torch.full((len(rows), longest), int(tokenizer.pad_token_id))
    labels = torch.full((len(rows), longest), IGNORED)
    for row, (tokens, prompt) in enumerate(rows):
        ids[row, : len(tokens)] = torch.tensor(tokens)
        labels[row, prompt : len(tokens)] = ids[row, prompt : len(tokens)]
    return ids, labels


def loss_of(llama: LlamaForCausalLM, ids: Tensor, labels: Tensor) -> Tensor:
    """Return the mean negative log-likelihood of the labelled tokens.

    No attention mask is needed: padding is on the right, where a causal model does not look. Only labelled places are
    turned into logits, which saves most of the output layer.
    """
    hidden = llama.model(input_ids=ids, use_cache=False).last_hidden_state[:, :-1]
    wanted = labels[:, 1:]
    kept = wanted != IGNORED
    return functional.cross_entropy(llama.lm_head(hidden[kept]), wanted[kept])


def learning_rate(model: Model, pool: Pool, step: int) -> float:
    """Return the rate of a step: a linear rise, then half a cosine down to a twentieth."""
    steps = pool.steps(model)
    warmup = max(1, round(pool.warmup * steps))
    if step < warmup:
        return model.learning_rate * (step + 1) / warmup
    done = (step - warmup) / max(1, steps - warmup)
    return model.learning_rate * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * done)))


def train(
    model: Model,
    pool: Pool,
    tokenizer: PreTrainedTokenizerFast,
    checkpoint: Path,
    device: torch.device,
    on_steps: Callable[[int], None] = lambda _: None,
) -> State:
    """Train a model, from its checkpoint where there is one.

    Args:
        model: Model to train.
        pool: Pool that it belongs to.
        tokenizer: Tokenizer of the pool.
        checkpoint: File that holds the state of training, written every ``pool.save_every`` steps and at the end.
        device: Where.
        on_steps: Called now and then with the number of steps done.

    Raises:
        UserError: If the checkpoint is of other settings, or cannot be read.
    """
    if device.type == "cuda":
        torch.use_deterministic_algorithms(True)
    state = new_state(model, pool, tokenizer, device)
    settings = training_settings(model, pool)
    _resume(state, checkpoint, settings)
    step = len(state.losses)
    on_steps(step)
    for ids, labels in batches(model, pool, tokenizer, step):
        for optimizer in state.optimizers:
            optimizer.zero_grad()
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(model, pool, step)
        loss = loss_of(state.model, ids.to(device), labels.to(device))
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(state.model.parameters(), CLIP)
        for optimizer in state.optimizers:
            optimizer.step()
        state.losses.append(float(loss.detach()))
        step += 1
        if step % pool.save_every == 0 or step == pool.steps(model):
            _save(state, checkpoint, settings)
        if step % 10 == 0 or step == pool.steps(model):
            on_steps(step)
    return state


def training_settings(model: Model, pool: Pool) -> dict[str, Any]:
    """Return all that decides a model's weights."""
    shared = {
        key: getattr(pool, key)
        for key in ("seed", "vocabulary", "corpus", "scale", "batch", "chunk", "warmup", "weight_decay")
    }
    mine = dataclasses.asdict(model)
    del mine["description"]
    return shared | {"model": mine, "shape": dataclasses.asdict(pool.shapes[model.shape])}


def _save(state: State, checkpoint: Path, settings: dict[str, Any]) -> None:
    kept = {
        "model": state.model.state_dict(),
        "optimizers": [optimizer.state_dict() for optimizer in state.optimizers],
        "losses": state.losses,
        "settings": settings,
    }
    with atomic_write(checkpoint) as draft:
        torch.save(kept, draft)


def _resume(state: State, checkpoint: Path, settings: dict[str, Any]) -> None:
    if not checkpoint.exists():
        return
    try:
        saved = torch.load(checkpoint, weights_only=True, map_location=next(state.model.parameters()).device)
    except Exception as error:  # torch raises many kinds for a damaged file
        raise UserError(f"{checkpoint} must be a checkpoint, but cannot be read ({error}); remove it") from None
    if saved["settings"] != settings:
        raise UserError(f"{checkpoint} is of other settings than these; remove it, or name another --out")
    state.model.load_state_dict(saved["model"])
    for optimizer, values in zip(state.optimizers, saved["optimizers"], strict=True):
        optimizer.load_state_dict(values)
    state.losses = saved["losses"]
