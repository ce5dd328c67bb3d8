import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from fakes import ByTopic, Last, Means, topics

from graphrouter import metrics
from graphrouter.evaluation import compare, format_table, summarise
from graphrouter.evaluation.collected import Evaluation
from graphrouter.evaluation.report import drawing, line_charts
from graphrouter.evaluation.report.axes import linear_ticks, log_ticks
from graphrouter.evaluation.report.drawing import COLOURS
from graphrouter.evaluation.report.latex import as_latex
from graphrouter.evaluation.report.line_charts import Series
from graphrouter.evaluation.report.page import macro
from graphrouter.log import LLMLog
from graphrouter.noise import NoiseBudget, noise_budget
from graphrouter.routers import find_router
from graphrouter.testing.logs import make_log

VOID = {"meta", "wbr", "br", "hr", "img", "link", "input"}


class Page(HTMLParser):
    """Keeps every tag with its attributes, and checks that tags close in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def hostile() -> LLMLog:
    """A log whose names would be markup, were they not escaped."""
    log = make_log(120)
    llms = {"alpha": '<img src=x onerror="a()">', "beta": "</table><script>b()</script>", "gamma": "c & d \"e\" 'f'"}
    tasks = {"algebra": "<script>alert(1)</script>", "history": "]]><b>"}
    return replace(
        log,
        name='<iframe src="https://evil.example">',
        queries=log.queries.with_columns(pl.col("task").replace(tasks)),
        llms=log.llms.with_columns(pl.col("llm").replace(llms)),
        records=log.records.with_columns(pl.col("llm").replace(llms)),
    )


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Evaluation, str]:
    out = tmp_path_factory.mktemp("report")
    routers = [Means(), ByTopic(), Last(), find_router("oracle")()]
    evaluation = compare(make_log(150), topics, routers, seeds=[0, 1], out=out, ours=["by_topic"])
    return evaluation, (out / "report.html").read_text()


def test_the_page_is_well_formed_and_loads_nothing(done: tuple[Evaluation, str]) -> None:
    page = Page(done[1])
    assert not {tag for tag, _ in page.tags} & {"link", "img", "iframe", "object", "embed", "base"}
    for tag, attributes in page.tags:
        assert not {"src", "xlink:href", "srcset", *(["href"] if tag != "a" else [])} & attributes.keys()
        assert re.fullmatch(r"figures/\w+\.(svg|pdf|png)", str(attributes.get("href", "figures/a.svg")))
        assert not any(name.startswith("on") for name in attributes)
    assert not re.search(r"@import|https?://", done[1])
    assert not re.search(r"url\((?!#)", done[1])
    assert "default-src &#39;none&#39;" in done[1]
    assert "prefers-color-scheme:dark" in done[1]
    assert ("meta", {"name": "viewport", "content": "width=device-width,initial-scale=1"}) in page.tags
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_names_from_the_log_are_escaped(tmp_path: Path) -> None:
    compare(hostile(), topics, [Means(), ByTopic()], seeds=[0], out=tmp_path, ours=["by_topic"])
    html = (tmp_path / "report.html").read_text()
    page = Page(html)
    assert not {tag for tag, _ in page.tags} & {"img", "iframe", "b", "b()"} - {"b"}
    assert [attributes for tag, attributes in page.tags if tag == "script"] == [
        {"type": "application/json", "id": "choices"},
        {},
    ]
    assert not any("onerror" in attributes for _, attributes in page.tags)
    spoken = [*page.words, *(str(attributes.get("aria-label")) for _, attributes in page.tags)]
    for name in ('<img src=x onerror="a()">', "</table><script>b()</script>", "<script>alert(1)</script>"):
        assert any(name in words for words in spoken), name
    assert "<script>" not in html.replace("\n<script>\n", "")


def test_a_chart_escapes_names_and_keeps_labels_off_each_other_and_off_lines() -> None:
    points = np.array([1.0, 1.01, 1.02]), np.array([0.5, 0.501, 0.502])
    names = ["<b>one</b>", "two & three", "four"]
    series = [Series("<i>", *points, "mark"), Series("<u>", *points, "dim", "dot", labels=names)]
    drawn = str(drawing.svg(line_charts.plane(series, "performance")(600, 300), "<label>"))
    page = Page(drawn)
    assert not {"b", "i", "u", "label"} & {tag for tag, _ in page.tags}
    assert {"<b>one</b>", "four"} <= set(page.words)
    labels = line_charts._labels(series, 600, 300, (0.9, 1.1), (0.45, 0.55), True)
    assert len({label["label"] for label in labels}) >= 2
    line = Series("", np.array([0.9, 1.1]), np.array([0.5, 0.5]), "mark")
    dot = Series("", np.array([1.0]), np.array([0.5]), "dim", "dot", labels=["four"])
    (label,) = line_charts._labels([line, dot], 600, 300, (0.9, 1.1), (0.4, 0.6), True)
    assert abs(label["y"] - 0.5) > 4 / 300 * 0.2, "it lies above or below the line"


def test_every_colour_of_a_chart_has_a_dark_twin_in_the_page(done: tuple[Evaluation, str]) -> None:
    charts_of_page = "".join(re.findall(r"<svg.*?</svg>", done[1], flags=re.S))
    used = set(re.findall(r'(?:fill|stroke)="(#\w+)"', charts_of_page))
    assert used
    assert used <= {light for light, _ in COLOURS.values()}
    for light in used:
        assert f'svg [fill="{light}"]' in done[1]
    assert len({light for light, _ in COLOURS.values()}) == len(COLOURS)


def test_ticks_are_round_and_in_one_notation() -> None:
    assert log_ticks((0.02, 0.9), 800) == pytest.approx([0.02, 0.05, 0.1, 0.2, 0.5])
    assert log_ticks((1e-6, 1e3), 300) == pytest.approx([1e-6, 1e-3, 1, 1e3])
    assert linear_ticks((0.41, 0.69)) == pytest.approx([0.45, 0.5, 0.55, 0.6, 0.65])
    points = Series("a", np.array([0.0002, 0.002]), np.array([0.5, 0.6]), "mark")
    drawn = drawing.svg(line_charts.plane([points], "performance")(600, 300), "")
    assert {"$0.0002", "$0.0005", "$0.001", "$0.002"} <= set(re.findall(r">(\$[^<]*)<", drawn))


def test_figures_and_tables_for_a_paper_lie_beside_the_page(done: tuple[Evaluation, str], tmp_path: Path) -> None:
    compare(make_log(60), topics, [Means(), ByTopic()], seeds=[0], out=tmp_path, ours=["by_topic"])
    for name in ("cost_quality", "reliability", "differences_balance"):
        starts = {kind: (tmp_path / "figures" / f"{name}.{kind}").read_bytes()[:5] for kind in ("pdf", "svg", "png")}
        assert starts == {"pdf": b"%PDF-", "svg": b"<svg ", "png": b"\x89PNG\r"}
    table = (tmp_path / "tables" / "scenario_balance.tex").read_text()
    assert r"\toprule" in table
    assert r"max width=\linewidth" in table
    assert r"by\_topic & \makecell" in table
    assert "| by_topic |" in (tmp_path / "tables" / "scenario_balance.md").read_text()
    curves = pl.read_csv(tmp_path / "curves.csv")
    assert set(curves["name"]) == {"means", "by_topic", "alpha", "beta", "gamma"}
    bands = curves.filter(kind="router")
    assert (bands["low"] <= bands["performance"]).all()
    assert (bands["performance"] <= bands["high"]).all()


def test_latex_writes_every_sign_and_sets_intervals_below() -> None:
    table = as_latex([["a_b", "long title of a column"], ["50% & $1", "+0.1 [−0.1, +0.3]"]], "x < y")
    assert r"50\% \& \$1" in table
    assert r"\makecell[r]{+0.1\\[-2pt]{\scriptsize [$-$0.1, +0.3]}}" in table
    assert r"long title\\of a column" in table
    assert r"\caption{x \textless{} y}" in table


def test_the_page_shows_each_query_its_choices_and_its_regret(done: tuple[Evaluation, str]) -> None:
    held = json.loads(re.search(r'id="choices">(.*?)</script>', done[1], flags=re.S)[1])  # type: ignore[index]
    assert held["routers"][0] == "by_topic"
    assert held["total"] == len(held["ids"]) == done[0].sizes[0]["test"]
    assert all(text.startswith(task) for text, task in zip(held["texts"], held["tasks"], strict=True))
    for name, scenario in held["scenarios"].items():
        got = np.array(scenario["routers"]["by_topic"]["reward"])
        mean = done[0].results.filter(router="by_topic", scenario=name, metric="reward", seed=0, task="")["value"][0]
        assert got.mean() == pytest.approx(mean, abs=1e-3)
        oracle = done[0].results.filter(router="oracle", scenario=name, metric="reward", seed=0, task="")["value"][0]
        assert np.mean(scenario["top"]) == pytest.approx(oracle, abs=1e-3)
    rows = re.findall(r'<tr><th scope="row">(.*?)</th>', done[1].split('class="queries"')[1].split("</table>")[0])
    assert len(rows) == 20, "without a script, the choices of the largest regret"


def test_the_page_says_what_ran_and_what_came_out(done: tuple[Evaluation, str]) -> None:
    evaluation, html = done
    text = Page(html).text
    for heading in (
        "Routers compared on planted (simulated)",
        "Scenario performance_first",
        "Scenario balance",
        "Scenario cost_first",
        "Predicted quality of an edge",
        "Cost and quality",
        "Query by query",
        "By task",
        "Which LLM each router picks",
        "Time",
        "How it was measured",
    ):
        assert heading in text
    assert text.index("by_topic reaches") < text.index("Cost and quality") < text.index("Scenario performance_first")
    assert "Simulated log" in text
    assert "Cost is estimated" not in text
    assert "150 queries, 3 LLMs, 2 tasks" in text
    assert "(seed 0)" in text
    for row in evaluation.summary.filter(pl.col("metric").is_in(["reward", "nll", "aiq"])).iter_rows(named=True):
        assert f"{row['mean']:.4f}".replace("-", "−") in text
    ours = evaluation.summary.filter(
        pl.col("router") == "by_topic", pl.col("scenario") == "performance_first", pl.col("metric") == "reward"
    )
    assert f"against means, the best baseline: ▲ +{ours['difference'][0]:.4f}" in text


def test_a_training_that_was_cut_short_by_its_length_is_named(tmp_path: Path) -> None:
    routers = {"short": replace(find_router("irt")(), steps=1), "means": Means()}
    with pytest.warns(UserWarning, match="irt: the last evaluation was the best"):
        found = compare(make_log(120), topics, routers, seeds=[0, 1], out=tmp_path, tune=False)
    assert [entry["best_is_last"] for entry in found.about["short"]] == [True, True]
    assert [entry["best_is_last"] for entry in found.about["means"]] == [False, False]
    assert (tmp_path / "report.html").read_text().count("best at its last step (2×)") == 1


def test_the_best_is_marked_and_the_oracle_takes_no_part(done: tuple[Evaluation, str]) -> None:
    section = done[1].split("Scenario performance_first")[1].split("<h2>")[0]
    rows = re.findall(r"<tr(?: class=\"(.*?)\")?>(<th scope=\"row\">.*?)</tr>", section, flags=re.S)
    first_cells = {re.sub("<.*?>", "", cells.split("</th>")[0]): (style, cells) for style, cells in reversed(rows)}
    assert first_cells["oracle"][0] == "aside"
    assert 'class="best"' not in first_cells["oracle"][1]
    assert first_cells["by_topic"][0] == "ours"
    reward = re.findall(r"<td.*?</td>", first_cells["by_topic"][1])[0]
    assert 'class="best"' in reward


def test_a_page_without_cost_has_no_curve(tmp_path: Path) -> None:
    compare(make_log(120, cost=False), topics, [Means(), Last()], seeds=[0], out=tmp_path)
    text = Page((tmp_path / "report.html").read_text()).text
    assert "No curve: this log has no cost for every outcome" in text
    assert "$ per 1,000 queries" not in text
    assert "Scenario balance" not in text


def test_a_page_where_all_llms_are_free_is_whole(tmp_path: Path) -> None:
    log = make_log(120)
    free = replace(log, llms=log.llms.with_columns(input_price=0.0, output_price=0.0))
    compare(free, topics, [Means(), Last()], seeds=[0], out=tmp_path)
    text = Page((tmp_path / "report.html").read_text()).text
    assert "No curve: every LLM of this log is free" in text
    assert "Scenario balance" in text


def test_a_page_of_very_few_queries_is_whole(tmp_path: Path) -> None:
    done = compare(make_log(20), topics, [Means(), ByTopic(), Last()], seeds=[0, 1], out=tmp_path, ours=["by_topic"])
    assert min(parts["test"] for parts in done.sizes.values()) < 6
    assert "by_topic reaches" in Page((tmp_path / "report.html").read_text()).text


def test_a_page_without_tasks_or_baselines_is_whole(tmp_path: Path) -> None:
    compare(make_log(120, without_task=1.0), topics, [ByTopic()], seeds=[0], out=tmp_path, ours=["by_topic"])
    text = Page((tmp_path / "report.html").read_text()).text
    assert "By task" not in text
    assert "by_topic reaches a mean reward of" in text


def test_the_terminal_table_is_ranked_and_aligned(done: tuple[Evaluation, str]) -> None:
    lines = format_table(done[0]).splitlines()
    assert lines[0].startswith("planted (simulated): 2 seeds of ")
    assert lines[2].split()[:6] == ["router", "performance", "balance", "cost_first", "nll", "auroc"]
    assert lines[2].endswith("reward against means")
    assert [line.split()[0] for line in lines[4:8]] == ["oracle", "by_topic", "means", "last"]
    ours = lines[5]
    assert re.search(r"\*", ours)
    assert "*" not in lines[4]
    assert re.search(r"\+0\.\d{4} \[\+0\.\d{4}, \+0\.\d{4}\]$", ours)
    assert lines[6].endswith("–")
    columns = [line[: lines[2].index("performance") + len("performance")] for line in lines[4:8]]
    assert len({len(column) for column in columns}) == 1
    assert lines[9:] == [
        "*: the best value of its column, oracle left out; none where all are equal.",
        "[low, high]: 95% interval for these fitted routers: test queries are resampled, splits and training held fixed.",
        *noise_budget(make_log(150)).sentences(),
    ]


def test_the_noise_budget_stands_on_the_page_in_the_tables_and_in_the_config(tmp_path: Path) -> None:
    log = make_log(90, draws=3)
    compare(log, topics, [ByTopic(), Means()], seeds=[0], out=tmp_path, ours=["by_topic"])
    known = noise_budget(log)
    kept = json.loads((tmp_path / "config.json").read_text())["noise"]
    assert NoiseBudget.from_about(kept).about() == known.about()
    text = Page((tmp_path / "report.html").read_text()).text
    assert "What this log lets a router gain" in text
    for sentence in known.sentences():
        assert sentence in text
    table = (tmp_path / "tables" / "noise_budget.md").read_text()
    for name, one in {"all": known, **known.tasks}.items():
        assert re.search(rf"\| {name} \| {one.groups} \| {one.none_solves.value:.1%} ", table)
    assert "luck of an oracle of one draw" in table


def test_results_of_before_the_noise_budget_are_reported_without_it(tmp_path: Path) -> None:
    compare(make_log(90), topics, [ByTopic(), Means()], seeds=[0], out=tmp_path, ours=["by_topic"])
    config = json.loads((tmp_path / "config.json").read_text())
    del config["noise"]
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert "luck" not in format_table(summarise(tmp_path))
    assert "What this log lets a router gain" not in (tmp_path / "report.html").read_text()


def test_a_new_metric_is_scored_and_shown_without_any_further_word(tmp_path: Path) -> None:
    def twice_the_gap(choice: np.ndarray, rewards: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        return metrics.gap_to_oracle(choice, rewards, weights) * 2

    def twice_the_cost(choice: np.ndarray, cost: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        return metrics.cost(choice, cost, weights) * 2

    try:
        metrics.metric("scenario", ("choice", "rewards"), "double gap", "Twice what is lost", lower=True)(twice_the_gap)
        metrics.metric("scenario", ("choice", "cost"), "double $", "Twice the cost", dollars=True)(twice_the_cost)
        done = compare(make_log(120), topics, {"means": Means()}, seeds=[0], out=tmp_path)
    finally:
        del metrics.METRICS["twice_the_gap"], metrics.METRICS["twice_the_cost"]
    means = {(row["scenario"], row["metric"]): row["mean"] for row in done.summary.iter_rows(named=True)}
    assert means["balance", "twice_the_gap"] == pytest.approx(2 * means["balance", "gap_to_oracle"])
    page = (tmp_path / "report.html").read_text()
    assert '<th scope="col">double gap</th>' in page
    assert "double gap: Twice what is lost (lower is better)." in page
    assert '<th scope="col">over random</th>' in page
    assert "double gap" in (tmp_path / "tables" / "scenario_balance_further.tex").read_text()
    head, _, row = (tmp_path / "tables" / "scenario_balance_further.md").read_text().splitlines()[:3]
    shown = dict(zip(head.strip("| ").split(" | "), row.strip("| ").split(" | "), strict=True))
    assert float(shown["double $"]) == pytest.approx(2000 * means["balance", "cost"], rel=0.01)


def test_a_bar_stands_where_its_values_are_and_an_arrow_beyond_the_scale() -> None:
    bar = macro("bar", -0.1, 0.0, 0.1, (-0.2, 0.2), "mark")
    assert "--a:25.00%;--b:25.00%;--m:50.00%" in bar
    assert 'class="bar  off high"' in macro("bar", 0.3, 0.4, 0.5, (-0.2, 0.2), "mark")
    assert "--m:50.00%" in macro("bar", 0.0, 0.0, 0.0, (0.0, 0.0), "mark", zero=True), "no range is no full bar"
    assert "95% interval −0.1000 to 0.1000" in bar
