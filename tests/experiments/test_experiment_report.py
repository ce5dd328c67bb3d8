import json
import re
import shutil
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from report_runs import many_runs, real_run, small_log

from experiments import report
from experiments.reporting import Run, read_runs, render
from experiments.reporting.best import best_section
from experiments.reporting.differences import difference_section
from experiments.reporting.document import figures
from experiments.reporting.explored import explored_sections, shades
from experiments.reporting.importance import Importance, encode, importance
from experiments.reporting.paired import base_of, differences
from experiments.reporting.panels import Configuration, Panel, panels
from experiments.reporting.training_curves import training_section
from graphrouter.evaluation.report.axes import number_axis, word_axis
from graphrouter.evaluation.report.page import macro
from graphrouter.evaluation.simultaneous import simultaneous
from graphrouter.evaluation.store import share_outcomes


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("real")
    real_run(folder / "kept", small_log(folder))
    return folder / "kept"


@pytest.fixture(scope="module")
def many(kept: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("many")
    many_runs(folder, kept, 25, 3)
    return folder


@pytest.fixture
def panel(many: Path) -> Panel:
    (found,) = panels(read_runs([many]))
    return found


def change(folder: Path, run: str, **values: object) -> None:
    file = folder / "runs" / run / "run.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


def copy(many: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(many, tmp_path / "out"))


def run_fails(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    capsys.readouterr()
    assert report.main(list(argv)) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1, said
    assert said.startswith("experiments: error: ")
    return said


# What is averaged, and with what


def test_runs_are_averaged_over_seeds_of_one_configuration_only(panel: Panel) -> None:
    assert len(panel.runs) == 75
    assert len(panel.configurations) == 25
    for one in panel.configurations:
        assert [run.seed for run in one.runs] == [0, 1, 2]
        assert len({run.settings["gnn.alpha"] for run in one.runs}) == 1
        assert one.mean("test/nll") == pytest.approx(np.mean([run.metrics["test/nll"] for run in one.runs]))
    assert panel.varying == ["gnn.alpha", "gnn.width", "gnn.relations"]
    values = [one.mean("validation/nll") for one in panel.configurations]
    assert values == sorted(values)


def test_logs_and_protocols_are_never_mixed(many: Path, tmp_path: Path) -> None:
    out = copy(many, tmp_path)
    for number, (log, protocol) in enumerate((("other", "by_query"), ("other", "leave_task_out"))):
        run = f"c00{number}-s0"
        settings = json.loads((out / "runs" / run / "run.json").read_text())["settings"]
        change(out, run, settings=settings | {"log": log, "protocol": protocol, "held_out": "arithmetic"})
    runs = read_runs([out])
    divided = panels(runs)
    assert [(Path(panel.log).name, panel.protocol, len(panel.runs)) for panel in divided] == [
        ("other", "by_query", 1),
        ("small", "by_query", 73),
        ("other", "leave_task_out", 1),
    ]
    page = render(runs)
    assert page.count('<section class="panel"') == 3
    assert "lack some of the 3 seeds" in page


def test_names_that_occur_twice_get_their_factor_or_a_number(panel: Panel) -> None:
    assert len({one.label for one in panel.configurations}) == 25

    def run(name: str, group: str | None, alpha: float) -> Run:
        settings = {"log": "a", "router": "gnn", "gnn.alpha": alpha}
        return Run(
            f"{name}{alpha}",
            "out",
            "finished",
            name=name,
            group=group,
            settings=settings,
            metrics={"validation/nll": alpha},
        )

    made = Panel(
        "a", "by_query", [run("5", "k", 0.1), run("5", "width", 0.2), run("6", "k", 0.3), run("base", None, 0.4)]
    )
    assert [one.label for one in made.configurations] == ["k: 5", "width: 5", "6", "gnn"]
    grid = [run("none", "relations", 0.1), run("base", "conv", 0.2), run("base", None, 0.3)]
    for one in grid:
        one.kind, one.base = "ablation", one.name == "base"
    assert [one.label for one in Panel("a", "by_query", grid).configurations] == [
        "relations: none",
        "conv: base",
        "base",
    ]
    twice = Panel("a", "by_query", [run("5", "k", 0.1), run("5", "k", 0.2)])
    assert [one.label for one in twice.configurations] == ["k: 5 #1", "k: 5 #2"]


# What is said


def test_the_best_is_chosen_on_validation_and_its_test_value_stands_beside(panel: Panel) -> None:
    says = best_section(panel).says
    best, second = panel.configurations[:2]
    assert f"<b>{best.label}</b> has the best nll on validation: {best.mean('validation/nll'):.4f}" in says
    assert f"and {best.mean('test/nll'):.4f} on test" in says
    gap = second.mean("validation/nll") - best.mean("validation/nll")
    assert f"{second.label}, is {gap:.4f} behind" in says
    paired = best.differences(second, "validation/nll")
    equal = abs(paired.mean()) < 2 * paired.std(ddof=1) / np.sqrt(3)
    assert ("read them as equal" in says) is bool(equal)


def test_a_metric_of_test_alone_is_not_recommended_to_choose_by(panel: Panel) -> None:
    values = json.loads(re.search(r'class="values">(.*?)</script>', best_section(panel).body)[1])  # type: ignore[index]
    by_name = {metric["name"]: metric for metric in values["metrics"]}
    assert by_name["nll"]["lower"] is True
    assert by_name["performance_first/reward"]["lower"] is False
    for run in panel.runs:
        run.metrics = {key: value for key, value in run.metrics.items() if key != "validation/aiq"}
    values = json.loads(
        re.search(r'class="values">(.*?)</script>', best_section(Panel(panel.log, "by_query", panel.runs)).body)[1]
    )  # type: ignore[index]
    aiq = next(metric for metric in values["metrics"] if metric["name"] == "aiq")
    assert "choose nothing by it" in aiq["says"]


def test_importance_finds_what_matters_and_not_what_does_not(panel: Panel) -> None:
    found = importance(panel, "validation/nll")
    assert isinstance(found, Importance)
    assert set(found.settings[:2]) == {"gnn.alpha", "gnn.relations"}
    means = dict(zip(found.settings, found.share.mean(axis=1), strict=True))
    assert means["gnn.alpha"] > 0.2
    assert means["gnn.relations"] > 0.2
    assert abs(means["gnn.width"]) < 0.1
    assert abs(means["seed"]) < 0.05
    assert found.explained > 0.7
    assert found.configurations == 25


def test_importance_learns_nothing_from_noise(panel: Panel) -> None:
    random = np.random.default_rng(0)
    noise = {one.label: random.normal() for one in panel.configurations}
    for one in panel.configurations:
        for run in one.runs:
            run.metrics["validation/nll"] = noise[one.label]
    found = importance(panel, "validation/nll")
    assert isinstance(found, Importance)
    assert found.explained < 0.05  # seeds of a configuration are never on both sides
    assert "mean nothing" in explored_sections(panel)[0].says


def test_too_few_runs_or_settings_are_said_instead_of_an_importance(panel: Panel) -> None:
    few = Panel("a", "by_query", [run for run in panel.runs if run.id < "c010"])
    assert "needs 20 configurations or more with validation/nll; here there are 10" in str(
        importance(few, "validation/nll")
    )
    for run in panel.runs:
        run.settings = {"log": "a", "seed": run.seed, "gnn.alpha": run.settings["gnn.alpha"]}
    one = Panel("a", "by_query", panel.runs)
    assert "two varying settings" in str(importance(one, "validation/nll"))


def test_settings_become_numbers_by_rank_and_words_by_alphabet() -> None:
    assert encode([10, None, 2.5]).tolist() == [1, -1, 0]
    assert encode(["b", "a", None]).tolist() == [1, 0, -1]
    assert encode([True, False]).tolist() == [1, 0]
    assert encode([["x"], ["a", "b"]]).tolist() == [1, 0]


def test_differences_are_paired_by_query_and_seed(panel: Panel, many: Path) -> None:
    found, left_out = differences(panel)
    assert left_out == 0
    assert {one.metric for one in found} == {"nll", "performance_first/reward", "balance/reward", "cost_first/reward"}
    one = next(one for one in found if one.one.first.name == "c007" and one.metric == "nll")
    expected = []
    for seed in range(3):
        mine, base = (
            next(run for run in panel.runs if run.id == f"{name}-s{seed}").frame() for name in ("c007", "c000")
        )
        expected.append(((mine["nll"] - base["nll"]) * mine["cells"]).sum() / mine["cells"].sum())
    assert one.value == pytest.approx(np.mean(expected))
    assert one.deviation == pytest.approx(np.std(expected, ddof=1))
    assert one.seeds == 3
    assert one.low < one.value < one.high
    assert (one.verdict == "unclear") == (one.low <= 0 <= one.high)
    reward = next(one for one in found if one.one.first.name == "c007" and one.metric == "balance/reward")
    assert reward.value == 0  # the same choices
    assert reward.verdict == "unclear"


def test_intervals_are_wider_than_for_one_comparison_and_reach_symmetrically(panel: Panel) -> None:
    found = [one for one in differences(panel)[0] if one.metric == "nll"]
    alone = Panel(panel.log, "by_query", [run for run in panel.runs if run.id[:4] in ("c000", "c007")])
    single = next(one for one in differences(alone)[0] if one.metric == "nll")
    among = next(one for one in found if one.one.first.name == "c007")
    assert among.value == pytest.approx(single.value)
    assert among.high - among.low > 1.2 * (single.high - single.low)
    values = np.random.default_rng(0).normal(size=(3, 400))
    joint = simultaneous(np.zeros(3), values)
    assert np.allclose(joint.low, -joint.high)


def test_runs_on_other_test_queries_are_not_compared(many: Path, tmp_path: Path) -> None:
    out = copy(many, tmp_path)
    run = next(run for run in read_runs([out]) if run.id == "c003-s1").kept
    outcomes = replace(run.outcomes, ids=np.array([f"other {one}" for one in run.outcomes.ids]))
    change(out, "c003-s1", outcomes=share_outcomes(run.folder, outcomes))
    (panel,) = panels(read_runs([out]))
    found, left_out = differences(panel)
    assert left_out == 1
    assert {one.seeds for one in found if one.one.label.endswith("c003")} == {2}
    assert "Left out, as their test queries differ: 1 pair of runs" in difference_section(panel).body


def test_a_factor_with_a_base_of_its_own_is_compared_with_that() -> None:
    def made(group: str | None, base: bool, source: str = "out") -> Configuration:
        return Configuration("", [Run("", source, "finished", group=group, base=base)])

    root, own, inside, outside = made(None, True), made("conv", True), made("conv", False), made("loss", False)
    elsewhere = made("loss", False, "another")
    everything = [outside, inside, own, root, elsewhere]
    assert base_of(inside, everything) is own
    assert base_of(own, everything) is root
    assert base_of(outside, everything) is root
    assert base_of(root, everything) is None
    assert base_of(elsewhere, everything) is None


def test_every_figure_says_something_and_has_its_data(panel: Panel) -> None:
    shown = figures(panel)
    assert [figure.title for figure in shown] == [
        "Best configurations",
        "Cost and quality",
        "Differences to the base",
        "Importance of settings",
        "Settings and metric, line by line",
        "Training",
        "Gain over the best single LLM, by task",
        "Which LLM is picked",
    ]
    for figure in shown:
        assert len(figure.says) > 40, figure.title
        assert figure.rows, figure.title
        assert all(len(row) == len(figure.head) for row in figure.rows), figure.title
        html = macro("figure", figure)
        assert html.count("<svg") == html.count('<svg role="img" aria-label='), figure.title
        assert 'class="csv"' in html


def test_training_that_was_cut_short_is_said(panel: Panel) -> None:
    def says() -> str:
        return training_section(Panel("a", "by_query", panel.runs)).says

    assert "more steps would bring little" in says()
    for run in panel.runs:
        run.history = [
            {"label": "gnn", "step": step, "train_loss": 1.0, "validation_loss": 1 - step / 1000}
            for step in range(20, 820, 20)
        ]
    assert "more steps may help" in says()


# Folders that are not as they should be


def test_a_record_that_is_cut_off_is_named_and_the_rest_is_shown(many: Path, tmp_path: Path) -> None:
    out = copy(many, tmp_path)
    file = out / "runs" / "c001-s0" / "run.json"
    file.write_text(file.read_text()[:500])
    (out / "runs" / "c001-s1" / "run.json").unlink()
    (out / "runs" / "c001-s2" / "run.json").write_text("[]")
    change(out, "c002-s0", status="failed", error="out of <memory>", metrics={})
    runs = read_runs([out])
    assert sorted(run.status for run in runs if run.status != "finished") == [
        "failed",
        "unfinished",
        "unreadable",
        "unreadable",
    ]
    page = render(runs)
    assert "out of &lt;memory&gt;" in page
    assert "Without a record that can be read, and left out below: 2 runs" in page
    assert "Not ended, and left out below: 1 run." in page


def test_pages_of_failed_single_and_bare_runs(kept: Path, tmp_path: Path) -> None:
    single = render(read_runs([kept]))
    assert "There is nothing to compare it with" in single
    out = tmp_path / "out"
    shutil.copytree(kept, out / "runs" / "one")
    change(out, "one", metrics={}, history=[], tasks=[], shares={}, curve=[], llms=[], references={})
    (out / "runs" / "one" / "predictions.npz").unlink()
    bare = render(read_runs([out]))
    assert "No run has" in bare
    change(out, "one", status="failed", error="no luck")
    failed = render(read_runs([out]))
    assert "None of 1 run has finished" in failed
    assert "no luck" in failed
    (out / "runs" / "one" / "run.json").write_text("{")
    assert "Without a record that can be read" in render(read_runs([out]))


def test_what_makes_runs_less_than_comparable_is_warned_of(many: Path, tmp_path: Path) -> None:
    out = copy(many, tmp_path)
    for run in ("c000-s0", "c001-s0"):
        record = json.loads((out / "runs" / run / "run.json").read_text())
        packages = record["provenance"]["packages"] | {"torch": "9.9" if run == "c000-s0" else "1.1"}
        settings = record["settings"] | {"estimate_cost": True}
        change(
            out, run, provenance={"commit": f"{run}-dirty", "python": "3.11", "packages": packages}, settings=settings
        )
    page = render(read_runs([out]))
    assert re.search(r"Runs of \d commits are mixed", page)
    assert "Made with uncommitted changes" in page
    assert re.search(r"Versions are mixed: [^<]*torch", page)
    assert "Cost is estimated" in page
    clean = tmp_path / "clean"
    shutil.copytree(out / "runs" / "c002-s0", clean / "runs" / "a")
    change(clean, "a", provenance={"commit": "abc", "python": "3.11", "packages": {}})
    assert "banner" not in render(read_runs([clean])).partition("<body>")[2]


def test_wrong_words_get_one_line(kept: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "report.html")
    assert "there is none" in run_fails(capsys, str(tmp_path / "nowhere"), "--out", out)
    assert "must hold runs" in run_fails(capsys, str(tmp_path), "--out", out)
    (tmp_path / "runs").mkdir()
    assert "must hold runs" in run_fails(capsys, str(tmp_path), "--out", out)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "config.json").write_text('{"kind": "train"}')
    assert "config.json is of another kind" in run_fails(capsys, str(tmp_path / "other"), "--out", out)
    (tmp_path / "other" / "config.json").write_text("{")
    assert "must be JSON" in run_fails(capsys, str(tmp_path / "other"), "--out", out)
    assert "give --out FILE" in run_fails(capsys, str(kept))
    assert "--output" in run_fails(capsys, str(kept), "--output", out)
    assert not Path(out).exists()


def test_the_command_writes_the_page(kept: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new" / "report.html"
    assert report.main([str(kept), "--out", str(out), "--title", "My runs"]) == 0
    assert "<h1>My runs</h1>" in out.read_text()
    assert "1 run, " in capsys.readouterr().err


def test_500_runs_take_less_than_20_seconds_of_one_core_and_15_megabytes(kept: Path, tmp_path: Path) -> None:
    many_runs(tmp_path, kept, 100, 5)
    started = time.process_time()
    page = render(read_runs([tmp_path]))
    assert time.process_time() - started < 20
    assert len(page.encode()) < 15e6
    assert "500: 500 finished" in page


# Charts


def test_an_axis_of_numbers_is_logarithmic_where_most_are_small_and_keeps_order_and_gaps() -> None:
    rates = number_axis("learning rate", np.array([1e-5, 1e-4, np.nan, 1e-3, 1e-2]))
    assert rates.places[[0, 1, 3, 4]] == pytest.approx([0, 1 / 3, 2 / 3, 1])
    assert np.isnan(rates.places[2])
    shares = number_axis("share", np.array([0.01, 0.5, 0.9, 1.0]))
    assert shares.places == pytest.approx([0, 0.49 / 0.99, 0.89 / 0.99, 1])
    assert [text for _, text in shares.ticks] == ["0.01", "0.5", "0.9", "1"]
    same = number_axis("same", np.array([3.0, 3.0]))
    assert same.places == pytest.approx([0, 0])
    drawn = np.random.default_rng(0).uniform(0, 1, 200)
    assert [text for _, text in number_axis("drawn", drawn).ticks] == ["0.2", "0.4", "0.6", "0.8"]


def test_words_stand_evenly_apart_and_what_is_not_set_has_no_place() -> None:
    axis = word_axis("conv", ["sage", None, "gat", "hgt"])
    assert axis.places[[0, 2, 3]] == pytest.approx([0, 1, 0.5])
    assert np.isnan(axis.places[1])


def test_shades_rank_from_worst_to_best_whichever_way_is_better() -> None:
    values = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7])
    assert shades(values, lower=False) == ["q0", "q1", "q2", "q3", "q4", "q5", "q6"]
    assert shades(values, lower=True) == ["q6", "q5", "q4", "q3", "q2", "q1", "q0"]
