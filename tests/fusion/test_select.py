import csv
import json
from collections import Counter

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from selection_logs import LLMS, make_log, rank_by_hand

from fusion.cli import main
from fusion.selection import SelectionSettings, select
from fusion.selection.candidates import observed_solve_rate
from fusion.selection.pairs import preference_pairs
from fusion.selection.rules import RULES
from fusion.tasks.graders import gold_answers
from fusion.training.rows import data_file, read_rows
from graphrouter.errors import UserError
from graphrouter.log import LLMLog
from graphrouter.splits import by_query

LOOSE = {"encoder": "tfidf:8", "similarity": 1.0, "easy": 1.0, "hard": 0.0}


def made(log=None, *, ranked=None, **given):
    log = log or make_log()
    return select(log, SelectionSettings(**{**LOOSE, **given}), ranked=rank_by_hand(log) if ranked is None else ranked)


def lines(file):
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def contents(folder):
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


class TestParts:
    @pytest.mark.parametrize("seed", [0, 1])
    def test_rows_are_of_training_queries_and_validation_is_apart(self, seed):
        log = make_log()
        split = by_query(log, seed)
        ids = {
            part: set(log.queries["query_id"].gather(getattr(split, part))) for part in ("train", "validation", "test")
        }
        selection = made(log, seed=seed)
        assert set(selection.rows["query_id"]) <= ids["train"]
        assert set(selection.pairs["query_id"]) <= ids["train"]
        assert set(selection.validation_rows["query_id"]) <= ids["validation"]
        assert set(selection.validation_pairs["query_id"]) <= ids["validation"]
        assert selection.validation_rows.height > 0

    def test_outcomes_of_test_queries_are_never_looked_at(self):
        log = make_log()
        test = log.queries["query_id"].gather(by_query(log, 0).test).implode()
        turned = (
            pl.when(pl.col("query_id").is_in(test)).then(1 - pl.col("performance")).otherwise(pl.col("performance"))
        )
        other = LLMLog("tiny", log.queries, log.llms, log.records.with_columns(turned), texts=log.texts)
        assert made(log).rows.equals(made(other).rows)

    def test_a_validation_query_has_its_best_response(self):
        selection = made(top_k=3)
        best = selection.validation_rows.group_by("query_id").len()["len"]
        assert set(best) == {1}
        assert set(selection.validation_rows["performance"]) == {1.0}

    def test_budget_and_difficulty_leave_validation_alone(self):
        loose = made(skip=["easy", "budget"]).validation_rows
        assert made(rows=1, easy=0.9).validation_rows.equals(loose)


