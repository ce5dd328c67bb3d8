"""Trains all models of a pool, several at a time, each in a process of its own with one thread."""

from __future__ import annotations

import json
import multiprocessing
import os
import queue
import shutil
import signal
import threading
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from tqdm import tqdm

from experiments.micropool.config import Model, Pool
from experiments.micropool.sampling import PROMPTS, evaluation_questions
from experiments.micropool.tasks import GENERATORS
from experiments.micropool.tokenizer import train_tokenizer
from graphrouter.errors import UserError
from graphrouter.files import replace_file

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from experiments.micropool.training import State

SETTINGS = "micropool.json"
"""File in a model's folder with all that decided its weights."""

ENGINE = {"engine": "transformers", "batch_size": 256}

LONGEST = 144
"""Tokens that the longest response may have, where who generates sets no limit."""

OUTPUT_FACTOR = 3
"""A token of the response costs so much more than one of the prompt."""


def train_pool(pool: Pool, out: Path, jobs: int, device: str = "cpu", progress: bool = True) -> list[Path]:
    """Train what is not trained yet. An interrupted run goes on from its checkpoints.

    Args:
        pool: Pool to train.
        out: Gets ``tokenizer/``, ``models/NAME/`` (Hugging Face folders), ``training/`` (checkpoints while they are
            needed, losses) and ``llms.yaml``.
        jobs: Models trained at a time; on a GPU all share it.
        device: ``cpu`` or ``cuda``.
        progress: Whether to show a bar.

    Returns:
        The folders of the models.

    Raises:
        UserError: If a model there is of other settings.
    """
    folders = {model.name: out / "models" / model.name for model in pool.models}
    waiting = [model for model in pool.models if not _is_trained(folders[model.name], model, pool)]
    if waiting:
        train_tokenizer(pool.vocabulary, pool.corpus, pool.seed).save_pretrained(out / "tokenizer")
        _train_all(sorted(waiting, key=lambda model: -_work(model, pool)), pool, out, jobs, device, progress)
    write_llms(pool, out)
    return list(folders.values())


def _train_all(models: Sequence[Model], pool: Pool, out: Path, jobs: int, device: str, progress: bool) -> None:
    context = multiprocessing.get_context("spawn")
    total = sum(_work(model, pool) for model in models)
    with (
        context.Manager() as manager,
        tqdm(total=round(total), desc="training", unit="work", unit_scale=True, disable=not progress) as bar,
        ProcessPoolExecutor(min(jobs, len(models)), mp_context=context, initializer=_one_thread) as workers,
    ):
        steps, stop = manager.Queue(), manager.Event()
        listener = threading.Thread(target=_show, args=(steps, bar, {m.name: _work(m, pool) for m in models}))
        listener.start()
        try:
            waiting = {workers.submit(_train_one, model, pool, out, device, (steps, stop)) for model in models}
            while waiting:  # in short waits: Ctrl-C may reach another thread, which does not end a long one
                done, waiting = wait(waiting, timeout=0.5, return_when=FIRST_COMPLETED)
                for future in done:
                    bar.write(future.result())
        finally:
            stop.set()
            workers.shutdown(cancel_futures=True)
            steps.put(None)
            listener.join()


def _show(steps: queue.Queue[tuple[str, int, int] | None], bar: Any, work: dict[str, float]) -> None:
    done = dict.fromkeys(work, 0.0)
    while (message := steps.get()) is not None:
        name, step, last = message
        done[name] = work[name] * step / last
        bar.update(round(sum(done.values())) - bar.n)


def _one_thread() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the parent, which sets the stop event
    os.environ["OMP_NUM_THREADS"] = "1"
    os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"  # what CUDA needs for products that repeat
    import torch

    torch.set_num_threads(1)


def _train_one(model: Model, pool: Pool, out: Path, device: str, contact: tuple[Any, Any]) -> str:
    import torch
    from transformers import PreTrainedTokenizerFast

    from experiments.micropool.training import train

    tokenizer = PreTrainedTokenizerFast.from_pretrained(out / "tokenizer")
    checkpoint, last = out / "training" / f"{model.name}.pt", pool.steps(model)
    steps, stop = contact

    def tell(step: int) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        steps.put((model.name, step, last))

    state = train(model, pool, tokenizer, checkpoint, torch.device(device), tell)
    losses = "\n".join(["step,loss", *(f"{step},{loss:.5f}" for step, loss in enumerate(state.losses, start=1)), ""])
    replace_file(out / "training" / f"{model.name}.csv", losses.encode())
    save_model(state, tokenizer, out / "models" / model.name, model, pool)
    checkpoint.unlink()
    recent = state.losses[-100:]
    return f"{model.name}: {last:,} steps, loss {sum(recent) / len(recent):.3f}"


