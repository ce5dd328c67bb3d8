"""RouteLLM: right or wrong per LLM, and GPT-4's ratings on MT-Bench."""

from pathlib import Path

import polars as pl
import pytest
from public_layouts import knows_only_its_own, write_lines, write_table

from graphrouter.errors import UserError
from graphrouter.formats import routellm
from graphrouter.formats.builder import LogBuilder
from graphrouter.log import LLMLog

WEAK, STRONG = "mixtral-8x7b-instruct-v0.1", "gpt-4-1106-preview"


def read(path: Path, skip_bad=False) -> tuple[LLMLog, LogBuilder]:
    builder = LogBuilder("log", skip_bad)
    routellm.read(path, builder)
    return builder.build(), builder


def gsm8k(prompt="1+1?", weak="True", strong="False", first=" 2\n#### 2", second="3"):
    return {"prompt": prompt, WEAK: weak, STRONG: strong, f"{WEAK}_response": first, f"{STRONG}_response": second}


def judged(question=81, llm="m", turn=1, score=9.0, **columns):
    asked = {
        1: "[Instruction]\nRate.\n\n[Question]\nWrite a blog.\n\n[The Start of Assistant's Answer]\nI did.",
        2: "<|The Start of Assistant A's Conversation with User|>\n\n### User:\nWrite a blog.\n\n### Assistant A:\nI did.\n\n"
        "### User:\nNow a limerick.\n\n### Assistant A:\nThere once.",
    }
    row = {"question_id": question, "model": llm, "judge": ["gpt-4", "single-v1"], "user_prompt": asked[turn]}
    return row | {"judgment": "Good. [[9]]", "score": score, "turn": turn, "tstamp": 1714636116.7} | columns


def test_gsm8k_has_scores_and_responses(tmp_path):
    log, _ = read(write_table(tmp_path / "gsm8k_responses.csv", [gsm8k(), gsm8k('a,\n"b"?', "False", "True")]))
    assert set(log.queries["task"]) == {"gsm8k"}
    assert set(log.queries["query"]) == {"1+1?", 'a,\n"b"?'}
    table = log.records.join(log.queries.select("query_id", "query"), on="query_id")
    assert table.filter(llm=WEAK, query="1+1?")["performance"].to_list() == [1.0]
    assert table.filter(llm=STRONG, query="1+1?")["performance"].to_list() == [0.0]
    assert set(log.responses()["response"]) == {" 2\n#### 2", "3"}
    assert log.records["cost"].null_count() == 4


def test_each_mmlu_subject_is_a_subtask(tmp_path):
    row = {"prompt": "Which?\nA. a\nB. b\nAnswer:", WEAK: "True", STRONG: "True"}
    for subject in ("virology", "college_biology"):
        write_table(tmp_path / f"mmlu/responses/mmlu_{subject}.csv", [row])
    log, _ = read(tmp_path)
    assert log.queries["task"].to_list() == ["mmlu", "mmlu"]
    assert sorted(log.queries["subtask"]) == ["mmlu_college_biology", "mmlu_virology"]
    assert not log.has_responses


def test_both_turns_make_one_record(tmp_path):
    rows = [judged(turn=2, score=4), judged(turn=1, score=9), judged(llm="n", turn=1, score=10)]
    log, _ = read(write_lines(tmp_path / "judgements.jsonl", rows))
    assert log.queries.select("task", "query").rows() == [
        ("mt_bench", "Write a blog.\n\n[second turn]\nNow a limerick.")
    ]
    assert log.records.select("llm", "performance", "judge_score").rows() == [("m", 0.65, 0.65), ("n", 1.0, 1.0)]


def test_questions_come_from_their_own_file_where_it_is_there(tmp_path):
    turns = ["Write a blog, the long wording.", "Now a limerick."]
    write_lines(tmp_path / "question.jsonl", [{"question_id": 81, "category": "writing", "turns": turns}])
    row = judged()
    del row["user_prompt"]
    log, _ = read(write_lines(tmp_path / "judgements.jsonl", [row]))
    assert log.queries["query"].to_list() == ["\n\n[second turn]\n".join(turns)]


def test_with_a_reference_answer_the_last_question_counts(tmp_path):
    reference = (
        "<|The Start of Reference Answer|>\n\n### User:\nold\n\n### Reference answer:\nx\n\n"
        + judged(turn=2)["user_prompt"]
    )
    log, _ = read(write_lines(tmp_path / "judgements.jsonl", [judged(turn=2, user_prompt=reference)]))
    assert log.queries["query"].to_list() == ["Now a limerick."]


def test_a_rating_that_could_not_be_read_is_missing(tmp_path):
    rows = [judged(turn=1, score=-1), judged(turn=2, score=8), judged(llm="n", turn=1, score=-1)]
    log, builder = read(write_lines(tmp_path / "judgements.jsonl", rows))
    assert log.records.select("llm", "performance").rows() == [("m", 0.8)]
    assert builder.unscored == 1


def test_a_missing_cell_stays_missing(tmp_path):
    log, builder = read(write_table(tmp_path / "gsm8k_responses.csv", [gsm8k(weak=""), gsm8k("2+2?")]))
    assert log.records.height == 3
    assert builder.unscored == 1
    assert log.llm_names == (STRONG, WEAK)