class TestRows:
    def test_all_are_right_and_no_query_has_more_than_k(self):
        selection = made(top_k=2, skip=["thin"])
        assert set(selection.rows["performance"]) == {1.0}
        assert selection.rows.group_by("query_id").len()["len"].max() == 2

    def test_a_missing_response_is_counted_and_skipped(self):
        gone = (0, 5, 10, 15, 20)
        log = make_log(without_response=gone)
        selection = made(log)
        train = set(log.queries["query_id"].gather(by_query(log, 0).train))
        missing = [n for n in gone if f"q{n:03d}" in train]
        answered = selection.report.filter(pl.col("rule") == "answered")
        assert missing
        assert answered["dropped"].sum() == len(missing) * len(LLMS)
        assert not set(selection.rows["query_id"]) & {f"q{n:03d}" for n in gone}

    def test_the_report_adds_up_from_rule_to_rule(self):
        selection = made(top_k=1, rows=10)
        kept = selection.report.group_by("rule", maintain_order=True).agg(pl.col("kept").sum(), pl.col("dropped").sum())
        assert kept["rule"].to_list() == [rule.name for rule in RULES]
        for before, after in zip(kept["kept"], kept.rows()[1:], strict=False):
            assert before == after[1] + after[2]
        assert kept["kept"][-1] == selection.rows.height == 10

    def test_a_rule_that_is_skipped_drops_nothing(self):
        log = make_log()
        strict = made(log, easy=0.7)
        assert strict.rows["query_id"].n_unique() < made(log, easy=0.7, skip=["easy"]).rows["query_id"].n_unique()

    def test_an_empty_selection_names_the_rule_that_emptied_it(self):
        with pytest.raises(UserError, match="tiny.*'hard'.*dropped the last.*--skip hard"):
            made(hard=1.0)

    def test_a_log_without_responses_is_an_error(self):
        log = make_log()
        bare = LLMLog("bare", log.queries, log.llms, log.records)
        with pytest.raises(UserError, match="bare has no responses"):
            made(bare)

    def test_draws_of_a_cell_are_rows_of_their_own(self):
        log = make_log()
        twice = pl.concat([log.records, log.records.with_columns(draw=pl.lit(1, pl.Int64))])
        more = log.texts.with_columns(pl.col("response") + " said again in quite other words", draw=pl.lit(1, pl.Int64))
        drawn = LLMLog("drawn", log.queries, log.llms, twice, texts=pl.concat([log.texts, more]))
        ranked = twice.select(
            "query_id",
            "llm",
            "draw",
            rank=pl.struct(1 - pl.col("performance"), "llm", "draw").rank("ordinal").over("query_id"),
            score=pl.col("performance"),
            reason=pl.lit(None, pl.String),
        )
        selection = made(drawn, ranked=ranked, skip=["extras"], top_k=6)
        assert selection.rows.select("query_id", "llm", "draw").is_unique().all()
        assert set(selection.rows["draw"]) == {0, 1}
        assert selection.rows["response"].str.contains("said again").sum() == (selection.rows["draw"] == 1).sum()


class TestRankings:
    def test_random_takes_right_responses_by_chance(self):
        log = make_log(120)
        takes = {seed: made(log, ranking="random", top_k=1, seed=seed, skip=["extras"]) for seed in (0, 1)}
        assert {tuple(set(take.rows["performance"])) for take in takes.values()} == {(1.0,)}
        assert len(set(takes[0].rows["llm"])) == len(LLMS)  # by hand, the first is always ada
        both = takes[0].rows.join(takes[1].rows, on="query_id")
        assert (both["llm"] != both["llm_right"]).any()
        assert takes[0].rows.equals(made(log, ranking="random", top_k=1, skip=["extras"]).rows)

    def test_baseline_is_the_ground_truth_alone(self):
        log = make_log()
        selection = made(log, ranking="baseline")
        truths = dict(log.queries.select("query_id", "ground_truth").iter_rows())
        assert set(selection.rows["llm"]) == {"ground_truth"}
        assert all(row["response"] == truths[row["query_id"]] for row in selection.rows.iter_rows(named=True))
        assert selection.pairs.height == 0

    @pytest.mark.parametrize(
        ("metric", "gold", "text"),
        [
            ("cem", '["Paris", "City of Light"]', ["Paris", "City of Light"]),
            ("numeric", '["4", "four"]', ["4", "four"]),
            ("exact match", '["a", "b"]', ['["a", "b"]']),
            ("f1", "[not JSON", ["[not JSON"]),
            ("pass@1", '{"tests": "assert f(1) == 2"}', []),
            ("code_eval", '{"tests": "assert f(1) == 2"}', []),
            ("cem", None, []),
        ],
    )
    def test_a_ground_truth_as_answers(self, metric, gold, text):
        assert gold_answers(metric, gold) == text

    def test_the_solve_rate_counts_an_llm_once_however_many_draws_it_has(self):
        records = [("a", 0, 1.0), ("a", 1, 1.0), ("a", 2, 0.0), ("b", 0, 0.0)]
        frame = pl.DataFrame(
            [("q", *row) for row in records], schema=["query_id", "llm", "draw", "performance"], orient="row"
        )
        queries = pl.DataFrame({"query_id": ["q"], "task": ["t"], "query": ["?"]})
        log = LLMLog("draws", queries, pl.DataFrame({"llm": ["a", "b"]}), frame)
        assert observed_solve_rate(log)["solved"].to_list() == pytest.approx([1 / 3])

    def test_the_graphs_solve_rate_is_the_mean_of_what_it_expects(self):
        log = make_log()
        ranked = rank_by_hand(log).with_columns(score=pl.lit(0.3))
        by_graph = made(log, ranked=ranked, ranking="graph", skip=["extras"])
        assert by_graph.rows["solved"].to_list() == pytest.approx([0.3] * by_graph.rows.height)
        observed = made(log, ranked=ranked, ranking="graph", difficulty="observed", skip=["extras"])
        assert observed.rows["solved"].n_unique() > 1


