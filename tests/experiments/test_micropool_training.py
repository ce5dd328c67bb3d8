import dataclasses
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest
import torch
import yaml
from transformers import AutoModelForCausalLM, AutoTokenizer

from experiments.micropool.__main__ import PROGRAM
from experiments.micropool.config import read_pool
from experiments.micropool.measure import report, shares, task_table
from experiments.micropool.pool import parameters, train_pool, write_tasks
from experiments.micropool.sampling import evaluation_questions
from experiments.micropool.tasks import find_generator
from experiments.micropool.tokenizer import train_tokenizer
from experiments.micropool.training import batches, encode, learning_rate, loss_of, new_state, pad, train
from fusion.llms import read_llms
from fusion.tasks import find_task, load_examples
from graphrouter.errors import UserError
from graphrouter.log import LLMLog

CPU = torch.device("cpu")
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def pool():
    return read_pool("tiny")


@pytest.fixture(scope="module")
def tokenizer(pool):
    return train_tokenizer(pool.vocabulary, pool.corpus, pool.seed)


@pytest.fixture(scope="module")
def trained(pool, tmp_path_factory):
    out = tmp_path_factory.mktemp("micropool")
    train_pool(pool, out, jobs=2, progress=False)
    return out


def test_text_comes_back_as_it_was_and_digits_and_capitals_stand_alone(tokenizer):
    for text in ("x = 3; naïve 日本 'ABC'\n\n12,000", "  two  spaces ", "Where is Brenvik?"):
        assert tokenizer.decode(tokenizer(text).input_ids) == text
    assert tokenizer.tokenize("12345") == list("12345")
    assert tokenizer.tokenize("'KATO'") == ["'", *"KATO", "'"]
    assert len(tokenizer.tokenize("Answer: ")) < len("Answer: ")
    assert len(tokenizer) == 400


def test_no_token_has_two_digits_or_two_capitals_in_a_row():
    tokens = [token for token in train_tokenizer(768, 20, 0).get_vocab() if token.isascii()]
    assert max(map(len, tokens)) > 6
    assert not [token for token in tokens if re.search(r"[0-9].*[0-9]|[A-Z][A-Z]", token)]


def test_the_tokenizer_is_the_same_every_time(pool, tokenizer):
    again = train_tokenizer(pool.vocabulary, pool.corpus, pool.seed)
    assert again.backend_tokenizer.to_str() == tokenizer.backend_tokenizer.to_str()


def test_the_chat_template_marks_roles_and_what_the_assistant_says(tokenizer):
    messages = [
        {"role": "system", "content": "s"},
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": "a"},
    ]
    text = tokenizer.apply_chat_template(messages, tokenize=False)
    assert text == "<|system|>s<|end|><|user|>q<|end|><|assistant|>a<|end|>"
    prompt = tokenizer.apply_chat_template(messages[:2], tokenize=False, add_generation_prompt=True)
    assert text.startswith(prompt)
    made = tokenizer.apply_chat_template(messages, return_dict=True, return_assistant_tokens_mask=True)
    marked = [token for token, mask in zip(made["input_ids"], made["assistant_masks"], strict=True) if mask]
    assert tokenizer.decode(marked) == "a<|end|>"


def test_loss_is_on_the_response_only_and_padding_changes_nothing(pool, tokenizer):
    llama = new_state(pool.models[0], pool, tokenizer, CPU).model
    rows = encode(
        [
            (({"role": "user", "content": text},), answer)
            for text, answer in (("a question", "42"), ("another, longer question with more words", "Answer: no"))
        ],
        tokenizer,
    )
    ids, labels = pad(rows, tokenizer)
    for row, (tokens, prompt) in enumerate(rows):
        said = [int(label) for label in labels[row] if label != -100]
        assert tokenizer.decode(said) == ("42<|end|>", "Answer: no<|end|>")[row]
        assert said == tokens[prompt:]
    alone = [loss_of(llama, *pad([row], tokenizer)) for row in rows]
    sizes = [len(tokens) - prompt for tokens, prompt in rows]
    mean = sum(loss * size for loss, size in zip(alone, sizes, strict=True)) / sum(sizes)
    assert loss_of(llama, ids, labels).item() == pytest.approx(mean.item(), abs=1e-5)
    ids, labels = pad(rows[:1], tokenizer)
    assert alone[0].item() == pytest.approx(llama(input_ids=ids, labels=labels).loss.item(), abs=1e-5)


