import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from graphrouter.cli import main
from graphrouter.encoders import find_encoder
from graphrouter.encoders.seen import FILE, SeenQueries
from graphrouter.errors import UserError
from graphrouter.evaluation import compare
from graphrouter.log import LLMLog
from graphrouter.pipeline import train
from graphrouter.pipeline.finetuning import CHECKPOINT, FineTuning, finetune_encoder
from graphrouter.prepared import prepare
from graphrouter.run import RunOptions
from graphrouter.splits import by_query, query_groups

FAST = FineTuning(epochs=8, patience=8, batch_size=16, learning_rate=1e-2)
WORDS = [f"word{number}" for number in range(60)]
"""More than a line in 16 dimensions can divide at will (32, Cover 1965), so frozen random vectors do not do."""

CPU = RunOptions(device="cpu")


def word_log() -> LLMLog:
    """One LLM is right where the first word of a query has an even number, the other where it is odd."""
    rows = [(word, case) for word in range(len(WORDS)) for case in range(5)]
    queries = {"query_id": [f"{word:02d}-{case}" for word, case in rows], "task": ["t"] * len(rows)}
    queries["query"] = [f"{WORDS[word]} case {case}" for word, case in rows]
    records = {
        "query_id": queries["query_id"] * 2,
        "llm": ["even"] * len(rows) + ["odd"] * len(rows),
        "performance": [float(word % 2 == which) for which in (0, 1) for word, _ in rows],
    }
    return LLMLog("words", pl.DataFrame(queries), pl.DataFrame({"llm": ["even", "odd"]}), pl.DataFrame(records))


@pytest.fixture(autouse=True)
def _cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHROUTER_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A sentence-transformers model of random weights, with the words of the log as vocabulary."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder = tmp_path_factory.mktemp("model")
    words = sorted({word for text in word_log().queries["query"] for word in text.lower().split()})
    (folder / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]))
    BertTokenizerFast(vocab=str(folder / "vocab.txt")).save_pretrained(folder / "bert")
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    BertModel(BertConfig(vocab_size=5 + len(words), **sizes)).save_pretrained(folder / "bert")
    made = SentenceTransformer(modules=[Transformer(str(folder / "bert"), max_seq_length=16), Pooling(16)])
    made.save_pretrained(str(folder / "whole"), create_model_card=False)
    return str(folder / "whole")


@pytest.fixture(scope="module")
def log() -> LLMLog:
    return word_log()


