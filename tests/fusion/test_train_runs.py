"""Fine-tuning for real, on tiny random models: what is learnt, what is saved, and what a kill leaves behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
from tiny_models import save_tiny
from torch.nn.functional import cross_entropy
from training_rows import CHAT, row, said
from transformers import AutoModelForCausalLM, AutoTokenizer

from fusion.cli import main
from fusion.engines.base import Completion, Request, Sampling
from fusion.engines.hf import TransformersEngine
from fusion.training import make_config, train
from fusion.training.encoding import encode
from graphrouter.errors import UserError
from graphrouter.run import RunOptions

FACTS = {f"what is {number} plus 30?": f"the answer is {number + 30}" for number in (12, 7, 41, 25)}
CPU = RunOptions(device="cpu")
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    small = {"num_hidden_layers": 2, "hidden_size": 64, "intermediate_size": 128}
    return save_tiny(tmp_path_factory.mktemp("base"), CHAT, **small)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    rows = [{"prompt": [said("user", q)], "completion": [said("assistant", a)]} for q, a in FACTS.items()]
    pairs = [
        {"prompt": [said("user", q)], "chosen": [said("assistant", a)], "rejected": [said("assistant", "dog")]}
        for q, a in FACTS.items()
    ]
    (folder / "sft.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows))
    (folder / "preferences.jsonl").write_text("".join(json.dumps(one) + "\n" for one in pairs))
    return folder


@pytest.fixture
def tuned(base: Path, data: Path, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    def run(out: str = "out", **values: Any) -> dict[str, Any]:
        settings = {"model": str(base), "data": str(data), "learning_rate": 3e-3, "batch_size": 4, "warmup": 0.0}
        return train(make_config({**settings, **values}), tmp_path / out, CPU)

    return run


def losses(folder: Path) -> pl.DataFrame:
    return pl.read_csv(folder / "losses.csv").drop("seconds")


def ask(folder: Path, questions: list[str]) -> dict[str, str]:
    requests = [Request(text, ({"role": "user", "content": text},), Sampling(max_tokens=40)) for text in questions]
    with TransformersEngine(str(folder), device="cpu") as engine:
        answers = list(engine.generate(requests))
    assert all(isinstance(answer, Completion) and answer.finish_reason == "stop" for answer in answers), answers
    return {answer.key: answer.text for answer in answers}


def by_hand(folder: Path) -> tuple[float, int, float]:
    """The mean loss over the tokens of the completions, how many these are, and the mean over all tokens."""
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    answers, everything = [], []
    for question, answer in FACTS.items():
        prompt = f"<s>user:\n{question}</s><s>assistant:\n"
        ids = torch.tensor([tokenizer(prompt + answer + "</s>", add_special_tokens=False)["input_ids"]])
        before = len(tokenizer(prompt, add_special_tokens=False)["input_ids"])
        with torch.no_grad():
            each = cross_entropy(model(ids).logits[0, :-1], ids[0, 1:], reduction="none")
        answers.append(each[before - 1 :])
        everything.append(each)
    return torch.cat(answers).mean().item(), len(torch.cat(answers)), torch.cat(everything).mean().item()


def test_sft_memorises_a_handful_of_rows_and_any_engine_can_load_it(tuned: Any, tmp_path: Path) -> None:
    about = tuned(epochs=60, save_steps=1000)
    table = losses(tmp_path / "out")
    assert table["loss"][-1] < 0.05 < 2 < table["loss"][0]
    assert table["step"].to_list() == list(range(1, 61))
    assert ask(tmp_path / "out", list(FACTS)) == FACTS
    assert json.loads((tmp_path / "out" / "training.json").read_text()) == about
    assert about["completion_tokens"] == table["completion_tokens"][-1] == 60 * table["completion_tokens"][0]
    assert about["stages"]["sft"]["rows"] == 4
    assert about["minutes"] > 0
    assert about["peak_memory"]["mib"] > 100
    assert not (tmp_path / "out" / "checkpoints").exists()


def test_the_loss_is_that_of_the_completions_alone_packed_or_not(base: Path, tuned: Any) -> None:
    answers, tokens, everything = by_hand(base)
    assert abs(answers - everything) > 0.01
    for name, how in {"padded": {}, "accumulated": {"device_batch_size": 2}, "packed": {"packing": True}}.items():
        about = tuned(name, max_steps=1, **how)
        assert about["stages"]["sft"]["first_loss"] == pytest.approx(answers, abs=2e-4), name
        assert about["completion_tokens"] == tokens, name


def test_packing_is_refused_where_rows_would_see_each_other(base: Path) -> None:
    from fusion.training.loading import Start
    from fusion.training.trainers import check_packing

    class Blind(torch.nn.Module):
        """A model that does not look at positions, as a recurrent one."""

        def __init__(self, inner: Any) -> None:
            super().__init__()
            self.inner, self.dtype = inner, inner.dtype

        def forward(self, ids: torch.Tensor, position_ids: torch.Tensor | None = None, **kwargs: Any) -> Any:
            return self.inner(ids, **kwargs)

    model, tokenizer = AutoModelForCausalLM.from_pretrained(base), AutoTokenizer.from_pretrained(base)
    rows = encode([row("a dog", "b"), row("the fox", "jumps")], tokenizer, None, "sft")
    check_packing(Start(model, tokenizer, 256, torch.float32), rows)
    with pytest.raises(UserError, match="keeps the rows of a sequence apart, but here logits differ"):
        check_packing(Start(Blind(model), tokenizer, 256, torch.float32), rows)
    with pytest.raises(UserError, match="the model has no limit; set max_length"):
        check_packing(Start(model, tokenizer, None, torch.float32), rows)


def test_dpo_moves_the_margin_from_nothing(tuned: Any, tmp_path: Path) -> None:
    about = tuned(method="dpo", dpo={"learning_rate": 1e-3, "max_steps": 6})
    stage = about["stages"]["dpo"]
    assert stage["first_margin"] == pytest.approx(0, abs=1e-5)
    assert stage["first_loss"] == pytest.approx(0.6931, abs=1e-3)
    assert stage["last_margin"] > 0.5
    assert stage["last_loss"] < 0.5
    assert set(losses(tmp_path / "out")["stage"]) == {"dpo"}


@pytest.mark.filterwarnings("ignore:.*gradient_checkpointing")
def test_adapters_are_merged_and_kept_through_both_stages(base: Path, tuned: Any, tmp_path: Path) -> None:
    from peft import PeftModel

    about = tuned(
        method="sft+dpo", tuning="lora", max_steps=3, lora={"rank": 4}, dpo={"learning_rate": 1e-3, "max_steps": 2}
    )
    out = tmp_path / "out"
    assert [stage["steps"] for stage in about["stages"].values()] == [3, 2]
    assert losses(out)["stage"].to_list() == ["sft"] * 3 + ["dpo"] * 2
    assert about["stages"]["dpo"]["first_margin"] == pytest.approx(0, abs=1e-5)  # it starts where SFT ended
    ids = torch.arange(2, 20).reshape(1, -1)
    model: Any = AutoModelForCausalLM.from_pretrained(base)
    before = model(ids).logits
    for stage in ("sft", "dpo"):
        model = PeftModel.from_pretrained(model, out / f"adapter_{stage}").merge_and_unload()
    merged = AutoModelForCausalLM.from_pretrained(out)
    assert torch.allclose(model(ids).logits, merged(ids).logits, atol=1e-4)
    assert not torch.allclose(before, merged(ids).logits, atol=1e-2)
    assert sum(weight.numel() for weight in merged.parameters()) == sum(w.numel() for w in model.parameters())
    with TransformersEngine(str(out), device="cpu") as engine:
        (answer,) = engine.generate([Request("a", ({"role": "user", "content": "a"},), Sampling(max_tokens=4))])
    assert isinstance(answer, Completion)


def test_the_best_by_validation_is_what_is_saved(tuned: Any, tmp_path: Path) -> None:
    held = tmp_path / "held.jsonl"
    wrong = dict.fromkeys(FACTS, "the lazy dog")
    lines = [{"prompt": [said("user", q)], "completion": [said("assistant", a)]} for q, a in wrong.items()]
    held.write_text("".join(json.dumps(line) + "\n" for line in lines))
    about = tuned(epochs=40, save_steps=2, patience=2, validation=str(held))
    table = losses(tmp_path / "out").drop_nulls("validation_loss")
    seen = table["validation_loss"].to_list()
    assert about["stages"]["sft"]["steps"] == table["step"][-1] < 40
    assert len(seen) - 1 - seen.index(min(seen)) == 2
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
    rows = encode([row(q, a) for q, a in wrong.items()], tokenizer, None, "sft")
    each = []
    for ids, prompt in zip(rows.completions, rows.prompts, strict=True):
        with torch.no_grad():
            logits = model(torch.tensor([ids])).logits[0]
        each.append(cross_entropy(logits[prompt - 1 : -1], torch.tensor(ids[prompt:]), reduction="none"))
    assert torch.cat(each).mean().item() == pytest.approx(min(seen), abs=1e-3)
    assert about["stages"]["sft"]["best_validation_loss"] == min(seen)


def test_a_killed_run_goes_on_to_the_same_losses_and_weights(
    base: Path, data: Path, tuned: Any, tmp_path: Path
) -> None:
    settings = {
        "max_steps": 40,
        "save_steps": 3,
        "batch_size": 2,
        "lora": {"dropout": 0.3, "rank": 4},
        "tuning": "lora",
    }
    tuned("whole", **settings)
    config = tmp_path / "run.yaml"
    lines = {"model": str(base), "data": str(data), "learning_rate": 3e-3, "warmup": 0.0, **settings}
    config.write_text(json.dumps(lines))
    words = [sys.executable, "-m", "fusion", "train", str(config), "--out", str(tmp_path / "cut"), "--quiet"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([*words, "--device", "cpu"], cwd=tmp_path, env=environment, stderr=subprocess.PIPE)
    until = time.monotonic() + 240
    while not (tmp_path / "cut" / "checkpoints" / "sft" / "checkpoint-9" / "whole").exists():
        assert process.poll() is None, process.stderr.read().decode()
        assert time.monotonic() < until
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stderr.close()
    assert not (tmp_path / "cut" / "training.json").exists()
    torn = tmp_path / "cut" / "checkpoints" / "sft" / "checkpoint-39"
    torn.mkdir()  # what a kill while writing leaves
    tuned("cut", **settings)
    assert losses(tmp_path / "cut").equals(losses(tmp_path / "whole"))
    whole, cut = (AutoModelForCausalLM.from_pretrained(tmp_path / name).state_dict() for name in ("whole", "cut"))
    assert all(torch.equal(whole[key], cut[key]) for key in whole)


@pytest.mark.parametrize("how", [{}, {"group_by_length": True}, {"packing": True, "max_length": 48}])
def test_ctrl_c_keeps_a_checkpoint_of_the_last_step(
    how: dict[str, Any], tuned: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fusion.training.callbacks import Bar

    before = Bar.on_step_end

    def press(self: Any, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        before(self, args, state, control, **kwargs)
        if state.global_step == 3:
            signal.raise_signal(signal.SIGINT)

    settings = {"max_steps": 6, "save_steps": 1000, "batch_size": 2, **how}  # an epoch has two steps: cut within one
    tuned("whole", **settings)
    with monkeypatch.context() as patch:
        patch.setattr(Bar, "on_step_end", press)
        with pytest.raises(KeyboardInterrupt):
            tuned("cut", **settings)
    assert [folder.name for folder in (tmp_path / "cut" / "checkpoints" / "sft").glob("*-*")] == ["checkpoint-3"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    with pytest.raises(UserError, match=r"settings.json must come from the same settings, but learning_rate differ"):
        tuned("cut", **settings, learning_rate=1e-3)
    taken: list[int] = []
    with monkeypatch.context() as patch:
        patch.setattr(Bar, "on_log", lambda self, args, state, control, **_: taken.append(state.global_step))
        tuned("cut", **{**settings, "save_steps": 5, "device_batch_size": 2})
    assert sorted(set(taken)) == [4, 5, 6]
    assert losses(tmp_path / "cut").equals(losses(tmp_path / "whole"))


def test_a_run_that_has_ended_is_not_run_again_and_its_folder_not_taken(tuned: Any, tmp_path: Path) -> None:
    (tmp_path / "out" / "checkpoints" / "sft").mkdir(parents=True)  # what a kill before the first step leaves
    about = tuned(max_steps=1)
    (tmp_path / "out" / "checkpoints" / "sft").mkdir(parents=True)  # and one at the very end
    stamp = (tmp_path / "out" / "model.safetensors").stat().st_mtime_ns
    assert tuned(max_steps=1) == about
    assert not (tmp_path / "out" / "checkpoints").exists()
    assert (tmp_path / "out" / "model.safetensors").stat().st_mtime_ns == stamp
    with pytest.raises(UserError, match=r"training.json must come from the same settings, but seed differ"):
        tuned(max_steps=1, seed=1)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").touch()
    with pytest.raises(UserError, match="mine must be new or hold this run, but holds other files"):
        tuned("mine", max_steps=1)


def test_a_loss_that_is_no_number_ends_the_run(tuned: Any) -> None:
    with pytest.raises(UserError, match="the loss must stay a number, but is nan at step .*; lower learning_rate"):
        tuned(learning_rate=1e30, max_steps=4, max_grad_norm=1e9)


def test_bf16_trains_and_saves_in_the_precision_of_the_base(tuned: Any, tmp_path: Path) -> None:
    about = tuned(precision="bf16", max_steps=5, tuning="lora")
    assert about["stages"]["sft"]["last_loss"] < about["stages"]["sft"]["first_loss"]
    assert AutoModelForCausalLM.from_pretrained(tmp_path / "out").dtype == torch.float32


def test_a_batch_that_cannot_be_divided_is_refused(tuned: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="device_batch_size must divide the 4 rows of a device, but is 3"):
        tuned(device_batch_size=3)
    monkeypatch.setenv("WORLD_SIZE", "3")
    with pytest.raises(UserError, match="batch_size must be a multiple of the 3 processes, but is 4"):
        tuned("other")


def said_by(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    capsys.readouterr()
    assert main(["train", *words, "--quiet", "--device", "cpu"]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1, told
    return told


def test_the_command_trains_reports_and_refuses_in_one_line(
    base: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ["--out", str(tmp_path / "out"), f"data={data}"]
    assert "model must be a folder or a hub name" in said_by(capsys, "sft", *out, f"model={tmp_path / 'none'}")
    assert "did you mean 'learning_rate'" in said_by(capsys, "sft", *out, f"model={base}", "learning_rat=1")
    assert "did you mean 'sft'" in said_by(capsys, "sfd", *out, f"model={base}")
    assert "max_length must be at most the context" in said_by(capsys, "sft", *out, f"model={base}", "max_length=9999")
    plain = tmp_path / "plain"
    shutil.copytree(base, plain)
    (plain / "chat_template.jinja").unlink()
    assert "must have a chat template, but has none" in said_by(capsys, "sft", *out, f"model={plain}")
    assert not (tmp_path / "out").exists()
    (tmp_path / "chat.jinja").write_text(CHAT)
    long = tmp_path / "long.jsonl"
    more = [
        {"messages": [said("user", "dog " * 300), said("assistant", "yes")]},
        {"messages": [said("user", "a dog"), said("assistant", "no")], "label": False},
        {"messages": [said("user", "a fox") | {"name": "ann"}, said("assistant", "yes \ud83d")]},
    ]
    long.write_text((data / "sft.jsonl").read_text() + "".join(json.dumps(one) + "\n" for one in more))
    words = ["sft", "--out", str(tmp_path / "out"), f"model={plain}", f"data={long}", "max_steps=1"]
    assert main(["train", *words, "--chat-template", str(tmp_path / "chat.jinja"), "--device", "cpu"]) == 0
    told = capsys.readouterr().err
    assert "sft: 5 rows" in told
    assert "sft: left out 1 rows that are longer than the context allows" in told
    assert "sft: left out 1 rows labelled as bad" in told
    assert "sft: keys of messages that the chat template is not given: name (1 rows)" in told
    assert "1/1" in told
    assert (tmp_path / "out" / "chat_template.jinja").read_text() == CHAT
