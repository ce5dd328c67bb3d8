import xml.etree.ElementTree as ET

import numpy as np
import polars as pl
import pytest

from fusion.cli import main
from fusion.evaluation import as_markdown, as_text, domain_chart, evaluate_thoughts, thought_table
from fusion.evaluation.thought import ALL, MEASURES
from graphrouter.errors import UserError
from graphrouter.evaluation.report.drawing import drawn_svg
from graphrouter.log import LLMLog

DOMAINS = ("math", "geography", "reading")
GUIDES = {"t": ("thought", "graph"), "s": ("few_shot", "performance")}
GAIN = {"a": {"t": 0.5, "s": 0.0}, "b": {"t": -0.25, "s": 0.25}}
"""Share of the queries that a guide adds to an LLM or takes from it, by LLM."""
SHARE = 0.5


def make_guided(count=80, missing=(), parts=("train", "validation", "test", "test"), domains=DOMAINS, seed=0):
    """A log in which every way of asking solves a known share of each domain's test queries."""
    random = np.random.default_rng(seed)
    queries, records = [], []
    llms = [
        (f"{model}_{guide}" if guide else model, model, "direct", guide, *(GUIDES[guide] if guide else (None, None)))
        for model in GAIN
        for guide in (None, *GUIDES)
    ]
    for domain in domains:
        order = {llm[0]: random.permutation(count) for llm in llms}
        for number in range(count):
            query_id = f"{domain}-{number:03}"
            queries.append((query_id, f"task of {domain}", domain, f"{domain} {number}", parts[number % len(parts)]))
            for llm, model, _, guide, kind, _ in llms:
                if (query_id, llm) in missing:
                    continue
                right = order[llm][number] < count * (SHARE + (GAIN[model][guide] if guide else 0))
                tokens = 10.0 + {None: 0, "thought": 20, "few_shot": 40}[kind]
                records.append((query_id, llm, float(right), tokens, 4.0, tokens / 1e6, 3 if guide else 0))
    return LLMLog(
        "guided",
        pl.DataFrame(queries, schema=["query_id", "task", "domain", "query", "part"], orient="row"),
        pl.DataFrame(
            llms,
            schema=dict.fromkeys(["llm", "model", "style", "guide", "guide_kind", "guide_ranking"], pl.String),
            orient="row",
        ),
        pl.DataFrame(
            records,
            schema=["query_id", "llm", "performance", "input_tokens", "output_tokens", "cost", "shown"],
            orient="row",
        ),
        encoder="tfidf:16",
    )


def row_of(level, llm, guide, domain=None):
    same = (pl.col("llm") == llm) & pl.col("guide").eq_missing(guide) & pl.col("domain").eq_missing(domain)
    return level.table.row(by_predicate=same, named=True)


