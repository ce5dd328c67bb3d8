import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import graphrouter
from graphrouter.cli import main
from graphrouter.log import LLMLog
from graphrouter.pipeline import RoutingPipeline
from graphrouter.splits import by_query
from graphrouter.testing import BEST, make_log

REPO = Path(__file__).parents[1]
TRAIN = ("--router", "knn", "--encoder", "tfidf:8", "--device", "cpu")
TRAIN_MLP = ("--router", "mlp", *TRAIN[2:])
COMPARE = (
    "--routers",
    "best_single,knn",
    "--seeds",
    "2",
    "--encoder",
    "tfidf:8",
    "--tune-by",
    "none",
    "--device",
    "cpu",
)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(make_log(200).save(tmp_path_factory.mktemp("logs") / "planted"))


@pytest.fixture(scope="module")
def router(log: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    out = str(tmp_path_factory.mktemp("routers") / "knn")
    assert main(["train", log, *TRAIN, "--out", out, "k=20"]) == 0
    return out


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def broken_log(log: str, folder: Path, **tables: pl.DataFrame) -> str:
    """Copy a log with some tables exchanged, past all checks."""
    folder.mkdir()
    for file in Path(log).iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    for name, frame in tables.items():
        frame.write_parquet(folder / f"{name}.parquet")
    return str(folder)


def command(*argv: str, **options: object) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "graphrouter", *argv],
        cwd=REPO,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **options,  # type: ignore[call-overload]
    )


class TestStart:
    @pytest.mark.parametrize("words", [["--help"], ["compare", "--help"], ["route", "--help"], ["--version"]])
    def test_help_imports_nothing_heavy(self, words: list[str]) -> None:
        code = (
            "import sys\nfrom graphrouter.cli import main\ntry:\n    main(sys.argv[1:])\nexcept SystemExit as leaving:\n"
            "    assert leaving.code in (0, None)\n"
            "print(sorted({'torch', 'polars', 'sklearn', 'numpy', 'scipy', 'omegaconf', 'yaml'} & set(sys.modules)))"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, *words], capture_output=True, text=True, check=True, cwd=REPO
        )
        assert done.stdout.splitlines()[-1] == "[]"
        assert "graphrouter" in done.stdout

    @pytest.mark.parametrize(
        ("argv", "message"),
        [
            ([], "required: COMMAND"),
            (["compre"], "invalid choice: 'compre'"),
            (["compare"], "required: LOG, --out"),
            (
                ["compare", "x", "--out", "y", "--ruters", "knn"],
                "compare has no option --ruters; did you mean '--routers'",
            ),
            (["compare", "x", "--out", "y", "--seeds", "many"], "invalid int value: 'many'"),
            (["train", "x", "--out", "y"], "--router --config is required"),
            (["train", "x", "--out", "y", "--router", "a", "--config", "b"], "not allowed with"),
            (["inspect", "x", "y"], "inspect does not take 'y'"),
            (["route", "x", "--alpha", "1", "--scenario", "balance"], "not allowed with"),
        ],
    )
    def test_wrong_words_are_one_line(self, fail: Callable[..., str], argv: list[str], message: str) -> None:
        assert message in fail(*argv)