@pytest.fixture(scope="module")
def tuned(model: str, log: LLMLog, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tuned") / "model"
    finetune_encoder(log, model, folder, seed=3, settings=FAST, run=CPU)
    return folder


class TestFineTuning:
    def test_learns_and_keeps_the_best_epoch(self, model: str, log: LLMLog, tmp_path: Path) -> None:
        done = finetune_encoder(log, model, tmp_path / "out", seed=3, settings=FAST, run=CPU)
        assert done.tuned < done.frozen - 0.1
        assert 1 <= done.epochs <= FAST.epochs
        about = SeenQueries.read(tmp_path / "out").about
        assert (about["frozen_loss"], about["validation_loss"]) == (done.frozen, done.tuned)

    def test_a_linear_router_on_the_vectors_has_the_gain(self, model: str, tuned: Path, log: LLMLog) -> None:
        from graphrouter.evaluation.run import fit_router
        from graphrouter.routers.linear import Linear

        before, after = (
            fit_router(Linear(), prepare(log, str(folder), seed=3, device="cpu"), settings=6).about["validation"]
            for folder in (model, tuned)
        )
        assert after < before - 0.1

    def test_the_same_seed_gives_the_same_vectors(self, model: str, tuned: Path, log: LLMLog, tmp_path: Path) -> None:
        finetune_encoder(log, model, tmp_path / "again", seed=3, settings=FAST, run=CPU)
        texts = log.queries["query"].to_list()[:5]
        first, second = (find_encoder(str(folder), "cpu").encode(texts) for folder in (tuned, tmp_path / "again"))
        np.testing.assert_array_equal(first, second)
        assert not np.allclose(first, find_encoder(model, "cpu").encode(texts), atol=1e-3)

    def test_test_outcomes_change_nothing(self, model: str, tuned: Path, log: LLMLog, tmp_path: Path) -> None:
        hidden = np.zeros((log.queries.height, len(log.llm_names)), dtype=bool)
        hidden[by_query(log, 3).test, 0] = True  # every test query stays scored, so that the split stays
        finetune_encoder(log.hide(hidden), model, tmp_path / "hidden", seed=3, settings=FAST, run=CPU)
        texts = log.queries["query"].to_list()[:5]
        first, second = (find_encoder(str(folder), "cpu").encode(texts) for folder in (tuned, tmp_path / "hidden"))
        np.testing.assert_array_equal(first, second)

    def test_an_interrupted_training_goes_on(self, model: str, tuned: Path, log: LLMLog, tmp_path: Path) -> None:
        seen = []

        def watch(label: str, row: dict[str, float]) -> None:
            seen.extend([row["step"]] if label == "encoder" else [])

        def interrupt(label: str, row: dict[str, float]) -> None:
            watch(label, row)
            if len(seen) == 3:
                raise KeyboardInterrupt

        out = tmp_path / "out"
        options = RunOptions(device="cpu", on_evaluation=interrupt)
        with pytest.raises(KeyboardInterrupt):
            finetune_encoder(log, model, out, seed=3, settings=FAST, run=options)
        assert [file.name for file in out.iterdir()] == [CHECKPOINT]
        epoch = seen[0]
        seen.clear()
        finetune_encoder(log, model, out, seed=3, settings=FAST, run=RunOptions(device="cpu", on_evaluation=watch))
        assert seen == [epoch * passes for passes in (3, 4, 5, 6, 7, 8)]
        assert not (out / CHECKPOINT).exists()
        texts = log.queries["query"].to_list()[:5]
        first, second = (find_encoder(str(folder), "cpu").encode(texts) for folder in (tuned, out))
        np.testing.assert_array_equal(first, second)

    def test_where_no_epoch_is_better_the_model_stays_as_it_was(self, model: str, log: LLMLog, tmp_path: Path) -> None:
        ruinous = FineTuning(epochs=1, learning_rate=0.9, head_learning_rate=0.9)
        done = finetune_encoder(log, model, tmp_path / "out", seed=3, settings=ruinous, run=CPU)
        assert (done.epochs, done.tuned) == (0, done.frozen)
        texts = log.queries["query"].to_list()[:5]
        np.testing.assert_allclose(
            find_encoder(str(tmp_path / "out"), "cpu").encode(texts),
            find_encoder(model, "cpu").encode(texts),
            atol=1e-6,
        )

    def test_settings_out_of_range_are_refused(self) -> None:
        for change in ({"epochs": 0}, {"patience": -1}, {"batch_size": 0}, {"learning_rate": 1.0}):
            with pytest.raises(UserError, match=f"{next(iter(change))} of fine-tuning must be"):
                FineTuning(**change)

    def test_other_encoders_and_folders_are_refused(self, log: LLMLog, model: str, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="only a sentence-transformers model can be fine-tuned"):
            finetune_encoder(log, "tfidf", tmp_path / "out")
        (tmp_path / "mine").mkdir()
        (tmp_path / "mine" / "thesis.tex").write_text("")
        with pytest.raises(UserError, match=r"holds 'thesis\.tex'"):
            finetune_encoder(log, model, tmp_path / "mine")


class TestSeenQueries:
    def test_are_the_groups_of_train_and_validation(self, tuned: Path, log: LLMLog) -> None:
        groups, split, seen = query_groups(log.queries["query"]), by_query(log, 3), SeenQueries.read(tuned)
        assert set(seen.train) == set(groups[split.train].tolist())
        assert set(seen.validation) == set(groups[split.validation].tolist())
        assert (seen.log, seen.seed) == ("words", 3)

    def test_the_split_of_its_seed_is_allowed_and_others_are_refused(self, tuned: Path, log: LLMLog) -> None:
        prepare(log, str(tuned), seed=3)
        for seed in (0, 4):
            with pytest.raises(UserError, match=r"split of seed 3, so the test part must have none .* but has \d+"):
                prepare(log, str(tuned), seed=seed)

    def test_a_comparison_of_other_seeds_is_refused_before_it_begins(
        self, tuned: Path, log: LLMLog, tmp_path: Path
    ) -> None:
        compare(log, str(tuned), ["linear"], seeds=[3], out=tmp_path / "right", run=CPU)
        with pytest.raises(UserError, match="use the split of that seed alone"):
            compare(log, str(tuned), ["linear"], seeds=[3, 4], out=tmp_path / "wrong", run=CPU)
        assert not (tmp_path / "wrong").exists()

    def test_a_validation_query_that_was_learnt_from_is_refused(self) -> None:
        seen = SeenQueries("log", 0, (1, 2), (3,), {})
        none = np.array([], dtype=np.int64)
        seen.check("m", {"test": np.array([4]), "validation": np.array([3])})
        with pytest.raises(UserError, match="the validation part must have none"):
            seen.check("m", {"test": none, "validation": np.array([2, 3])})
        with pytest.raises(UserError, match="the test part must have none"):
            seen.check("m", {"test": np.array([3]), "validation": none})

    def test_another_log_is_scored_without_the_queries_that_the_encoder_saw(self, tuned: Path, log: LLMLog) -> None:
        rows = by_query(log, 3)
        others = log.take(np.sort(rows.test))
        pipeline = train(others, "knn", find_encoder(str(tuned), "cpu"))
        assert not pipeline.unseen(log)[np.concatenate([rows.train, rows.validation])].any()

    def test_a_damaged_file_is_refused(self, tuned: Path, tmp_path: Path) -> None:
        for content in ("{", '{"log": "a"}', '{"log": "a", "seed": 0, "train": ["x"], "validation": [], "about": {}}'):
            (tmp_path / FILE).write_text(content)
            with pytest.raises(UserError, match="fine-tune again"):
                SeenQueries.read(tmp_path)
        assert SeenQueries.read(tmp_path / "absent") is None


class TestCommand:
    def test_fine_tunes_and_names_the_split(
        self, model: str, log: LLMLog, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        log.save(tmp_path / "log")
        words = ["finetune-encoder", str(tmp_path / "log"), "--encoder", model, "--out", str(tmp_path / "out")]
        words += ["--seed", "3", "--epochs", "1", "--learning-rate", "0.01", "--device", "cpu", "--quiet"]
        assert main(words) == 0
        said = capsys.readouterr().err
        assert "NLL on validation" in said
        assert f"--encoder {tmp_path}/out --seed 3" in said
        about = json.loads((tmp_path / "out" / FILE).read_text())["about"]
        assert (about["epochs"], about["learning_rate"], about["batch_size"]) == (1, 0.01, 32)

    def test_the_folder_is_read_by_sentence_transformers_alone(self, tuned: Path) -> None:
        code = (
            "import sys; from sentence_transformers import SentenceTransformer; "
            "print(SentenceTransformer(sys.argv[1], device='cpu').encode(['word1 case 1']).shape)"
        )
        done = subprocess.run([sys.executable, "-c", code, str(tuned)], capture_output=True, text=True, check=True)
        assert done.stdout.splitlines()[-1] == "(1, 16)"