def test_a_batch_does_not_depend_on_where_training_started(pool, tokenizer):
    model = pool.models[0]
    whole = list(batches(model, pool, tokenizer, 0))
    assert len(whole) == model.steps
    for start in (1, 7, 29):
        rest = list(batches(model, pool, tokenizer, start))
        assert len(rest) == model.steps - start
        assert torch.equal(rest[0][0], whole[start][0])
    assert all(ids.shape[0] == pool.batch for ids, _ in whole)


def test_little_is_padded_as_the_batches_of_a_chunk_are_sorted_by_length(pool, tokenizer):
    pool = dataclasses.replace(pool, chunk=30, batch=16)
    made = list(batches(pool.models[0], pool, tokenizer, 0))
    padded = sum(int((ids == tokenizer.pad_token_id).sum()) for ids, _ in made) / sum(ids.numel() for ids, _ in made)
    assert padded < 0.2


def test_the_learning_rate_rises_and_falls(pool):
    model = dataclasses.replace(pool.models[0], steps=100)
    rates = [learning_rate(model, pool, step) for step in range(100)]
    assert max(rates) == rates[4] == rates[5] == model.learning_rate
    assert rates[:5] == pytest.approx([model.learning_rate * share for share in (0.2, 0.4, 0.6, 0.8, 1)])
    assert rates[5:] == sorted(rates[5:], reverse=True)
    assert rates[-1] < 0.06 * model.learning_rate


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(pool, tokenizer, tmp_path):
    model = pool.models[1]
    runs = [train(model, pool, tokenizer, tmp_path / name, CPU) for name in ("a", "b")]
    other = train(model, dataclasses.replace(pool, seed=1), tokenizer, tmp_path / "c", CPU)
    assert runs[0].losses == runs[1].losses != other.losses
    for name, value in runs[0].model.state_dict().items():
        assert torch.equal(value, runs[1].model.state_dict()[name])


def test_training_lowers_the_loss(pool, tokenizer, tmp_path):
    model = dataclasses.replace(pool.models[0], steps=120, mixture={"ordering/numbers": 1.0}, levels=[1, 0, 0, 0])
    losses = train(model, pool, tokenizer, tmp_path / "a", CPU).losses
    assert sum(losses[-20:]) < 0.6 * sum(losses[:20])


def test_an_interrupted_training_goes_on_to_the_same_losses_and_weights(pool, tokenizer, tmp_path):
    model = pool.models[0]
    whole = train(model, pool, tokenizer, tmp_path / "whole", CPU)
    with pytest.raises(KeyboardInterrupt):
        train(model, pool, tokenizer, tmp_path / "cut", CPU, on_steps=lambda step: _stop_at(step, 20))
    steps = []
    resumed = train(model, pool, tokenizer, tmp_path / "cut", CPU, on_steps=steps.append)
    assert steps[0] == 20
    assert resumed.losses == whole.losses
    for name, value in resumed.model.state_dict().items():
        assert torch.equal(value, whole.model.state_dict()[name])


def _stop_at(step, last):
    if step == last:
        raise KeyboardInterrupt


def test_a_checkpoint_of_other_settings_or_a_damaged_one_is_refused(pool, tokenizer, tmp_path):
    model = dataclasses.replace(pool.models[1], steps=10)
    train(model, pool, tokenizer, tmp_path / "a", CPU)
    with pytest.raises(UserError, match="of other settings"):
        train(model, dataclasses.replace(pool, seed=3), tokenizer, tmp_path / "a", CPU)
    (tmp_path / "a").write_bytes(b"half a file")
    with pytest.raises(UserError, match="must be a checkpoint"):
        train(model, pool, tokenizer, tmp_path / "a", CPU)


def test_models_are_ordinary_hugging_face_folders(pool, trained):
    for model in pool.models:
        folder = trained / "models" / model.name
        llama = AutoModelForCausalLM.from_pretrained(folder).eval()
        tokenizer = AutoTokenizer.from_pretrained(folder)
        assert sum(value.numel() for value in llama.parameters()) == parameters(model, pool)
        prompt = tokenizer.apply_chat_template(
            [{"role": "user", "content": "What is 1 + 1?"}],
            add_generation_prompt=True,
            return_tensors="pt",
            return_dict=True,
        )
        made = llama.generate(**prompt, max_new_tokens=4)
        assert made.shape[1] > prompt["input_ids"].shape[1]
        assert llama.generation_config.eos_token_id == tokenizer.eos_token_id
        assert (trained / "training" / f"{model.name}.csv").read_text().count("\n") == model.steps + 1
        assert not (trained / "training" / f"{model.name}.pt").exists()


