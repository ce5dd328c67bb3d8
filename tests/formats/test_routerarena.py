"""RouterArena: predictions of routers, and cached results."""

from pathlib import Path

import pytest
from public_layouts import knows_only_its_own, write_json, write_lines

from graphrouter.errors import UserError
from graphrouter.formats import read_log, routerarena
from graphrouter.formats.builder import LogBuilder
from graphrouter.log import LLMLog

USAGE = {"input_tokens": 102, "output_tokens": 74, "total_tokens": 176}


def entry(index="AIME_1", llm="gpt-4o-mini", accuracy=1.0, cost=5e-5, answer="\\boxed{2}", **columns):
    result = {"generated_answer": answer, "success": True, "token_usage": USAGE, "provider": "azure", "error": None}
    row = {"global index": index, "prompt": f"{index}: 1+1?", "prediction": llm, "generated_result": result}
    return row | {"cost": cost, "accuracy": accuracy, "for_optimality": False} | columns


def cached(index="AIME_1", llm="gpt-4o-mini", score=1.0, **columns):
    marks = {"extracted_answer": "2", "ground_truth": "2", "score": score, "metric": "exact", "inference_cost": 5e-5}
    row = {"global_index": index, "question": f"{index}: 1+1?", "llm_selected": llm, "generated_answer": "\\boxed{2}"}
    row |= {"token_usage": USAGE, "success": True, "provider": "openrouter", "run_number": 1}
    return row | {"evaluation_result": marks} | columns


def read(path: Path, skip_bad=False) -> tuple[LLMLog, LogBuilder]:
    builder = LogBuilder("log", skip_bad)
    routerarena.read(path, builder)
    return builder.build(), builder


@pytest.mark.parametrize("key", ["global index", "global_index"])
def test_a_prediction_is_a_record(tmp_path, key):
    row = {key if name == "global index" else name: value for name, value in entry("Ethics_virtue_12").items()}
    log, _ = read(write_json(tmp_path / "router.json", [row]))
    assert log.queries.select("task", "subtask", "query").row(0) == (
        "Ethics",
        "Ethics_virtue",
        "Ethics_virtue_12: 1+1?",
    )
    columns = ("llm", "performance", "cost", "input_tokens", "output_tokens")
    assert log.records.select(columns).row(0) == ("gpt-4o-mini", 1.0, 5e-5, 102.0, 74.0)
    assert log.responses()["response"].to_list() == ["\\boxed{2}"]


def test_a_cached_result_is_a_record(tmp_path):
    log, _ = read(write_lines(tmp_path / "gpt-4o-mini.jsonl", [cached(score=0.5)]))
    assert log.queries.select("task", "subtask").row(0) == ("AIME", None)
    columns = ("llm", "performance", "cost", "input_tokens", "output_tokens")
    assert log.records.select(columns).row(0) == ("gpt-4o-mini", 0.5, 5e-5, 102.0, 74.0)


def test_the_repository_is_joined_and_shared_answers_count_once(tmp_path):
    folder = tmp_path / "router_inference/predictions"
    write_json(folder / "a.json", [entry(), entry("AIME_2", "qwen", 0.0), entry(llm="qwen", for_optimality=True)])
    write_json(folder / "b.json", [entry(), entry("AIME_2")])
    write_json(folder / "a-robustness.json", [{"global index": "AIME_1", "prompt": "1 + 1 ??", "prediction": "qwen"}])
    write_lines(tmp_path / "cached_results/gpt-4o-mini.jsonl", [cached()])
    assert routerarena.recognises(tmp_path)
    log, builder = read(tmp_path)
    assert log.queries.height == 2
    assert log.records.height == 4
    assert builder.copies == 2
    assert builder.unscored == 0


def test_what_was_not_scored_is_counted_and_left_out(tmp_path):
    failed = entry("AIME_3") | {"generated_result": {"generated_answer": "", "success": False, "error": "timeout"}}
    rows = [entry(), entry("AIME_2", accuracy=None, cost=None), failed, entry("AIME_4", generated_result=None)]
    log, builder = read(write_json(tmp_path / "router.json", rows))
    assert log.records.height == log.queries.height == 1
    assert builder.unscored == 3