class TestNumbers:
    def test_they_are_the_means_over_the_test_part(self):
        log = make_guided()
        level = evaluate_thoughts(log)
        test = log.take((log.queries["part"] == "test").to_numpy())
        assert level.queries == test.queries.height == 120
        means = dict(test.records.group_by("llm").agg(pl.col("performance").mean()).iter_rows())
        for model in GAIN:
            for guide in (None, *GUIDES):
                row = row_of(level, model, guide)
                name = f"{model}_{guide}" if guide else model
                assert row["performance"] == pytest.approx(means[name])
                assert (row["queries"], row["answers"]) == (120, 120)
                expected = means[name] - means[model] if guide else None
                assert row["difference"] == (None if expected is None else pytest.approx(expected))
                assert (row["kind"], row["ranking"]) == (GUIDES[guide] if guide else ("zero_shot", None))

    def test_each_domain_counts_its_own_queries(self):
        log = make_guided()
        level = evaluate_thoughts(log)
        for domain in DOMAINS:
            part = log.queries.filter((pl.col("domain") == domain) & (pl.col("part") == "test"))
            records = log.records.join(part, on="query_id", how="semi")
            for guide in GUIDES:
                row = row_of(level, "a", guide, domain)
                means = dict(records.group_by("llm").agg(pl.col("performance").mean()).iter_rows())
                assert row["answers"] == 40
                assert row["performance"] == pytest.approx(means[f"a_{guide}"])
                assert row["difference"] == pytest.approx(means[f"a_{guide}"] - means["a"])

    def test_all_llms_are_pooled(self):
        level = evaluate_thoughts(make_guided())
        for guide in (None, *GUIDES):
            of_llms = [row_of(level, model, guide) for model in GAIN]
            pooled = row_of(level, ALL, guide)
            assert pooled["performance"] == pytest.approx(np.mean([row["performance"] for row in of_llms]))
            assert (pooled["queries"], pooled["answers"]) == (120, 240)

    def test_tokens_cost_and_what_was_shown(self):
        row = row_of(evaluate_thoughts(make_guided()), "b", "s", "math")
        assert (row["input_tokens"], row["extra_input_tokens"]) == (50, 40)
        assert (row["output_tokens"], row["extra_output_tokens"]) == (4, 0)
        assert row["cost"] == pytest.approx(50e-6)
        assert row["extra_cost"] == pytest.approx(40e-6)
        assert row["shown"] == 3
        assert row_of(evaluate_thoughts(make_guided()), "b", None)["shown"] == 0

    def test_a_difference_is_of_the_queries_that_have_both_answers(self):
        full = make_guided()
        test = full.queries.filter(pl.col("part") == "test")["query_id"].to_list()
        missing = {(query, "a_t") for query in test[:30]} | {(query, "a") for query in test[20:40]}
        level = evaluate_thoughts(make_guided(missing=missing))
        kept = [query for query in test if query not in test[:40]]
        means = dict(
            full.records.filter(pl.col("query_id").is_in(kept))
            .group_by("llm")
            .agg(pl.col("performance").mean())
            .iter_rows()
        )
        row = row_of(level, "a", "t")
        assert row["answers"] == len(kept) == 80
        assert row["difference"] == pytest.approx(means["a_t"] - means["a"])
        assert row_of(level, "b", "t")["answers"] == 120
        assert row_of(level, ALL, "t")["answers"] == 200

    def test_a_test_query_that_nobody_answered_does_not_count(self):
        full = make_guided()
        (lost, *rest) = full.queries.filter(pl.col("part") == "test")["query_id"].to_list()
        assert evaluate_thoughts(make_guided(missing={(lost, llm) for llm in full.llm_names})).queries == 119
        with pytest.raises(UserError, match="must have answers to test queries"):
            evaluate_thoughts(make_guided(missing={(query, llm) for query in [lost, *rest] for llm in full.llm_names}))

    def test_a_cost_that_is_not_known_is_not_given(self):
        log = make_guided()
        bare = LLMLog("x", log.queries, log.llms, log.records.drop("cost"))
        assert np.isnan(row_of(evaluate_thoughts(bare), "a", "t")["cost"])
        assert as_text(thought_table(evaluate_thoughts(bare))).splitlines()[3].split()[-1] == "-"


class TestIntervals:
    def test_they_hold_the_difference_and_tell_a_gain_from_none(self):
        level = evaluate_thoughts(make_guided())
        for row in level.table.filter(pl.col("guide").is_not_null()).iter_rows(named=True):
            assert row["difference_low"] <= row["difference"] <= row["difference_high"]
        assert row_of(level, "a", "t")["difference_low"] > 0
        same = row_of(level, "a", "s")
        assert same["difference_low"] < 0 < same["difference_high"]

    def test_queries_of_one_wording_are_drawn_together(self):
        log = make_guided()
        twins = LLMLog("x", log.queries.with_columns(query=pl.col("domain")), log.llms, log.records)
        alone, together = (row_of(evaluate_thoughts(one), "a", "t", "math") for one in (log, twins))
        assert together["difference"] == alone["difference"]
        assert together["difference_high"] - together["difference_low"] == pytest.approx(0, abs=1e-12)
        assert alone["difference_high"] - alone["difference_low"] > 0.1

    def test_a_seed_gives_the_same_ones(self):
        log = make_guided()
        assert evaluate_thoughts(log, 1).table.equals(evaluate_thoughts(log, 1).table)
        assert not evaluate_thoughts(log, 1).table.equals(evaluate_thoughts(log, 2).table)


