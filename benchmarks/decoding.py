"""How long the transformers engine takes for a list of questions, and how long ``model.generate`` takes in the same batches.

``generate`` keeps the rows of a batch that have ended until the last one ends; the engine lets them leave. Greedy answers must be equal.
"""

from __future__ import annotations

import argparse
import random
import time
from pathlib import Path
from typing import Any

from common import machine, run, table, write_json

from fusion.engines.base import Completion, Request, Sampling
from fusion.engines.hf import TransformersEngine
from fusion.engines.hf_load import Loaded, load

LANDS = ("France", "Spain", "Peru", "Japan", "Kenya", "Norway", "Chile", "India", "Egypt", "Canada", "Poland", "Ghana")
ASKS = (
    "What is the capital of {}? Answer with one word.",
    "Is {} in Europe? Answer yes or no.",
    "Tell me three things about {}.",
    "Explain how one travels from {} to the sea, step by step.",
)


def questions(count: int, max_tokens: int) -> list[Request]:
    """Return questions with short and with long answers, a few to a hundred words long."""
    draw = random.Random(0)
    found = []
    for i in range(count):
        before = " ".join(draw.choices(LANDS, k=draw.choice((0, 0, 20, 80))))
        text = f"{before} {draw.choice(ASKS).format(draw.choice(LANDS))}".strip()
        found.append(Request(str(i), ({"role": "user", "content": text},), Sampling(max_tokens)))
    return found


def by_engine(model: str, requests: list[Request], batch_size: int) -> dict[str, str]:
    """Return the answers of the engine."""
    with TransformersEngine(model, batch_size=batch_size, device="cpu") as engine:
        return {a.key: a.text for a in engine.generate(requests) if isinstance(a, Completion)}


def by_generate(model: str, requests: list[Request], batch_size: int) -> dict[str, str]:
    """Return the answers of ``model.generate``, with left padding and the longest prompts together."""
    loaded: Loaded = load(model, None, "cpu", "auto")
    prompts = sorted(zip(requests, loaded.prompts(requests, {}), strict=True), key=lambda pair: len(pair[1]))
    loaded.tokenizer.padding_side = "left"
    loaded.tokenizer.pad_token = loaded.tokenizer.pad_token or loaded.tokenizer.eos_token
    answers: dict[str, str] = {}
    for begin in range(0, len(prompts), batch_size):
        batch = prompts[begin : begin + batch_size]
        given: Any = loaded.tokenizer.pad({"input_ids": [ids for _, ids in batch]}, return_tensors="pt")
        most, ends = batch[0][0].sampling.max_tokens, sorted(loaded.ends)
        made = loaded.model.generate(**given, max_new_tokens=most, do_sample=False, eos_token_id=ends)
        for (request, _), ids in zip(batch, made[:, given["input_ids"].shape[1] :].tolist(), strict=True):
            answers[request.key] = loaded.write(ids)
    return answers


def main() -> None:
    """Measure and print."""
    made = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    made.add_argument("model", help="folder of a causal language model with a chat template")
    made.add_argument("--questions", type=int, default=200, help="(default: 200)")
    made.add_argument("--max-tokens", type=int, default=96, help="(default: 96)")
    made.add_argument("--batch-size", type=int, default=64, help="(default: 64)")
    made.add_argument("--out", type=Path, help="JSON file for all figures")
    args = made.parse_args()
    about, rows, answers = machine(1), [], []
    for name, answer in (("engine", by_engine), ("generate", by_generate)):
        answer(args.model, questions(1, 1), 1)  # whatever is imported at the first call
        wall, cpu = time.perf_counter(), time.process_time()
        answers.append(answer(args.model, questions(args.questions, args.max_tokens), args.batch_size))
        rows.append((name, time.perf_counter() - wall, time.process_time() - cpu))
    print(table(("by", "seconds", "CPU s"), [(name, f"{wall:.1f}", f"{cpu:.1f}") for name, wall, cpu in rows]))
    equal = sum(answers[1][key].strip() == text.strip() for key, text in answers[0].items())
    print(f"{equal} of {args.questions} answers are equal")
    write_json(args.out, {**about, "rows": rows, "equal": equal})


if __name__ == "__main__":
    run(main)