def test_a_finished_pool_is_not_trained_again_and_other_settings_are_refused(pool, trained):
    files = sorted(trained.glob("models/*/model.safetensors"))
    before = [file.stat().st_mtime_ns for file in files]
    train_pool(pool, trained, jobs=1, progress=False)
    assert [file.stat().st_mtime_ns for file in files] == before
    with pytest.raises(UserError, match="trained with others"):
        train_pool(dataclasses.replace(pool, seed=5), trained, jobs=1, progress=False)


def test_fusion_collect_reads_the_llms_and_the_tasks(pool, trained, tmp_path):
    llms = read_llms(trained / "llms.yaml")
    assert [llm.name for llm in llms] == [model.name for model in pool.models]
    assert all(Path(llm.model).is_dir() and llm.styles == ["direct", "reasoning"] for llm in llms)
    assert llms[0].input_price > llms[1].input_price > 0
    assert llms[0].output_price == pytest.approx(3 * llms[0].input_price)
    files = write_tasks(pool, tmp_path)
    assert len(files) == 14
    for file in files:
        task = find_task(str(file))
        examples = load_examples(task)
        assert len(examples) == pool.questions
    shown = {example.id: example for example in load_examples(find_task(str(tmp_path / "mixed_choice.yaml")))}
    for number, question in enumerate(evaluation_questions(find_generator("mixed_choice"), pool.questions, pool.seed)):
        example = shown[f"mixed_choice-{number}"]
        assert (example.question, example.ground_truth) == (question.item.text, question.item.answer)
        assert example.subtask == f"{question.topic} {question.level}"
    before = [file.read_bytes() for file in sorted(tmp_path.iterdir())]
    write_tasks(pool, tmp_path)
    assert [file.read_bytes() for file in sorted(tmp_path.iterdir())] == before


def test_the_shares_of_a_log_are_right_on_a_known_one(tmp_path, capsys):
    scores = {"a": [1, 1, 0, 0, 1, 0], "a_think": [0, 0, 0, 1, 1, 0], "b": [1, 0, 1, 0, 1, 0]}
    tokens = {"a": 2, "a_think": 9, "b": 3}
    records = [
        {"query_id": f"q{number}", "llm": name, "performance": score, "output_tokens": tokens[name]}
        for name, column in scores.items()
        for number, score in enumerate(column)
    ]
    queries = {"query_id": [f"q{number}" for number in range(6)], "task": [*"sstttt"], "query": [*"uvwxyz"]}
    log = LLMLog("known", pl.DataFrame(queries), pl.DataFrame({"llm": list(scores)}), pl.DataFrame(records))
    tasks, table = task_table(log)
    assert tasks == ["s", "t"]
    assert table.tolist() == [[1, 0.25], [0, 0.5], [0.5, 0.5]]
    assert shares(log) == pytest.approx(
        {
            "best_single": 3 / 6,
            "best_per_task": 4 / 6,
            "oracle": 5 / 6,
            "all_solved": 1 / 6,
            "none_solved": 1 / 6,
            "tied": 1 / 6,
            "reasoning_gain": -1 / 6,
            "reasoning_tokens": 7,
        }
    )
    lines = report(log).splitlines()
    assert lines[0] == "| LLM | s | t | mean | tokens |"
    assert lines[2] == "| a | **1.00** | 0.25 | 0.625 | 2.0 |"
    assert "| oracle | 0.833 |" in lines
    assert PROGRAM.main(["table", str(log.save(tmp_path / "log"))]) == 0
    assert capsys.readouterr().out.splitlines() == lines


@pytest.fixture(scope="module")
def made(trained, tmp_path_factory):
    """The whole run, on models that are trained already."""
    out = tmp_path_factory.mktemp("made") / "pool"
    shutil.copytree(trained, out)
    assert PROGRAM.main(["make", "--pool", "tiny", "--out", str(out), "--quiet", "--device", "cpu", "questions=6"]) == 0
    return out