class TestTables:
    def test_text_and_markdown_hold_the_same(self):
        rows = thought_table(evaluate_thoughts(make_guided()))
        text, marked = as_text(rows).splitlines(), as_markdown(rows).splitlines()
        assert len(text) == len(marked) == 2 + 9
        assert rows[1][:2] == [ALL, "zero-shot"]
        for row, line, mark in zip(rows[1:], text[2:], marked[2:], strict=True):
            assert [cell.strip() for cell in mark.strip("|").split("|")] == row
            assert all(cell in line for cell in row)
        (row,) = (row for row in rows if row[:2] == ["a", "t (thought)"])
        assert row[2:4] == ["graph", "3.0"]
        assert row[-3:] == ["30.0 (+20.0)", "4.0 (+0.0)", "0.0300 (+0.0200)"]

    def test_a_bar_in_a_name_does_not_break_the_table(self):
        assert as_markdown([["a|b", "c"], ["1", "2"]]).splitlines()[0] == "| a\\|b | c |"


class TestDomainChart:
    def test_each_llm_has_a_panel_with_a_dot_and_an_interval_for_each_guide_and_domain(self):
        level = evaluate_thoughts(make_guided())
        rows = [row for name, held in domain_chart(level).data.items() for row in held if name.startswith("rows of ")]
        assert {row["panel"] for row in rows} == {ALL, "a", "b"}
        assert len(rows) == 9 * 3
        for row in rows:
            guide = None if row["name"] == "zero-shot" else row["name"]
            known = row_of(level, row["panel"], guide, row["row"])
            assert row["value"] == known["performance"]
            if guide is None:
                assert "low" not in row
            else:
                zero = known["performance"] - known["difference"]
                assert (row["low"], row["high"]) == pytest.approx(
                    (zero + known["difference_low"], zero + known["difference_high"])
                )

    def test_names_are_escaped(self):
        log = make_guided(domains=("a<b", "c&d"))
        assert {"a<b", "c&d"} <= {
            text.text for text in ET.fromstring(drawn_svg(domain_chart(evaluate_thoughts(log)))).findall(".//{*}text")
        }


class TestBadLogs:
    @pytest.mark.parametrize(
        ("change", "says"),
        [
            (
                lambda log: (log.queries, log.llms.drop("guide")),
                "has no column 'guide'; make it with fusion collect --guide",
            ),
            (lambda log: (log.queries.drop("part"), log.llms), "has no column 'part'"),
            (
                lambda log: (log.queries, log.llms.with_columns(guide=pl.lit(None, pl.String))),
                "but has none; make them",
            ),
            (
                lambda log: (log.queries.with_columns(part=pl.lit("train")), log.llms),
                "must have answers to test queries",
            ),
            (
                lambda log: (log.queries.with_columns(part=pl.lit(None, pl.String)), log.llms),
                "must have answers to test",
            ),
            (
                lambda log: (
                    log.queries,
                    log.llms.with_columns(style=pl.when(pl.col("llm") == "a").then(pl.lit("x")).otherwise("style")),
                ),
                "must have a without a guide too, to compare a_s with",
            ),
        ],
    )
    def test_what_is_no_guided_log_is_refused(self, change, says):
        log = make_guided()
        queries, llms = change(log)
        with pytest.raises(UserError, match=says):
            evaluate_thoughts(LLMLog("x", queries, llms, log.records))


class TestCommand:
    @pytest.fixture(scope="class")
    @staticmethod
    def folder(tmp_path_factory):
        return make_guided().save(tmp_path_factory.mktemp("guided") / "log")

    def test_it_prints_the_table_and_writes_the_files(self, folder, tmp_path, capsys):
        assert main(["evaluate", str(folder), "--level", "thought", "--out", str(tmp_path / "o")]) == 0
        told = capsys.readouterr()
        level = evaluate_thoughts(LLMLog.load(folder))
        assert as_text(thought_table(level)) in told.out
        assert pl.read_csv(tmp_path / "o" / "thought.csv").height == level.table.height == 9 * 4
        assert as_markdown(thought_table(level)) in (tmp_path / "o" / "thought.md").read_text()
        assert (tmp_path / "o" / "thought.svg").read_text() == drawn_svg(domain_chart(level))
        assert (tmp_path / "o" / "thought.pdf").read_bytes().startswith(b"%PDF")
        assert "thought.svg" in told.err

    @pytest.mark.parametrize("form", ["md", "csv"])
    def test_other_forms(self, folder, form, capsys):
        assert main(["evaluate", str(folder), "--level", "thought", "--format", form]) == 0
        out = capsys.readouterr().out
        if form == "csv":
            assert pl.read_csv(out.encode()).height == 9 * 4
        else:
            assert out.count("|") > 50

    @pytest.mark.parametrize(
        ("options", "says"),
        [
            (["--level", "toughts"], "invalid choice: 'toughts'"),
            ([], "the following arguments are required: --level"),
            (["--level", "thought", "--router"], "--router needs --out DIR"),
            (["--level", "thought", "--seeds", "2"], "are for --router"),
            (["--level", "thought", "--format", "pdf"], "invalid choice: 'pdf'"),
        ],
    )
    def test_bad_options(self, folder, options, says, capsys):
        assert main(["evaluate", str(folder), *options]) == 2
        assert says in capsys.readouterr().err