def test_a_folder_is_read_whole_and_row_order_does_not_matter(tmp_path):
    rows = [gsm8k(f"{at}+1?", strong=str(at % 2 == 0)) for at in range(5)]
    judgements = [judged(turn=1), judged(turn=2, score=3)]
    for name, step in (("a", 1), ("b", -1)):
        write_table(tmp_path / name / "gsm8k/gsm8k_responses.csv", rows[::step])
        write_lines(tmp_path / name / "mt_bench/judgements.jsonl", judgements[::step])
    one, two = read(tmp_path / "a")[0], read(tmp_path / "b")[0]
    assert sorted(set(one.queries["task"])) == ["gsm8k", "mt_bench"]
    assert one.queries.equals(two.queries)
    assert one.records.equals(two.records)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (gsm8k(prompt=""), "prompt must be text"),
        (gsm8k("2+2?", weak="maybe"), "must be a number"),
        (gsm8k("2+2?", strong="7"), "must be within"),
    ],
)
def test_a_bad_row_is_refused_whole_or_listed(tmp_path, bad, reason):
    file = write_table(tmp_path / "gsm8k_responses.csv", [gsm8k(), bad])
    with pytest.raises(UserError, match=reason):
        read(file)
    log, builder = read(file, skip_bad=True)
    assert log.queries.height == 1
    assert log.records.height == 2
    assert len(builder.rejected) == 1
    assert builder.rejected[0].file == file


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (judged(score=11), "score must be within"),
        (judged(score=-0.5), "score must be within"),
        (judged(score=None), "score must be a number"),
        (judged(), "judged once per LLM"),
        (judged(question=82, user_prompt="?"), "question must stand in"),
    ],
)
def test_a_bad_judgement_is_refused_or_listed(tmp_path, bad, reason):
    file = write_lines(tmp_path / "judgements.jsonl", [judged(), bad])
    with pytest.raises(UserError, match=reason):
        read(file)
    log, builder = read(file, skip_bad=True)
    assert log.records["performance"].to_list() == [0.9]
    assert len(builder.rejected) == 1


def test_other_tables_are_refused(tmp_path):
    with pytest.raises(UserError, match="must have the columns prompt"):
        read(write_table(tmp_path / "a.csv", [{"question": "?", "m": "True"}]))
    with pytest.raises(UserError, match="must have judge, model"):
        read(write_lines(tmp_path / "b.jsonl", [{"question_id": 1}]))
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="must hold gsm8k_responses.csv"):
        read(tmp_path / "empty")


def test_knows_its_own_layout_and_no_other(tmp_path):
    assert knows_only_its_own(routellm, tmp_path)
    assert routellm.recognises(tmp_path / "routellm")
    assert not routellm.recognises(write_table(tmp_path / "x.csv", [{"prompt": "a", "response": "b", "score": "3.5"}]))
    assert not routellm.recognises(tmp_path / "absent.csv")


@pytest.mark.real_data
def test_conventions_agree_with_the_converted_data(real_data, tmp_path):
    """Writes the converted data in RouteLLM's own layout, and reads it back."""
    folder = real_data / "routellm"
    queries, records = (pl.read_parquet(folder / f"{name}.parquet") for name in ("queries", "records"))
    some = queries.filter(pl.col("task") != "mmlu").vstack(queries.filter(subtask="mmlu_virology"))
    wide = records.join(some, on="query_id").pivot(
        "llm", index=["query_id", "task", "subtask", "query"], values="performance"
    )
    llms = [name for name in wide.columns if name in set(records["llm"])]
    for task, name in (("gsm8k", "gsm8k_responses"), ("mmlu", "mmlu_virology")):
        rows = wide.filter(task=task).select(pl.col("query").alias("prompt"), *(pl.col(llm) == 1 for llm in llms))
        write_table(tmp_path / f"{name}.csv", rows.to_dicts())
    rated = records.join(some.filter(task="mt_bench").select("query_id", "query"), on="query_id")
    turns = {row["query_id"]: row["query"].split("\n\n[second turn]\n") for row in rated.iter_rows(named=True)}
    write_lines(tmp_path / "question.jsonl", [{"question_id": key, "turns": asked} for key, asked in turns.items()])
    rows = [
        {"question_id": row["query_id"], "model": row["llm"], "judge": [], "score": row["judge_score"], "turn": turn}
        for row in rated.iter_rows(named=True)
        for turn in (1, 2)
    ]
    write_lines(tmp_path / "judgements.jsonl", rows)
    log, _ = read(tmp_path)
    assert set(log.queries["subtask"].drop_nulls()) == {"mmlu_virology"}
    ours = log.records.join(log.queries.select("query_id", "task", "query"), on="query_id")
    theirs = records.join(some, on="query_id")
    key = ["task", "llm", "query"]
    both = ours.join(theirs.group_by(key).agg(pl.col("performance").mean()), on=key, suffix="_there")
    assert both.select(key).n_unique() == theirs.select(key).n_unique()
    means = both.group_by(key).agg(pl.col("performance", "performance_there").mean())
    # Two draws that are exact copies count once, so a mean over three rows may differ; none of these has three.
    assert (means["performance"] - means["performance_there"]).abs().max() < 1e-6