class TestKeptRanking:
    def test_it_is_made_once_and_gives_the_same(self, tmp_path, monkeypatch):
        file = tmp_path / "ranking.parquet"
        how = SelectionSettings(**LOOSE)
        first = select(make_log(), how, cache=file)
        monkeypatch.setattr("fusion.ranking.rank", lambda *_, **__: pytest.fail("ranked again"))
        assert select(make_log(), how, cache=file).rows.equals(first.rows)
        assert [path.name for path in tmp_path.iterdir()] == ["ranking.parquet"]

    @pytest.mark.parametrize(("change", "key"), [({"seed": 1}, "log"), ({"ranking": "hybrid"}, "ranking")])
    def test_one_of_another_selection_is_refused(self, tmp_path, change, key):
        file = tmp_path / "ranking.parquet"
        select(make_log(), SelectionSettings(**LOOSE), cache=file)
        with pytest.raises(UserError, match=f"its {key} differs.*name another file"):
            select(make_log(), SelectionSettings(**LOOSE, **change), cache=file)

    def test_a_file_that_is_none_is_refused(self, tmp_path):
        (file := tmp_path / "ranking.parquet").write_text("mine")
        with pytest.raises(UserError, match="cannot be read"):
            select(make_log(), SelectionSettings(**LOOSE), cache=file)


class TestPairs:
    def test_a_right_response_meets_a_wrong_one_to_the_same_query(self):
        log = make_log()
        selection = made(log)
        right = {(q, llm): p for q, llm, p in log.records.select("query_id", "llm", "performance").iter_rows()}
        assert selection.pairs.height > 5
        for row in selection.pairs.iter_rows(named=True):
            assert right[row["query_id"], row["chosen_llm"]] == 1.0
            assert right[row["query_id"], row["rejected_llm"]] == 0.0
            assert row["margin"] == 1.0
        for side in ("chosen_llm", "rejected_llm"):
            assert not selection.pairs.select("query_id", side).is_duplicated().any()

    def pair(self, chosen, wrong, **given):
        from selection_logs import inputs, rows

        base = {"query_id": "q"}
        selected = rows(*(base | {"llm": f"c{n}", "rank": n, **row} for n, row in enumerate(chosen)))
        lost = [
            base | {"llm": f"w{n}", "performance": 0.0, "response": f"wrong {n}"} | row for n, row in enumerate(wrong)
        ]
        return preference_pairs(selected, pl.concat([selected, rows(*lost)]), inputs(**given)).to_dicts()

    @pytest.mark.parametrize(("which", "expected"), [("hardest", "w1"), ("widest", "w2")])
    def test_which_wrong_response_is_taken(self, which, expected):
        found = self.pair(
            [{"score": 0.8}], [{"score": 0.3}, {"score": 0.6}, {"score": 0.1}, {"score": 0.9}], pairs=which
        )
        assert [pair["rejected_llm"] for pair in found] == [expected]
        assert found[0]["margin"] == pytest.approx(0.8 - (0.6 if which == "hardest" else 0.1))

    def test_a_pair_needs_a_margin_and_different_texts(self):
        assert self.pair([{"score": 0.5}], [{"score": 0.5}, {"score": None}]) == []
        assert self.pair([{"response": "It is 4."}], [{"response": "it is\n4.", "score": 0.1}]) == []

    def test_a_right_response_of_a_lower_score_is_not_rejected(self):
        assert self.pair([{"score": 0.9}, {"score": 0.5}], [{"score": 0.95}]) == []

    def test_a_wrong_response_is_used_once(self):
        assert len(self.pair([{}, {}, {}], [{"score": 0.1}, {"score": 0.2}])) == 2

    def test_off_means_none(self):
        assert made(pairs="off").pairs.height == 0


