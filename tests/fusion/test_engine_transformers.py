"""The transformers engine on tiny random models: as `generate` does, and as if each request were alone."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from tiny_models import TEMPLATE, save_tiny, tiny_tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer, BertConfig, BertForMaskedLM, LlamaConfig

from fusion.engines.base import Answer, Completion, Failure, Request, Sampling
from fusion.engines.hf import TransformersEngine
from fusion.engines.hf_decode import DecodedRow, Decoder, choose, cut
from fusion.engines.questions import cut_at_question
from graphrouter.errors import UserError

WORDS = ["the", "quick", "brown", "fox", "jumps", "over", "lazy", "dog", "what", "is", "12", "plus", "?", "answer", "é"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny(tmp_path_factory.mktemp("llama"))


@pytest.fixture(scope="module")
def engine(folder: Path) -> TransformersEngine:
    return TransformersEngine(str(folder), batch_size=16, device="cpu")


def ask(key: str, text: str, **sampling: Any) -> Request:
    return Request(key, ({"role": "user", "content": text},), Sampling(**{"max_tokens": 12, **sampling}))


def prompts(count: int, seed: int = 0) -> list[str]:
    draw = random.Random(seed)
    return [" ".join(draw.choices(WORDS, k=draw.randint(1, 40))) for _ in range(count)]


MIXED = [
    ask(
        f"{i}",
        text,
        max_tokens=4 + i % 17,
        temperature=(0.0, 1.0, 0.7)[i % 3],
        top_p=(1.0, 0.8)[i % 2],
        seed=i % 5,
        stop=(" ", "e")[: i % 3],
    )
    for i, text in enumerate(prompts(48))
]
"""Greedy and sampled, of several lengths, with and without stop texts and nucleus."""


def by_key(answers: Iterator[Answer]) -> dict[str, tuple[Any, ...]]:
    """Return what must not depend on the batch."""
    found = list(answers)
    assert len({answer.key for answer in found}) == len(found)
    assert all(isinstance(answer, Completion) for answer in found)
    return {a.key: (a.text, a.input_tokens, a.output_tokens, a.finish_reason) for a in found}  # type: ignore[union-attr]


def generate(folder: Path, texts: list[str], max_tokens: int, template: bool = False) -> list[tuple[str, int, int]]:
    """Ask transformers itself, one prompt at a time: text, prompt tokens and response tokens."""
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder)
    found = []
    for text in texts:
        if template:
            text = tokenizer.apply_chat_template(
                [{"role": "user", "content": text}], tokenize=False, add_generation_prompt=True
            )
        ids = tokenizer(text, return_tensors="pt", add_special_tokens=not template)["input_ids"]
        out = model.generate(
            ids, max_new_tokens=max_tokens, do_sample=False, pad_token_id=1, attention_mask=ids * 0 + 1
        )
        out = out[0, ids.shape[1] :].tolist()
        found.append((tokenizer.decode(out, skip_special_tokens=True), ids.shape[1], len(out)))
    return found


def test_greedy_is_what_generate_does(engine: TransformersEngine, folder: Path) -> None:
    texts = prompts(24)
    found = by_key(engine.generate(ask(str(i), text, max_tokens=24) for i, text in enumerate(texts)))
    assert [found[str(i)][:3] for i in range(24)] == generate(folder, texts, 24)
    assert len({text for text, *_ in found.values()}) > 20, "the random model must not say the same to every prompt"


def test_a_long_response_is_what_generate_says(engine: TransformersEngine, folder: Path) -> None:
    texts = prompts(3)
    found = by_key(engine.generate(ask(str(i), text, max_tokens=150 - 20 * i) for i, text in enumerate(texts)))
    for i, text in enumerate(texts):
        assert [found[str(i)][:3]] == generate(folder, [text], 150 - 20 * i)


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("Mistral", {"sliding_window": 8}),
        ("Gemma2", {"sliding_window": 8, "head_dim": 32}),
        ("GPT2", {}),
        ("GPTNeoX", {}),
        ("Llama", {"ascii_only": False}),
    ],
)
def test_other_architectures_decode_as_generate_does(kind: str, changes: dict[str, Any], tmp_path: Path) -> None:
    save_tiny(tmp_path, kind=kind, **changes)
    texts = prompts(10)
    found = by_key(TransformersEngine(str(tmp_path)).generate(ask(str(i), text) for i, text in enumerate(texts)))
    assert [found[str(i)][:3] for i in range(10)] == generate(tmp_path, texts, 12)


def test_a_batch_equals_single_requests_in_any_order(engine: TransformersEngine, folder: Path) -> None:
    batch = by_key(engine.generate(MIXED))
    single = by_key(TransformersEngine(str(folder), batch_size=1, device="cpu").generate(MIXED))
    assert batch == single == by_key(engine.generate(reversed(MIXED)))
    assert {reason for *_, reason in batch.values()} == {"stop", "length"}


def test_answers_are_the_same_in_a_new_process(engine: TransformersEngine, folder: Path) -> None:
    code = (
        "import json, sys; from test_engine_transformers import MIXED, by_key; from fusion.engines import find_engine\n"
        "json.dump(by_key(find_engine('transformers')(sys.argv[1], device='cpu').generate(MIXED)), sys.stdout)"
    )
    paths = [str(Path(__file__).parent), str(Path(__file__).parents[2])]
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {paths}\n{code}", str(folder)],
        capture_output=True,
        check=True,
    )
    assert json.loads(done.stdout) == {key: list(value) for key, value in by_key(engine.generate(MIXED)).items()}


def test_sampling_differs_by_seed_and_by_key_but_not_from_run_to_run(engine: TransformersEngine) -> None:
    requests = [
        ask(f"{draw}", "what is", temperature=1.0, seed=seed, max_tokens=8) for draw, seed in enumerate((0, 0, 1))
    ]
    first = by_key(engine.generate(requests))
    assert first == by_key(engine.generate(requests))
    assert len(set(first.values())) == 3
    other = by_key(engine.generate([ask("0", "what is", temperature=1.0, seed=1, max_tokens=8)]))
    assert other["0"] != first["0"]


def test_tokens_are_drawn_with_the_probabilities_of_the_model() -> None:
    logits = torch.tensor([0.0, 1.0, 2.0, -1.0]).repeat(4000, 1)
    rows = [DecodedRow(ask(str(i), "a", temperature=2.0), [1]) for i in range(4000)]
    shares = torch.bincount(choose(logits, rows), minlength=4) / 4000
    assert (shares - (logits[0] / 2).softmax(0)).abs().max() < 0.03
    rows = [DecodedRow(ask(str(i), "a", temperature=1.0, top_p=0.6), [1]) for i in range(4000)]
    assert set(choose(logits, rows).tolist()) == {2}  # 0.64 of the mass
    rows = [DecodedRow(ask(str(i), "a", temperature=1.0, top_p=0.7), [1]) for i in range(4000)]
    shares = torch.bincount(choose(logits, rows), minlength=4) / 4000
    assert (shares - torch.tensor([0, 1 / (1 + torch.e), torch.e / (1 + torch.e), 0])).abs().max() < 0.03


def test_a_stop_text_ends_the_response_and_is_cut_off_but_counted(engine: TransformersEngine, folder: Path) -> None:
    [(whole, _, _)] = generate(folder, ["what is 12 plus 30?"], 24)
    stop = whole[9:12]
    found = by_key(engine.generate([ask("a", "what is 12 plus 30?", max_tokens=24, stop=("never", stop))]))
    text, _, tokens, reason = found["a"]
    assert text == whole[: whole.index(stop)]
    assert reason == "stop"
    assert len(text) / 8 < tokens < 24  # the longest token has 6 letters


def test_a_stop_text_over_many_tokens_is_found(engine: TransformersEngine, folder: Path) -> None:
    [(whole, _, _)] = generate(folder, ["the lazy dog"], 24)
    found = by_key(engine.generate([ask("a", "the lazy dog", max_tokens=24, stop=(whole[3:20],))]))
    assert found["a"][0] == whole[:3]


@pytest.mark.parametrize("stop", ["abcdefgh", "é€x", "h"])
def test_a_stop_text_is_found_where_each_token_is_one_byte(stop: str) -> None:
    decoder = Decoder(
        SimpleNamespace(forward=lambda: None), frozenset(), lambda ids: bytes(ids).decode("utf-8", "replace")
    )
    ids = list(f"the fox {stop}".encode())
    assert decoder._stopped(DecodedRow(ask("a", "", stop=("never", stop)), [], ids=ids))
    assert not decoder._stopped(DecodedRow(ask("a", "", stop=("never", stop + "!")), [], ids=[*ids[:-1], 0]))
    assert decoder._stopped(DecodedRow(ask("a", ""), [], ("never", stop), ids))
    assert not decoder._stopped(DecodedRow(ask("a", ""), [], ("the", "never"), ids)), "nothing was answered before it"


def test_cut_takes_the_first_stop_text() -> None:
    assert cut("a\nb\nc", ("c", "\n")) == "a"
    assert cut("abc", ()) == cut("abc", ("x",)) == "abc"


MARKS = ("\nQuestion:", "\nQ:")


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("18\n\nQuestion: What?\nAnswer: 100", "18\n"),
        ("18\nQ: What?\nQuestion: Why?", "18"),
        ("\nQuestion: What?\nAnswer: 18\nQuestion: Why?", "\nQuestion: What?\nAnswer: 18"),
        (" \n\nQuestion: What?", " \n\nQuestion: What?"),
        ("The Question: is it 18?", "The Question: is it 18?"),
        ("", ""),
    ],
)
def test_an_answer_ends_at_the_next_question_but_not_before_it_has_begun(text: str, kept: str) -> None:
    assert cut_at_question(text, MARKS) == kept
    assert cut_at_question(text, ()) == text


def test_a_model_without_a_template_ends_at_its_next_question(folder: Path, tmp_path: Path) -> None:
    def answer(folder: Path, questions: tuple[str, ...], **options: Any) -> Completion:
        made = TransformersEngine(str(folder), device="cpu", **options)
        made.questions = questions
        [found] = made.generate([ask("a", "what is 12 plus 30?", max_tokens=24)])
        assert isinstance(found, Completion)
        return found

    whole = answer(folder, ())
    mark = whole.text[8:11]
    ended = answer(folder, ("never", mark, whole.text[:3]))
    assert ended.text == whole.text[: whole.text.index(mark, 1)]
    assert ended.finish_reason == "stop"
    assert ended.output_tokens < whole.output_tokens  # type: ignore[operator]
    assert (ended.cut_at_question, whole.cut_at_question) == (True, False)
    kept = answer(folder, (mark,), stop_at_question=False)
    assert (kept.text, kept.cut_at_question) == (whole.text, False)
    chat = save_tiny(tmp_path, TEMPLATE)
    bare = answer(chat, ())
    assert answer(chat, (bare.text[8:11],)) == replace(bare, latency_s=pytest.approx(bare.latency_s, abs=60))


def test_an_end_token_ends_the_response_and_counts(folder: Path, tmp_path: Path) -> None:
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    ids = tokenizer("the fox", return_tensors="pt")["input_ids"]
    out = model.generate(ids, max_new_tokens=12, do_sample=False, pad_token_id=1)[0, ids.shape[1] :].tolist()
    last = max(place for place, token in enumerate(out) if token not in out[:place])
    assert last > 1
    model.generation_config.eos_token_id = [out[last], 150]
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    answer = next(TransformersEngine(str(tmp_path)).generate([ask("a", "the fox", max_tokens=20)]))
    assert isinstance(answer, Completion)
    assert (answer.output_tokens, answer.finish_reason) == (last + 1, "stop")
    assert tokenizer.decode(out).startswith(answer.text)


def test_the_chat_template_is_used_where_there_is_one(tmp_path: Path) -> None:
    save_tiny(tmp_path, TEMPLATE)
    texts = prompts(5)
    made = TransformersEngine(str(tmp_path))
    found = by_key(made.generate(ask(str(i), text) for i, text in enumerate(texts)))
    assert [found[str(i)][:3] for i in range(5)] == generate(tmp_path, texts, 12, template=True)
    other = by_key(TransformersEngine(str(tmp_path), template={"mood": "!"}).generate([ask("0", texts[0])]))
    assert other["0"][1] == found["0"][1] + 1
    refused, fine = made.generate([Request("a", ({"role": "system", "content": "b"},)), ask("0", texts[0])])
    assert refused == Failure("a", "the prompt cannot be written: no system role")
    assert isinstance(fine, Completion)


def test_messages_are_joined_by_line_ends_without_a_template(engine: TransformersEngine) -> None:
    two = Request("a", ({"role": "system", "content": "the"}, {"role": "user", "content": "fox"}), Sampling(6))
    assert by_key(engine.generate([two])) == by_key(engine.generate([ask("a", "the\nfox", max_tokens=6)]))


def test_what_cannot_be_answered_is_a_failure_and_the_rest_goes_on(engine: TransformersEngine) -> None:
    tokens = len(tiny_tokenizer()("fox " * 100)["input_ids"])
    requests = [
        ask("long", "fox " * 100, max_tokens=200),
        ask("empty", ""),
        ask("none", "a", max_tokens=0),
        ask("ok", "a"),
    ]
    found = {answer.key: answer for answer in engine.generate(requests)}
    text = f"the context must hold {tokens} prompt tokens and 200 more (max_tokens), but holds 256"
    assert found["long"] == Failure("long", text)
    assert found["empty"] == Failure("empty", "the prompt has no tokens")
    assert found["none"] == Failure("none", "max_tokens must be 1 or more, but is 0")
    assert isinstance(found["ok"], Completion)
    fits = by_key(engine.generate([ask("edge", "fox " * 100, max_tokens=256 - tokens)]))
    assert fits["edge"][3] == "length" or fits["edge"][2] < 256 - tokens


def test_requests_are_drawn_in_windows(folder: Path) -> None:
    drawn = 0

    def requests() -> Iterator[Request]:
        nonlocal drawn
        for i in range(100):
            drawn += 1
            yield ask(str(i), "a", max_tokens=2)

    for handed_out, _ in enumerate(TransformersEngine(str(folder), batch_size=2).generate(requests())):
        assert drawn == min(16 * (handed_out // 16 + 1), 100)


def test_out_of_memory_halves_the_batch(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = TransformersEngine(str(folder), batch_size=16, device="cpu")
    expected = by_key(made.generate(MIXED))
    model, sizes = made._load().model, []
    forward = type(model).forward

    def limited(
        self: Any, input_ids: Any = None, position_ids: Any = None, logits_to_keep: int = 0, **more: Any
    ) -> Any:
        sizes.append(len(input_ids))
        if len(input_ids) > 5 or (len(input_ids) > 3 and input_ids.shape[1] == 1):
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(self, input_ids=input_ids, position_ids=position_ids, logits_to_keep=logits_to_keep, **more)

    monkeypatch.setattr(type(model), "forward", limited)
    assert by_key(made.generate(MIXED)) == expected
    assert made.batch_size == 2
    assert sizes.count(16) == 1


def test_a_request_too_large_for_the_memory_fails_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = TransformersEngine(str(folder), batch_size=4, device="cpu")
    model = made._load().model
    forward = type(model).forward

    def limited(self: Any, input_ids: Any = None, **more: Any) -> Any:
        if input_ids.shape[1] > 20:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes")
        return forward(self, input_ids=input_ids, **more)

    monkeypatch.setattr(type(model), "forward", limited)
    found = {a.key: a for a in made.generate([ask("big", "0 " * 60), ask("small", "fox"), ask("small too", "the fox")])}
    assert "out of memory with" in found["big"].reason  # type: ignore[union-attr]
    assert isinstance(found["small"], Completion)
    assert isinstance(found["small too"], Completion)


def test_closing_frees_the_model_and_it_can_be_used_again(folder: Path) -> None:
    with TransformersEngine(str(folder)) as made:
        first = by_key(made.generate([ask("a", "the fox")]))
    assert made._loaded is None
    assert by_key(made.generate([ask("a", "the fox")])) == first


def no_model(path: Path) -> str:
    return str(path)


def encoder(path: Path) -> str:
    config = BertConfig(
        vocab_size=320, hidden_size=16, num_hidden_layers=1, num_attention_heads=1, intermediate_size=16
    )
    BertForMaskedLM(config).save_pretrained(path)
    tiny_tokenizer().save_pretrained(path)
    return str(path)


def classifier(path: Path) -> str:
    config = LlamaConfig(architectures=["LlamaForSequenceClassification"])
    config.save_pretrained(path)
    return str(path)


def without_tokenizer(path: Path) -> str:
    save_tiny(path)
    for file in path.glob("tokenizer*"):
        file.unlink()
    return str(path)


def without_some_weights(path: Path) -> str:
    from safetensors.torch import load_file, save_file

    save_tiny(path)
    weights = load_file(path / "model.safetensors")
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, path / "model.safetensors", metadata={"format": "pt"})
    return str(path)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (no_model, "a folder or a hub name with a causal language model"),
        (lambda path: str(path / "nowhere"), "a folder or a hub name with a causal language model"),
        (encoder, "must be a causal language model, but .* is BertForMaskedLM"),
        (classifier, "must be a causal language model, but .* is LlamaForSequenceClassification"),
        (without_tokenizer, "and its tokenizer, but"),
        (without_some_weights, "must hold all weights, but lacks model.layers.1.mlp.up_proj.weight"),
    ],
)
def test_a_folder_without_a_usable_model_is_said_in_one_line(make: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message) as error:
        list(TransformersEngine(make(tmp_path)).generate([ask("a", "b")]))
    assert "\n" not in str(error.value)


def test_wrong_settings_are_said_in_words(folder: Path) -> None:
    with pytest.raises(UserError, match="batch_size of .* must be 1 or more, but is 0"):
        TransformersEngine(str(folder), batch_size=0)
    with pytest.raises(UserError, match="dtype of .* did you mean 'float32'"):
        list(TransformersEngine(str(folder), dtype="float23").generate([ask("a", "b")]))
    with pytest.raises(UserError, match="device must be auto, cpu or cuda"):
        list(TransformersEngine(str(folder), device="gpu").generate([ask("a", "b")]))


def test_16_bit_weights_work_on_the_cpu(folder: Path) -> None:
    found = by_key(TransformersEngine(str(folder), dtype="bfloat16").generate([ask("a", "the fox")]))
    assert found["a"][2] > 0


def test_loading_a_folder_shows_no_bar_and_leaves_the_setting(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from transformers.utils import logging

    save_tiny(tmp_path / "model")
    capfd.readouterr()
    answers = list(TransformersEngine(str(tmp_path / "model"), device="cpu").generate([ask("0", "hi", max_tokens=1)]))
    assert len(answers) == 1
    assert capfd.readouterr().err == ""
    assert logging.is_progress_bar_enabled()