class TestLogs:
    def test_simulate_then_inspect(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        out = str(tmp_path / "log")
        assert (
            main(["simulate", "--out", out, "--queries", "60", "--llms", "3", "--tasks", "2", "--missing", "0.2"]) == 0
        )
        log = LLMLog.load(out)
        assert (log.queries.height, log.llms.height, len(log.tasks), log.simulated) == (60, 3, 2, True)
        assert log.records.height < 180
        capsys.readouterr()
        assert main(["inspect", out]) == 0
        said = capsys.readouterr().out
        assert "simulated" in said
        assert all(llm in said for llm in log.llm_names)

    def test_inspect_can_estimate_costs(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        out = str(make_log(50, cost=False).save(tmp_path / "log"))
        assert main(["inspect", out, "--estimate-cost"]) == 0
        assert "estimated" in capsys.readouterr().out

    def test_simulate_leaves_other_files_alone(self, tmp_path: Path, fail: Callable[..., str]) -> None:
        (tmp_path / "thesis.tex").write_text("mine")
        assert "holds other files" in fail("simulate", "--out", str(tmp_path))
        assert snapshot(tmp_path) == {"thesis.tex": b"mine"}


class TestTrain:
    def test_the_folder_holds_the_router_and_its_config(self, router: str) -> None:
        names = {file.name.split("-")[0] for file in Path(router).iterdir()}
        assert names == {"router.json", "config.yaml", "state"}
        pipeline = RoutingPipeline.load(router)
        assert (pipeline.router.name, pipeline.router.k, pipeline.encoder.spec) == ("knn", 20, "tfidf:8")

    def test_its_config_trains_the_same_router(self, log: str, router: str, tmp_path: Path) -> None:
        out = str(tmp_path / "again")
        config = f"{router}/config.yaml"
        assert main(["train", log, "--config", config, "--encoder", "tfidf:8", "--device", "cpu", "--out", out]) == 0
        texts = ["algebra question 1", "x"]
        one, two = (RoutingPipeline.load(folder).predict(texts).quality for folder in (router, out))
        np.testing.assert_array_equal(one, two)

    def test_overrides_change_a_config(self, log: str, tmp_path: Path) -> None:
        out = str(tmp_path / "out")
        assert (
            main(["train", log, "--config", "knn", "--out", out, "k=7", "--seed", "3", "strength=1e-1", "--quiet"]) == 0
        )
        pipeline = RoutingPipeline.load(out)
        assert (pipeline.router.k, pipeline.router.strength, pipeline.seed) == (7, 0.1, 3)

    def test_an_interrupted_training_goes_on_and_ends_as_without(
        self, log: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        words = ["train", log, *TRAIN_MLP, "steps=120", "--out"]
        assert main([*words, str(tmp_path / "whole")]) == 0
        import torch

        steps = iter(range(100))
        step = torch.optim.AdamW.step

        def interrupted(self: torch.optim.AdamW, *arguments: object, **options: object) -> object:
            if next(steps) == 30:
                raise KeyboardInterrupt
            return step(self, *arguments, **options)

        out = tmp_path / "cut"
        with monkeypatch.context() as patched:
            patched.setattr(torch.optim.AdamW, "step", interrupted)
            capsys.readouterr()
            assert main([*words, str(out)]) == 130
            assert (
                "interrupted; what is finished is kept, and the same command goes on from there"
                in capsys.readouterr().err
            )
        assert [file.name for file in out.iterdir()] == ["checkpoint.pt"]
        assert main([*words, str(out)]) == 0
        assert not (out / "checkpoint.pt").exists()
        texts = ["algebra question 1", "x"]
        one, two = (RoutingPipeline.load(tmp_path / name).predict(texts).quality for name in ("whole", "cut"))
        np.testing.assert_array_equal(one, two)

    def test_a_checkpoint_of_another_run_is_refused(
        self, log: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fail: Callable[..., str]
    ) -> None:
        words = ["train", log, *TRAIN_MLP, "--quiet", "--out", str(tmp_path / "r")]
        with monkeypatch.context() as patched:
            patched.setattr(RoutingPipeline, "save", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
            assert main([*words, "steps=40"]) == 130
        assert "must come from the same data, config and seed" in fail(*words, "steps=60")

    def test_wandb_offline_writes_below_out_and_says_nothing(
        self, log: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.chdir(tmp_path)
        monkeypatch.delenv("WANDB_SILENT", raising=False)
        words = [*TRAIN_MLP, "--quiet", "--wandb", "offline", "steps=40"]
        assert main(["train", log, *words, "--out", str(tmp_path / "r")]) == 0
        assert list(tmp_path.glob("r/wandb/offline-run-*/*.wandb"))
        assert [path.name for path in tmp_path.iterdir()] == ["r"]
        told = capfd.readouterr()
        assert "wandb:" not in told.out + told.err
        assert main(["train", log, *words, "--out", str(tmp_path / "r")]) == 0  # the folder is still a router's


class TestCompare:
    def test_a_killed_comparison_goes_on(self, log: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        out = tmp_path / "out"
        words = ["compare", log, *COMPARE, "--out", str(out)]
        assert main(words) == 0
        first = capsys.readouterr()
        assert "knn" in first.out
        assert f"report: {out}/report.html" in first.err
        whole = snapshot(out)
        written_last = (".csv", ".html", ".parquet")
        gone = {name for name in whole if name.startswith("runs/knn-seed1") or name.endswith(written_last)}
        assert len(gone) == 8
        for name in gone:
            (out / name).unlink()
        assert main(words) == 0
        assert capsys.readouterr().out == first.out
        after = snapshot(out)
        assert after.keys() == whole.keys()
        assert after["results.csv"] == whole["results.csv"]
        assert all(after[name] == whole[name] for name in whole if name.startswith("runs/best_single"))

    def test_the_files_say_what_was_run(self, log: str, tmp_path: Path) -> None:
        out = tmp_path / "out"
        words = ["--scenarios", "performance_first,balance", "knn.k=7"]
        assert main(["compare", log, *COMPARE, *words, "--out", str(out), "--quiet"]) == 0
        config = json.loads((out / "config.json").read_text())
        assert config["encoder"] == "tfidf:8"
        assert config["routers"]["knn"]["hyperparameters"]["k"] == 7
        assert [scenario["name"] for scenario in config["scenarios"]] == ["performance_first", "balance"]
        assert config["seeds"] == [0, 1]
        results = pl.read_csv(out / "results.csv")
        assert results.columns == ["log", "router", "seed", "split", "scenario", "task", "metric", "value"]

    def test_a_hyperparameter_that_is_set_is_kept_in_tuning(self, log: str, tmp_path: Path) -> None:
        words = ["--routers", "knn", "--seeds", "1", "--encoder", "tfidf:8", "--tune-by", "nll", "knn.k=7", "--quiet"]
        assert main(["compare", log, *words, "--out", str(tmp_path / "out")]) == 0
        about = json.loads((tmp_path / "out" / "runs" / "knn-seed0" / "run.json").read_text())["about"]
        assert about["hyperparameters"]["k"] == 7

    def test_an_estimated_cost_is_called_so(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        log = str(make_log(100, cost=False).save(tmp_path / "log"))
        out = tmp_path / "out"
        assert main(["compare", log, *COMPARE, "--estimate-cost", "--scenarios", "balance", "--out", str(out)]) == 0
        assert "estimated" in capsys.readouterr().out
        assert "estimated" in (out / "report.html").read_text()
        assert "estimated" in pl.read_csv(out / "results.csv")["log"][0]

    def test_ctrl_c_says_how_to_go_on(
        self, log: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def interrupted(*arguments: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr("graphrouter.routers.knn.KNN.fit", interrupted)
        assert main(["compare", log, *COMPARE, "--quiet", "--out", str(tmp_path / "out")]) == 130
        said = capsys.readouterr().err
        assert said == "graphrouter: interrupted; what is finished is kept, and the same command goes on from there\n"
        assert [file.name for file in (tmp_path / "out" / "runs").iterdir()] == ["best_single-seed0"]


class TestEvaluate:
    def test_only_queries_that_the_router_has_not_seen_are_scored(
        self, log: str, router: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        out = tmp_path / "out"
        assert main(["evaluate", router, log, "--out", str(out)]) == 0
        captured = capsys.readouterr()
        split = by_query(LLMLog.load(log), 0)
        assert f"{len(split.train) + len(split.validation)} queries are left out" in captured.err
        assert f"{len(split.test)} queries and 3 LLMs are scored" in captured.err
        assert "knn" in captured.out
        config = json.loads((out / "config.json").read_text())
        assert config["trained_on"] == "planted"
        assert {"results.csv", "summary.csv", "report.html"} <= {file.name for file in out.iterdir()}

    def test_llms_that_only_one_knows_are_left_out_and_named(
        self, router: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        other = make_log(60, seed=5, rare=True).take_llms(["alpha", "beta", "rare"])
        texts = other.queries.with_columns(query=pl.col("query") + " anew")
        folder = broken_log(str(other.save(tmp_path / "a")), tmp_path / "b", queries=texts)
        assert main(["evaluate", router, folder, "--out", str(tmp_path / "out"), "--scenarios", "cost_first"]) == 0
        said = capsys.readouterr().err
        assert "1 LLMs are left out, which the router does not know: rare" in said
        assert "1 LLMs of the router are not in the log, and are not chosen: gamma" in said
        assert "60 queries and 2 LLMs are scored" in said

    def test_a_log_that_was_all_seen_is_refused(
        self, log: str, router: str, tmp_path: Path, fail: Callable[..., str]
    ) -> None:
        seen = LLMLog.load(log)
        folder = str(seen.take(by_query(seen, 0).train).save(tmp_path / "seen"))
        assert "not trained or validated on" in fail("evaluate", router, folder, "--out", str(tmp_path / "out"))
        assert not (tmp_path / "out").exists()

    def test_wrong_arguments(self, log: str, router: str, tmp_path: Path, fail: Callable[..., str]) -> None:
        out = ("--out", str(tmp_path / "out"))
        assert "router.json" in fail("evaluate", log, log, *out)
        assert "unknown scenario" in fail("evaluate", router, log, *out, "--scenarios", "balanced")
        assert "trained on judge_score" in fail("evaluate", router, log, *out, "--scenarios", "judge")
        assert "a log must be a folder" in fail("evaluate", router, "simulatd", *out)
        (tmp_path / "out").write_text("mine")
        assert "folder that can be written" in fail("evaluate", router, log, *out)


class TestRoute:
    def test_a_text(self, router: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["route", router, "history question 900", "--task", "history"]) == 0
        (line,) = capsys.readouterr().out.splitlines()
        decision = json.loads(line)
        assert decision["llm"] == BEST["history"]
        assert decision["task"] == "history"
        assert set(decision["quality"]) == set(decision["cost"]) == {"alpha", "beta", "gamma"}

    def test_a_text_after_the_options(self, router: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["route", router, "--task", "algebra", "algebra question 900"]) == 0
        assert json.loads(capsys.readouterr().out)["query"] == "algebra question 900"

    def test_plain_lines_from_a_file(self, router: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (tmp_path / "q.txt").write_text(
            "algebra question 900\n\nhistory question 901\r\n{not json}\n", encoding="utf-8-sig"
        )
        assert main(["route", router, "--file", str(tmp_path / "q.txt")]) == 0
        rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert [row["query"] for row in rows] == ["algebra question 900", "history question 901", "{not json}"]
        assert [row["llm"] for row in rows[:2]] == [BEST["algebra"], BEST["history"]]

    def test_json_lines_from_standard_input_in_chunks(
        self, router: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr("graphrouter.cli.route.CHUNK", 2)
        lines = [{"query": f"algebra\nquestion {n}", "task": "algebra" if n % 2 else None, "id": n} for n in range(5)]
        feed(monkeypatch, "\n".join(map(json.dumps, lines)))
        assert main(["route", router, "--task", "history", "--scenario", "balance"]) == 0
        rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert [row["query"] for row in rows] == [line["query"] for line in lines]
        assert [row["task"] for row in rows] == ["history", "algebra", "history", "algebra", "history"]
        assert {row["scenario"] for row in rows} == {"balance"}

    def test_alpha_goes_from_the_cheapest_to_the_best(self, router: str, capsys: pytest.CaptureFixture[str]) -> None:
        for alpha, llm in (("0", "gamma"), ("1", BEST["algebra"])):
            assert main(["route", router, "algebra question 900", "--alpha", alpha]) == 0
            assert json.loads(capsys.readouterr().out)["llm"] == llm

    def test_vectors_in_json_lines(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        log = make_log(200)
        vectors = [[1.0, 0.0] if text.startswith("algebra") else [0.0, 1.0] for text in log.queries["query"]]
        folder = broken_log(
            str(log.save(tmp_path / "a")), tmp_path / "b", queries=log.queries.with_columns(vector=pl.Series(vectors))
        )
        out = str(tmp_path / "router")
        assert main(["train", folder, "--router", "knn", "--encoder", "log", "--out", out, "k=20", "--quiet"]) == 0
        feed(monkeypatch, '{"query": "?", "vector": [2, 0]}\n{"query": "?", "vector": [0, 0.5]}\n')
        capsys.readouterr()
        assert main(["route", out]) == 0
        assert [json.loads(line)["llm"] for line in capsys.readouterr().out.splitlines()] == [
            BEST["algebra"],
            BEST["history"],
        ]

    def test_no_input_no_output(
        self, router: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        feed(monkeypatch, "\n \n")
        assert main(["route", router]) == 0
        assert capsys.readouterr().out == ""

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ('{"query": "a"}\n{"query": "b"\n', "line 2 must be JSON like the first line"),
            ('{"query": "a"}\n\nplain\n', "line 3 must be JSON like the first line"),
            ('{"query": "a"}\n[1]\n', 'line 2 must be a JSON object with a text "query"'),
            ('{"query": "a"}\n{"text": "b"}\n', 'line 2 must be a JSON object with a text "query"'),
            ('{"query": "a"}\n{"query": "b", "task": 3}\n', 'line 2: "task" must be text or null'),
            ('{"query": "a"}\n{"query": "b", "vector": ["x"]}\n', 'line 2: "vector" must be a list of numbers'),
        ],
    )
    def test_a_broken_line_is_named_after_those_before_it_are_routed(
        self, router: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], text: str, message: str
    ) -> None:
        feed(monkeypatch, text)
        assert main(["route", router]) == 2
        captured = capsys.readouterr()
        assert message in captured.err
        assert captured.err.count("\n") == 1
        assert [json.loads(line)["query"] for line in captured.out.splitlines()] == ["a"]

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (["text", "--file", "f"], "both were given"),
            (["--file", "/nowhere/f"], "--file must name a file"),
            (["text", "--scenario", "balanced"], "did you mean 'balance'"),
            (["text", "--scenario", "judge"], "trained on judge_score"),
            (["text", "--alpha", "2"], "within [0, 1]"),
            (["text", "--encoder", "tfidf:4"], "name the same encoder"),
            (["text", "--device", "tpu"], "device"),
        ],
    )
    def test_wrong_arguments(self, router: str, fail: Callable[..., str], words: list[str], message: str) -> None:
        assert message in fail("route", router, *words)

    def test_bytes_that_are_no_utf_8(self, router: str, tmp_path: Path, fail: Callable[..., str]) -> None:
        (tmp_path / "q").write_bytes(b"\xff\xfe")
        assert "line 1: the input must be UTF-8" in fail("route", router, "--file", str(tmp_path / "q"))

    def test_what_is_no_router(self, log: str, fail: Callable[..., str]) -> None:
        assert "a saved router must be a folder with router.json" in fail("route", log, "text")

    def test_a_reader_that_leaves_is_no_error(self, router: str, tmp_path: Path) -> None:
        (tmp_path / "q").write_text("algebra question\n" * 3000)
        running = command("route", router, "--file", str(tmp_path / "q"))
        assert running.stdout is not None
        json.loads(running.stdout.readline())
        running.stdout.close()
        assert running.wait(60) == 141
        assert running.stderr is not None
        assert running.stderr.read() == ""


def feed(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))


def bad_logs(log: LLMLog) -> dict[str, tuple[dict[str, pl.DataFrame], str]]:
    """Each log that the issue names as bad, and what is said of it."""
    records, queries = log.records, log.queries
    first = pl.int_range(pl.len()) == 0
    single = queries.with_columns(task=pl.when(first).then(pl.lit("lonely")).otherwise("task"))
    return {
        "duplicate key": ({"records": pl.concat([records, records[:1]])}, "must occur once"),
        "unknown llm": (
            {"records": records.with_columns(llm=pl.when(first).then(pl.lit("who")).otherwise("llm"))},
            "'who'",
        ),
        "unknown query": (
            {"records": records.with_columns(query_id=pl.when(first).then(pl.lit("who")).otherwise("query_id"))},
            "'who'",
        ),
        "performance 1.2": (
            {"records": records.with_columns(performance=pl.when(first).then(1.2).otherwise("performance"))},
            "within [0, 1]",
        ),
        "negative cost": (
            {"records": records.with_columns(cost=pl.when(first).then(-0.1).otherwise("cost"))},
            "not negative",
        ),
        "no rows": ({"records": records[:0]}, "must have rows"),
        "missing column": ({"records": records.drop("performance")}, "must have the column 'performance'"),
        "one llm": (
            {"llms": log.llms[:1], "records": records.filter(pl.col("llm") == log.llm_names[0])},
            "two LLMs or more",
        ),
        "task with one query": ({"queries": single}, "'lonely'"),
    }


BAD_LOGS = ["duplicate key", "unknown llm", "unknown query", "performance 1.2", "negative cost", "no rows", "missing column", "one llm", "task with one query"]  # fmt: skip
BAD_FILES = {"truncated file": (lambda content: content[: len(content) // 2], "whole Parquet file"), "empty file": (lambda content: b"", "whole Parquet file")}  # fmt: skip
COMMANDS = {
    "train": ("train", "{log}", *TRAIN, "--out", "{out}"),
    "compare": ("compare", "{log}", *COMPARE, "--out", "{out}"),
}


@pytest.fixture(scope="module")
def done(log: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the results of each command."""
    folder = tmp_path_factory.mktemp("done")
    for name, words in COMMANDS.items():
        assert main([word.format(log=log, out=folder / name) for word in words]) == 0
    return folder


class TestBadInput:
    """Each wrong input gives one line and status 2, and what was in the output folder stays as it was."""

    def refused(self, fail: Callable[..., str], done: Path, name: str, log: str, *more: str) -> str:
        before = snapshot(done / name)
        assert before
        said = fail(*[word.format(log=log, out=done / name) for word in COMMANDS[name]], *more)
        assert snapshot(done / name) == before
        return said

    @pytest.mark.parametrize("name", COMMANDS)
    @pytest.mark.parametrize("kind", BAD_LOGS)
    def test_a_bad_log(
        self, fail: Callable[..., str], done: Path, log: str, tmp_path: Path, name: str, kind: str
    ) -> None:
        tables, message = bad_logs(LLMLog.load(log))[kind]
        assert message in self.refused(fail, done, name, broken_log(log, tmp_path / "bad", **tables))

    @pytest.mark.parametrize("name", COMMANDS)
    @pytest.mark.parametrize("kind", BAD_FILES)
    def test_a_bad_file(
        self, fail: Callable[..., str], done: Path, log: str, tmp_path: Path, name: str, kind: str
    ) -> None:
        change, message = BAD_FILES[kind]
        bad = broken_log(log, tmp_path / "bad")
        file = Path(bad) / "records.parquet"
        file.write_bytes(change(file.read_bytes()))
        assert message in self.refused(fail, done, name, bad)

    @pytest.mark.parametrize("name", COMMANDS)
    def test_no_log(self, fail: Callable[..., str], done: Path, name: str) -> None:
        assert "a log must be a folder" in self.refused(fail, done, name, "simulatd")

    def test_mistyped_config_keys(self, fail: Callable[..., str], done: Path, log: str, tmp_path: Path) -> None:
        assert "unknown key 'kk'; did you mean 'k'" in self.refused(fail, done, "train", log, "kk=3")
        assert "unknown key 'kk'; did you mean 'k'" in self.refused(fail, done, "compare", log, "knn.kk=3")
        assert "did you mean 'seeds'" in self.refused(fail, done, "compare", log, "seed=3")
        assert "must be key=value" in self.refused(fail, done, "compare", log, "knn.k")
        (tmp_path / "c.yaml").write_text("routers: [knn]\ntune_bye: none\n")
        assert "did you mean 'tune_by'" in self.refused(
            fail, done, "compare", log, "--config", str(tmp_path / "c.yaml")
        )

    def test_unknown_names(self, fail: Callable[..., str], done: Path, log: str) -> None:
        assert "unknown router 'knnn'; did you mean 'knn'" in self.refused(fail, done, "train", log, "--router", "knnn")
        assert "unknown router 'gnnn'; did you mean 'gnn'" in self.refused(
            fail, done, "compare", log, "--routers", "gnnn"
        )
        assert "unknown scenario" in self.refused(fail, done, "compare", log, "--scenarios", "balanced")
        for name in COMMANDS:
            assert "an encoder must be" in self.refused(fail, done, name, log, "--encoder", "tfdif")
            assert "device" in self.refused(fail, done, name, log, "--device", "tpu")

    def test_prices_without_an_estimate(self, fail: Callable[..., str], done: Path, log: str) -> None:
        for name in COMMANDS:
            assert "give --estimate-cost" in self.refused(fail, done, name, log, "--prices", "prices.yaml")

    @pytest.mark.parametrize("name", COMMANDS)
    def test_a_folder_that_cannot_be_written(
        self, fail: Callable[..., str], log: str, tmp_path: Path, name: str
    ) -> None:
        (tmp_path / "file").write_text("mine")
        for out in (tmp_path / "file", tmp_path / "file" / "below"):
            said = fail(*[word.format(log="/nowhere", out=out) for word in COMMANDS[name]])
            assert "must go to a folder that can be written" in said  # before the log is looked at
        assert snapshot(tmp_path) == {"file": b"mine"}

    @pytest.mark.parametrize("name", COMMANDS)
    def test_a_folder_with_other_files(self, fail: Callable[..., str], log: str, tmp_path: Path, name: str) -> None:
        (tmp_path / "thesis.tex").write_text("mine")
        assert "holds" in fail(*[word.format(log=log, out=tmp_path) for word in COMMANDS[name]])
        assert snapshot(tmp_path) == {"thesis.tex": b"mine"}

    def test_another_comparison_in_the_folder(self, fail: Callable[..., str], done: Path, log: str) -> None:
        assert "name another folder" in self.refused(fail, done, "compare", log, "--encoder", "tfidf:4")
        assert "name another folder" in self.refused(fail, done, "compare", log, "knn.k=3")

    def test_an_encoder_that_is_not_there_leaves_nothing(
        self, fail: Callable[..., str], log: str, tmp_path: Path
    ) -> None:
        for name in COMMANDS:
            words = [word.format(log=log, out=tmp_path / name) for word in COMMANDS[name]]
            said = fail(*words, "--quiet", "--encoder", "nobody/has-this-model")
            assert "pass the folder of a sentence-transformers model, or tfidf" in said
        assert list(tmp_path.iterdir()) == []

    def test_a_scenario_that_weighs_cost_on_a_log_without(self, fail: Callable[..., str], tmp_path: Path) -> None:
        log = str(make_log(50, cost=False).save(tmp_path / "log"))
        assert "--estimate-cost" in fail(
            "compare", log, *COMPARE, "--scenarios", "balance", "--out", str(tmp_path / "out")
        )
        assert not (tmp_path / "out").exists()


def test_the_package_names_what_the_cli_uses() -> None:
    assert graphrouter.train.__module__ == "graphrouter.pipeline.training"