class TestFolder:
    def test_trainers_read_it(self, tmp_path):
        selection = made()
        folder = selection.save(tmp_path / "data")
        for where, rows, pairs in (
            (folder, selection.rows, selection.pairs),
            (folder / "validation", selection.validation_rows, selection.validation_pairs),
        ):
            assert [row.completion[0]["content"] for row in read_rows(data_file(str(where), "sft"), "sft")] == list(
                rows["response"]
            )
            read = read_rows(data_file(str(where), "dpo"), "dpo")
            assert [row.rejected[0]["content"] for row in read] == list(pairs["rejected"])
            assert [row.prompt[0] for row in read] == [{"role": "user", "content": text} for text in pairs["query"]]
        assert lines(folder / "messages.jsonl")[0]["messages"] == [
            {"role": "user", "content": selection.rows["query"][0]},
            {"role": "assistant", "content": selection.rows["response"][0]},
        ]
        about = {"query_id", "llm", "draw", "task", "style"}
        assert set(lines(folder / "sft.jsonl")[0]) == {"prompt", "completion", *about}

    def test_llama_factory_finds_its_files_and_columns(self, tmp_path):
        selection = made()
        folder = selection.save(tmp_path / "data")
        known = json.loads((folder / "dataset_info.json").read_text())
        assert len(known) == 2
        for entry in known.values():
            table = json.loads((folder / entry["file_name"]).read_text())
            assert all(set(entry["columns"].values()) == set(row) for row in table) or not entry.get("ranking")
            assert set(entry["columns"].values()) <= set(table[0])
        assert len(json.loads((folder / "alpaca.json").read_text())) == selection.rows.height

    def test_the_report_and_the_card_say_what_was_dropped(self, tmp_path):
        selection = made()
        folder = selection.save(tmp_path / "data")
        with (folder / "report.csv").open() as stream:
            table = list(csv.DictReader(stream))
        about = json.loads((folder / "selection.json").read_text())
        dropped = Counter()
        for row in table:
            dropped[row["rule"]] += int(row["dropped"])
        assert {row["task"] for row in table} == {"sums", "totals"}
        assert dict(dropped) == {rule["rule"]: rule["dropped"] for rule in about["rules"]}
        card = (folder / "README.md").read_text()
        for rule in about["rules"]:
            assert f"| {rule['rule']} |" in card
            assert f"| {rule['kept']:,} | {rule['dropped']:,} |" in card
        assert about["counts"]["rows"] == len(lines(folder / "sft.jsonl"))
        assert about["split"] == {"seed": 0, "train": 36, "validation": 12, "test": 12}

    def test_a_simulated_log_is_called_so(self):
        log = make_log()
        simulated = LLMLog("tiny", log.queries, log.llms, log.records, simulated=True, texts=log.texts)
        assert "simulated" in made(simulated).text
        assert "simulated" not in made(log).text

    def test_text_goes_through_as_it_is(self, tmp_path):
        log = make_log()
        odd = 'Zürich "x" \\frac\u2028 | 数\n\tend'
        texts = log.texts.with_columns(response=pl.concat_str(pl.lit(f" {odd} "), "response", pl.lit("\n\n")))
        selection = made(LLMLog("tiny", log.queries, log.llms, log.records, texts=texts))
        file = selection.save(tmp_path / "data") / "sft.jsonl"
        rows = read_rows(file, "sft")
        assert "Zürich" in file.read_text(encoding="utf-8")  # not as an escape
        assert rows[0].completion[0]["content"].startswith(odd)
        assert rows[0].completion[0]["content"] == selection.rows["response"][0].strip()

    def test_a_selection_is_replaced_and_other_files_are_not(self, tmp_path):
        first, second = made(), made(top_k=1)
        folder = first.save(tmp_path / "data")
        second.save(folder)
        assert len(lines(folder / "sft.jsonl")) == second.rows.height < first.rows.height
        (other := tmp_path / "other").mkdir()
        (other / "thesis.txt").write_text("mine")
        with pytest.raises(UserError, match="holds other files"):
            first.save(other)
        assert contents(other) == {"thesis.txt": b"mine"}
        assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "other"]

    def test_a_failure_half_way_leaves_the_old_selection(self, tmp_path, monkeypatch):
        folder = made().save(tmp_path / "data")
        before = contents(folder)
        monkeypatch.setattr(pl.DataFrame, "write_csv", lambda *_: (_ for _ in ()).throw(OSError("no room")))
        with pytest.raises(UserError, match="no room"):
            made(top_k=1).save(folder)
        assert contents(folder) == before
        assert [path.name for path in tmp_path.iterdir()] == ["data"]