def test_one_command_makes_the_log_of_all_questions_and_candidates(made):
    log = LLMLog.load(made / "log")
    assert log.llm_names == ("one-small", "one-small_think", "two-tiny", "two-tiny_think")
    assert (log.queries.height, len(log.tasks), log.records.height) == (84, 14, 336)
    assert log.has_responses


def test_the_packed_log_is_the_same_from_every_run_and_has_a_card(made, tmp_path):
    again = tmp_path / "again"
    shutil.copytree(made, again)
    shutil.rmtree(again / "log")
    words = ["make", "--pool", "tiny", "--out", str(again), "--quiet", "--device", "cpu", "questions=6"]
    assert PROGRAM.main(words) == 0
    for source, out in ((made, "first"), (again, "second")):
        assert PROGRAM.main(["pack", str(source / "log"), "--out", str(tmp_path / out)]) == 0
    files = sorted(file.name for file in (tmp_path / "first").iterdir())
    assert files == ["README.md", "llms.parquet", "log.json", "queries.parquet", "records.parquet", "responses.parquet"]
    for file in files:
        assert (tmp_path / "first" / file).read_bytes() == (tmp_path / "second" / file).read_bytes(), file
    packed = LLMLog.load(tmp_path / "first")
    assert (packed.name, packed.encoder) == ("micropool", "tfidf")
    assert "latency_s" not in packed.records.columns
    card = (tmp_path / "first" / "README.md").read_text()
    assert "84 queries, 4 candidates, 336 records" in card
    assert "| math | arithmetic, equations |" in card
    assert PROGRAM.main(["pack", str(made / "log"), "--out", str(tmp_path / "first")]) == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["pack", "{out}", "--out", "{out}2"], "must be a log that was collected here"),
        (["make", "--out", "{file}", "--pool", "tiny"], "must go to a folder that can be written"),
        (["train", "--out", "{out}", "--pool", "tinny"], "did you mean 'tiny'"),
        (["train", "--out", "{out}", "--pool", "tiny", "--jobs", "0"], "--jobs must be 1 or more"),
        (["train", "--out", "{out}", "--pool", "tiny", "--device", "tpu"], "device must be auto, cpu or cuda"),
        (["train", "--out", "{file}", "--pool", "tiny"], "must go to a folder that can be written"),
        (["train", "--out", "{out}", "--pool", "tiny", "sed=1"], "unknown key 'sed'"),
        (["train", "--pool", "tiny"], "required: --out"),
        (["train", "--out", "{out}", "--job", "2"], "no option --job; did you mean '--jobs'"),
        (["table", "{out}"], "a log must be a folder"),
        (["tasks", "--out", "{out}", "--pool", "tiny", "questions=600"], "no 600 different questions"),
    ],
)
def test_wrong_input_is_one_line_and_exit_status_2(words, message, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    words = [word.format(out=tmp_path / "out", file=tmp_path / "file") for word in words]
    assert PROGRAM.main(words) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_ctrl_c_ends_training_and_keeps_a_checkpoint(tmp_path):
    command = [sys.executable, "-m", "experiments.micropool", "train", "--pool", "tiny", "--out", str(tmp_path / "out")]
    long = [*command, "--jobs", "1", "--device", "cpu", "scale=40", "save_every=5"]
    running = subprocess.Popen(long, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    checkpoint = tmp_path / "out" / "training" / "one-small.pt"
    end = time.monotonic() + 60
    while not checkpoint.exists() and time.monotonic() < end:
        time.sleep(0.1)
    os.kill(running.pid, signal.SIGINT)
    _, error = running.communicate(timeout=60)
    assert running.returncode == 130, error
    assert "interrupted; what is finished is kept" in error
    assert len(torch.load(checkpoint, weights_only=True)["losses"]) >= 5
    assert not (tmp_path / "out" / "models").exists()


def test_descriptions_and_prices_of_the_real_pool_are_complete():
    pool = read_pool("pool")
    sizes = {model.name: parameters(model, pool) for model in pool.models}
    assert all(model.description.endswith(".") for model in pool.models)
    for name, size in sizes.items():
        assert f"{size / 1e6:.1f}m" == name.rpartition("-")[2]
    assert yaml.safe_load((ROOT / "configs" / "micropool" / "pool.yaml").read_text())["models"][0]["name"] in sizes
    smallest = sorted(sizes.values())[:2]
    assert sum(smallest) * 4 < 1.2e6
