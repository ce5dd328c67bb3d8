"""The log that comes with the package is what the code, the questions and the models make."""

from pathlib import Path

import polars as pl
import pytest

from experiments.micropool.config import read_pool
from experiments.micropool.measure import report, shares, task_table
from experiments.micropool.sampling import PROMPTS, evaluation_questions
from experiments.micropool.tasks import GENERATORS
from fusion.engines.base import Request, Sampling
from fusion.engines.hf import TransformersEngine
from fusion.tasks.base import Example
from fusion.tasks.graders import find_grader
from graphrouter.log import SHIPPED, load_log
from graphrouter.splits import by_query

FOLDER = SHIPPED / "micropool"
MODELS = Path(__file__).parents[1] / "models"


@pytest.fixture(scope="module")
def log():
    return load_log("micropool")


@pytest.fixture(scope="module")
def questions():
    seed = read_pool("pool").seed
    return {
        f"{generator.name}-{generator.name}-{number}": (generator, question)
        for generator in GENERATORS
        for number, question in enumerate(evaluation_questions(generator, 300, seed))
    }


def test_it_is_whole_small_and_real(log):
    assert (log.queries.height, log.llms.height, len(log.tasks), log.records.height) == (4200, 20, 14, 84000)
    assert log.queries["domain"].n_unique() == 6
    assert (log.simulated, log.cost_estimated) == (False, False)
    assert log.encoder == "tfidf"  # the first command needs no download
    assert log.responses().height == log.records.height
    assert sum(file.stat().st_size for file in FOLDER.iterdir()) < 6e6
    assert log.llms["llm"].str.ends_with("_think").sum() == 10


def test_its_questions_are_those_of_the_generators(log, questions):
    asked = {row["query_id"]: row for row in log.queries.to_dicts()}
    assert asked.keys() == questions.keys()
    for query_id, (generator, question) in questions.items():
        row = asked[query_id]
        assert (row["query"], row["ground_truth"]) == (question.item.text, question.item.answer)
        assert (row["task"], row["subtask"]) == (generator.name, f"{question.topic} {question.level}")


def test_its_grades_are_those_of_the_graders(log, questions):
    some = log.responses().join(log.records, on=["query_id", "llm", "draw"]).sample(4000, seed=0)
    for row in some.to_dicts():
        generator, question = questions[row["query_id"]]
        example = Example("", question.item.text, question.item.answer, question.item.choices)
        assert find_grader(generator.metric)(row["response"], example).performance == row["performance"], row


@pytest.mark.parametrize("folder", sorted(MODELS.iterdir()), ids=lambda folder: folder.name)
def test_its_responses_are_those_of_the_models_that_come_with_the_tests(log, questions, folder):
    some = log.queries.sample(60, seed=1)
    requests = []
    for query_id, text in some.select("query_id", "query").iter_rows():
        for style, prompt in PROMPTS.items():
            turns = ({"role": "user", "content": prompt.replace("{question}", text)},)
            requests.append(Request(f"{query_id} {style}", turns, Sampling(questions[query_id][0].max_tokens[style])))
    with TransformersEngine(str(folder), device="cpu", batch_size=32) as engine:
        said = {answer.key: answer for answer in engine.generate(requests)}
    recorded = log.responses().join(some.select("query_id"), on="query_id", how="semi")
    recorded = recorded.join(log.records, on=["query_id", "llm", "draw"]).filter(
        pl.col("llm").is_in([folder.name, f"{folder.name}_think"])
    )
    same = 0
    for row in recorded.to_dicts():
        answer = said[f"{row['query_id']} {'reasoning' if row['llm'].endswith('_think') else 'direct'}"]
        assert answer.input_tokens == row["input_tokens"]
        same += answer.text == row["response"]
    assert same >= 0.97 * recorded.height  # another processor may round a near tie the other way
    assert recorded.height == 120


def test_it_shows_what_real_pools_show(log):
    found = shares(log)
    assert found["best_single"] + 0.04 < found["best_per_task"] < found["oracle"] - 0.1
    assert 0.05 < found["all_solved"] < 0.3
    assert 0.05 < found["none_solved"] < 0.3
    assert found["tied"] > 0.3
    _, table = task_table(log)
    best = {log.llm_names[number].removesuffix("_think") for number in table.argmax(axis=0)}
    assert len(best) >= 5  # none is best everywhere
    direct = [number for number, name in enumerate(log.llm_names) if not name.endswith("_think")]
    gains = table[[number + 1 for number in direct]] - table[direct]
    assert (gains > 0.05).any()  # reasoning helps on some tasks
    assert (gains < -0.05).any()
    assert found["reasoning_tokens"] > 5


def test_its_card_has_its_numbers(log):
    card = (FOLDER / "README.md").read_text()
    assert report(log) in card
    assert "4,200 queries, 20 candidates, 84,000 records" in card


def test_a_split_keeps_equal_questions_together(log):
    split = by_query(log, 0)
    texts = log.queries["query"].str.to_lowercase().to_list()
    assert not {texts[row] for row in split.train} & {texts[row] for row in split.test}