@settings(max_examples=8)
@given(st.integers(0, 10_000))
def test_the_order_of_the_log_changes_no_byte(tmp_path_factory, order):
    how = {"rows": 25, "top_k": 2, "clusters": 3, "ranking": "random"}
    folders = []
    for log in (make_log(), make_log(order=order)):
        folder = tmp_path_factory.mktemp("order") / "data"
        folders.append(made(log, **how).save(folder))
    assert contents(folders[0]) == contents(folders[1])


class TestTokens:
    def test_a_tokenizer_counts_and_a_wrong_one_is_an_error(self, tmp_path):
        from tokenizers import Tokenizer, models, pre_tokenizers, processors
        from transformers import PreTrainedTokenizerFast

        words = Tokenizer(models.WordLevel({"[UNK]": 0, "[BOS]": 1}, unk_token="[UNK]"))
        words.post_processor = processors.TemplateProcessing("[BOS] $A", special_tokens=[("[BOS]", 1)])
        words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
        PreTrainedTokenizerFast(tokenizer_object=words).save_pretrained(tmp_path / "words")
        selection = made(tokens=100, tokenizer=str(tmp_path / "words"))
        assert selection.rows["tokens"].to_list() == [len(text.split()) for text in selection.rows["response"]]
        assert 85 < selection.rows["tokens"].sum() <= 100
        assert not selection.about["tokens_estimated"]
        with pytest.raises(UserError, match="must be the folder or hub name of a tokenizer"):
            made(tokenizer=str(tmp_path / "none"))


class TestCommand:
    def test_it_selects_from_a_folder_by_config_options_and_words(self, tmp_path, capsys):
        log = make_log()
        log.save(tmp_path / "log")
        (tmp_path / "select.yaml").write_text("encoder: tfidf:8\nsimilarity: 1.0\nhard: 0.0\ntop_k: 3\nskip: [thin]\n")
        out = tmp_path / "data"
        words = ["select", str(tmp_path / "log"), "--out", str(out), "--config", str(tmp_path / "select.yaml")]
        assert main([*words, "--top-k", "2", "--skip", "thin,easy", "longest=3", "--quiet"]) == 0
        about = json.loads((out / "selection.json").read_text())
        chosen = {name: about["settings"][name] for name in ("top_k", "skip", "longest", "encoder")}
        assert chosen == {"top_k": 2, "skip": ["thin", "easy"], "longest": 3.0, "encoder": "tfidf:8"}
        printed = capsys.readouterr().out
        assert all(rule["rule"] in printed for rule in about["rules"])
        assert "preference pairs" in printed

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (["--ranking", "grpah"], "did you mean 'graph'"),
            (["--skip", "ngram"], "did you mean 'ngrams'"),
            (["simmilarity=1"], "did you mean 'similarity'"),
            (["--top", "3"], "no option --top"),
        ],
    )
    def test_a_mistake_is_one_line(self, tmp_path, capsys, words, message):
        make_log().save(tmp_path / "log")
        assert main(["select", str(tmp_path / "log"), "--out", str(tmp_path / "data"), *words]) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1
        assert not (tmp_path / "data").exists()

    def test_a_folder_with_other_files_is_refused_before_any_work(self, tmp_path, capsys):
        (tmp_path / "data").mkdir()
        (tmp_path / "data" / "mine.txt").write_text("mine")
        assert main(["select", str(tmp_path / "no_log"), "--out", str(tmp_path / "data")]) == 2
        assert "holds other files" in capsys.readouterr().err