def test_a_log_without_any_score_says_what_to_run(tmp_path):
    file = write_json(tmp_path / "router.json", [entry(accuracy=None), entry("AIME_2", accuracy=None)])
    with pytest.raises(UserError, match=r"none of its 2 entries.*llm_evaluation/run.py"):
        read(file)


def test_a_cost_of_zero_is_not_known(tmp_path):
    log, _ = read(write_json(tmp_path / "router.json", [entry(cost=0.0)]))
    assert log.records["cost"].to_list() == [None]


def test_the_order_of_rows_and_files_does_not_matter(tmp_path):
    rows = [entry(f"AIME_{at}", f"llm{at % 3}", at / 8, answer=str(at)) for at in range(8)]
    for name, step in (("x", 1), ("y", -1)):
        write_json(tmp_path / name / ("a.json" if step > 0 else "b.json"), rows[:4][::step])
        write_json(tmp_path / name / ("b.json" if step > 0 else "a.json"), rows[4:][::step])
    one, two = read(tmp_path / "x")[0], read(tmp_path / "y")[0]
    assert one.queries.equals(two.queries)
    assert one.records.equals(two.records)
    assert one.responses().equals(two.responses())


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (entry("AIME_2", accuracy=1.5), "accuracy must be within"),
        (entry("AIME_2", cost=-1), "cost must be"),
        (entry("AIME_2", llm=None), "prediction must be text"),
        (entry("", accuracy=1.0), "global_index must be text"),
        (entry("AIME_2", prompt=""), "prompt must be text"),
        (entry("AIME_2", generated_result=["x"]), "generated_result must be an object"),
        (7, "must be a JSON object"),
    ],
)
def test_a_bad_entry_is_refused_or_listed(tmp_path, bad, reason):
    file = write_json(tmp_path / "router.json", [entry(), bad])
    with pytest.raises(UserError, match=reason):
        read(file)
    log, builder = read(file, skip_bad=True)
    assert log.records.height == 1
    assert [(row.file, row.row) for row in builder.rejected] == [(file, 2)]


def test_a_folder_without_files_is_refused(tmp_path):
    with pytest.raises(UserError, match="must hold predictions"):
        read(tmp_path)


def test_knows_its_own_layout_and_no_other(tmp_path):
    assert knows_only_its_own(routerarena, tmp_path)
    assert not routerarena.recognises(tmp_path / "absent.json")


@pytest.mark.parametrize(
    ("row", "performance"),
    [(entry(accuracy=-0.033), 0.0), (cached(score=0.2), 0.2), (entry(accuracy=0.0), 0.0)],
)
def test_a_meteor_score_below_0_counts_as_0(tmp_path, row, performance):
    marks = {"score": -0.033, "metric": "meteor_score"}
    log, builder = read(write_json(tmp_path / "x.json", [row, entry("AIME_2", accuracy=-0.5), entry("AIME_3")]))
    assert sorted(log.records["performance"])[:2] == [0.0, performance]
    assert builder.remarks[routerarena.BELOW] == 1 + (row.get("accuracy") == -0.033)
    row = cached("AIME_4", evaluation_result=marks)
    assert read(write_lines(tmp_path / "y.jsonl", [row]))[0].records["performance"].to_list() == [0.0]


@pytest.mark.parametrize("marks", [{"score": -1, "metric": "meteor_score"}, {"score": -0.5, "metric": "exact_match"}])
def test_other_scores_below_0_are_refused(tmp_path, marks):
    with pytest.raises(UserError, match=r"score must be within \[0, 1\]"):
        read(write_lines(tmp_path / "y.jsonl", [cached(evaluation_result=marks)]))


def test_failed_generations_are_named_and_can_count_as_wrong(tmp_path):
    failed = {"generated_answer": "", "success": False, "token_usage": USAGE}
    file = write_json(tmp_path / "x.json", [entry(), entry("AIME_2", accuracy=0.0, generated_result=failed)])
    with pytest.warns(UserWarning, match="1 rows have no performance, for the request or generation failed"):
        log, _ = read_log(file, "routerarena")
    assert log.queries.height == 1
    with pytest.warns(UserWarning, match="1 rows are failed requests or generations, and count as wrong answers"):
        log, _ = read_log(file, "routerarena", failed_as_wrong=True)
    assert sorted(log.records["performance"]) == [0.0, 1.0]