def save_model(state: State, tokenizer: PreTrainedTokenizerFast, folder: Path, model: Model, pool: Pool) -> None:
    """Save a trained model as an ordinary Hugging Face folder, whole or not at all."""
    from transformers import GenerationConfig

    draft = folder.with_name(f".{folder.name}")
    shutil.rmtree(draft, ignore_errors=True)
    state.model.generation_config = GenerationConfig(  # type: ignore[no-untyped-call]
        do_sample=False,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        max_new_tokens=LONGEST,
    )
    state.model.to("cpu").save_pretrained(draft)  # type: ignore[arg-type]
    tokenizer.save_pretrained(draft)
    (draft / SETTINGS).write_text(json.dumps(_settings(model, pool), indent=1))
    draft.rename(folder)


def _is_trained(folder: Path, model: Model, pool: Pool) -> bool:
    if not folder.exists():
        return False
    file = folder / SETTINGS
    if not file.is_file() or json.loads(file.read_text()) != _settings(model, pool):
        raise UserError(
            f"{folder} must be of these settings, but was trained with others; remove it, or name another --out"
        )
    return True


def _settings(model: Model, pool: Pool) -> dict[str, Any]:
    from experiments.micropool.training import training_settings

    return training_settings(model, pool)


def parameters(model: Model, pool: Pool) -> int:
    """Return the number of a model's parameters: Llama with a tied embedding."""
    shape = pool.shapes[model.shape]
    block = 4 * shape.width**2 + 3 * shape.width * shape.feed_forward + 2 * shape.width
    return pool.vocabulary * shape.width + shape.layers * block + shape.width


def _work(model: Model, pool: Pool) -> float:
    """Return the cost of training, in a unit that is the same for all models: parameters times steps."""
    return parameters(model, pool) * pool.steps(model) / 1e3


def write_llms(pool: Pool, out: Path) -> Path:
    """Write ``llms.yaml`` for ``fusion collect``: names, folders, sizes, prices, descriptions and styles."""
    llms = []
    for model in pool.models:
        millions = parameters(model, pool) / 1e6
        price = round(millions * pool.price, 6)
        llms.append(
            {
                "name": model.name,
                "model": f"models/{model.name}",
                "size_b": round(millions / 1e3, 9),
                "input_price": price,
                "output_price": round(OUTPUT_FACTOR * price, 6),
                "description": model.description,
                "styles": list(PROMPTS),
            }
        )
    file = out / "llms.yaml"
    replace_file(file, yaml.safe_dump({"defaults": ENGINE, "llms": llms}, sort_keys=False, width=120).encode())
    return file


def write_tasks(pool: Pool, out: Path) -> list[Path]:
    """Write the evaluation questions as tasks of ``fusion collect``: per task a YAML file and its JSONL of examples."""
    files = []
    asked = [evaluation_questions(generator, pool.questions, pool.seed) for generator in GENERATORS]
    for generator, questions in zip(GENERATORS, asked, strict=True):
        rows = []
        for number, question in enumerate(questions):
            row: dict[str, Any] = {
                "id": f"{generator.name}-{number}",
                "question": question.item.question,
                "ground_truth": question.item.answer,
                "subtask": f"{question.topic} {question.level}",
            }
            rows.append(row | ({"choices": question.item.choices} if question.item.choices else {}))
        about = {
            "name": generator.name,
            "domain": generator.domain,
            "metric": generator.metric,
            "description": generator.description,
            "examples": f"{generator.name}.jsonl",
            "prompts": PROMPTS,
            "max_tokens": generator.max_tokens,
        }
        replace_file(out / f"{generator.name}.jsonl", "".join(f"{json.dumps(row)}\n" for row in rows).encode())
        files.append(out / f"{generator.name}.yaml")
        replace_file(files[-1], yaml.safe_dump(about, sort_keys=False, width=120).encode())
    return files