class TestRouters:
    @pytest.fixture(scope="class")
    @staticmethod
    def told(tmp_path_factory):
        from fusion.evaluation.routing import compare_routers

        out = tmp_path_factory.mktemp("routers")
        return compare_routers(make_guided(), out, routers=("best_single", "best_per_task", "oracle"), seeds=2), out

    def test_with_guides_the_choice_is_among_more(self, told):
        gains = {gain.router: gain for gain in told[0]}
        log = make_guided()
        test = log.take((log.queries["part"] == "test").to_numpy())
        means = dict(test.records.group_by("llm").agg(pl.col("performance").mean()).iter_rows())
        single = gains["best_single"]
        assert single.with_guides == pytest.approx(means["a_t"])
        assert single.without in (pytest.approx(means["a"]), pytest.approx(means["b"]))
        assert single.guided == 1
        assert single.low < single.with_guides - single.without < single.high
        assert single.cost_with == pytest.approx(30e-6)
        assert single.cost_without == pytest.approx(10e-6)
        plain = test.take_llms(["a", "b"]).cells("performance").max(axis=1).mean()
        assert gains["oracle"].without == pytest.approx(plain)
        assert gains["oracle"].with_guides == pytest.approx(test.cells("performance").max(axis=1).mean())

    def test_the_split_is_the_logs_own(self, told):
        from graphrouter.evaluation.folder import Store

        for name in ("with", "without"):
            for seed in (0, 1):
                assert Store(told[1] / name).outcomes(seed).about["sizes"] == {
                    "train": 60,
                    "validation": 60,
                    "test": 120,
                }

    def test_a_query_without_a_plain_answer_is_left_out_of_both(self, tmp_path):
        from fusion.evaluation.routing import compare_routers
        from graphrouter.evaluation.folder import Store

        full = make_guided()
        lost = full.queries.filter(pl.col("part") == "test")["query_id"][0]
        log = make_guided(missing={(lost, "a"), (lost, "b")})
        compare_routers(log, tmp_path, routers=("best_single",), seeds=1)
        assert {len(Store(tmp_path / name).outcomes(0).groups) for name in ("with", "without")} == {119}

    def test_a_log_without_a_choice_compares_no_routers(self, tmp_path):
        from fusion.evaluation.routing import compare_routers

        log = make_guided()
        order = np.random.default_rng(0).random(log.cells("performance").shape).argsort(axis=1).argsort(axis=1)
        with pytest.raises(UserError, match="only 0% of the test queries have outcomes of two"):
            compare_routers(log.hide(order > 0), tmp_path / "o", routers=("best_single",), seeds=1)
        assert not (tmp_path / "o").exists()

    def test_the_command_prints_both(self, tmp_path, capsys):
        log = make_guided(16)
        log.save(tmp_path / "log")
        words = ["evaluate", str(tmp_path / "log"), "--level", "thought", "--router", "--out", str(tmp_path / "o")]
        assert main([*words, "--routers", "best_single", "--seeds", "1", "--quiet"]) == 0
        out = capsys.readouterr().out
        assert "difference, 95% interval  sent to a guide" in out
        assert "| best_single |" in (tmp_path / "o" / "routers.md").read_text()
        assert (tmp_path / "o" / "routers" / "with" / "report.html").exists()

    def test_a_log_of_the_test_part_alone_trains_no_router(self, tmp_path):
        from fusion.evaluation.routing import compare_routers

        with pytest.raises(UserError, match=r"but has none of train; collect without --part"):
            compare_routers(make_guided(parts=("test",)), tmp_path / "o", routers=("best_single",), seeds=1)
        assert not (tmp_path / "o").exists()


def test_every_measure_has_its_columns():
    columns = evaluate_thoughts(make_guided(8)).table.columns
    assert all(name in columns for name in MEASURES)
