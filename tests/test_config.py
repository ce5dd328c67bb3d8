from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from graphrouter import config as config_module
from graphrouter.config import (
    CompareConfig,
    comparison_routers,
    hyperparameters,
    make_router,
    read_comparison,
    read_router,
)
from graphrouter.encoders import find_encoder
from graphrouter.errors import UserError
from graphrouter.routers import find_router, router_names
from graphrouter.routers.base import Prediction, Router
from graphrouter.settings import configs_folder, find_config, merge, parse_overrides, read_yaml, to_yaml

COMPARISONS = sorted(file.stem for file in (configs_folder() / "compare").glob("*.yaml"))


@dataclass
class Pace:
    epochs: int = 3
    learning_rate: float = 1e-3


@dataclass(eq=False)
class Fancy(Router):
    """A router with a field of every kind."""

    k: int = 10
    rate: float = 0.5
    sharp: bool = False
    sizes: tuple[int, ...] = (10, 50)
    limit: int | None = None
    pace: Pace = field(default_factory=Pace)

    search_space = ({}, {"k": 5}, {"k": 5, "rate": 0.1}, {"k": 20, "rate": 0.1})

    def fit(self, train: Any, validation: Any) -> "Fancy":
        return self

    def predict(self, queries: Any) -> Prediction:
        raise NotImplementedError


@pytest.fixture
def fancy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config_module, "find_router", lambda name: Fancy if name == "fancy" else find_router(name))


def written(folder: Path, text: str) -> Path:
    file = folder / "some.yaml"
    file.write_text(text)
    return file


class TestRouterFiles:
    @pytest.mark.parametrize("name", router_names())
    def test_a_name_stands_for_the_defaults(self, name: str) -> None:
        assert hyperparameters(read_router(name)) == hyperparameters(find_router(name)())
        assert hyperparameters(read_router(None, [], name)) == hyperparameters(find_router(name)())

    def test_a_file_that_is_not_there_is_no_name(self) -> None:
        with pytest.raises(UserError, match="no config 'nowhere/knn.yaml'"):
            read_router("nowhere/knn.yaml")
        with pytest.raises(UserError, match="unknown router 'knnn'; did you mean 'knn'"):
            read_router("knnn")

    def test_what_sweeps_have_found_loads(self) -> None:
        found = sorted((configs_folder() / "routers" / "found").glob("*.yaml"))
        assert found
        for file in found:
            assert hyperparameters(read_router(file)) != hyperparameters(read_router("smoothing"))


class TestMakeRouter:
    def test_values_keep_the_types_of_the_fields(self, fancy: None) -> None:
        router = make_router(
            "fancy", parse_overrides(["rate=1e-3", "sizes=[1,2]", "pace.epochs=7", "limit=4", "sharp=true"])
        )
        assert router.rate == 0.001
        assert router.sizes == (1, 2)
        assert router.pace == Pace(epochs=7)
        assert (router.limit, router.sharp, router.k) == (4, True, 10)

    def test_numbers_such_as_1e_3_are_numbers_in_a_file_too(self, fancy: None, tmp_path: Path) -> None:
        file = written(tmp_path, "router: fancy\nrate: 1e-3\npace: {learning_rate: 1E-2}\n")
        assert read_router(file).rate == 0.001
        assert read_router(file, ["rate=2e-1", "pace.epochs=9"]).pace == Pace(9, 0.01)
        assert read_router(file, ["rate=2e-1"]).rate == 0.2

    @pytest.mark.parametrize(
        ("override", "message"),
        [
            ("kk=3", "unknown key 'kk'; did you mean 'k'"),
            ("pace.epoch=3", "unknown key 'pace.epoch'; did you mean 'epochs'"),
            ("zzzzz=3", "unknown key 'zzzzz'; known: k, limit, pace, rate, sharp, sizes"),
            ("seed=3", "unknown key 'seed'"),
            ("run.device=cpu", "unknown key 'run'"),
            ("k=many", "k is of the wrong type"),
            ("k=2.5", "k is of the wrong type"),
            ("k=null", "k is of the wrong type"),
            ("k=", "k is of the wrong type"),
            ("sharp=perhaps", "sharp is of the wrong type"),
            ("sizes=3", "sizes is of the wrong type"),
            ("sizes=[a]", r"sizes\[0\] is of the wrong type"),
            ("pace=3", "wrong type"),
            ("rate=${nowhere}", "wrong type"),
        ],
    )
    def test_a_bad_key_or_type_is_one_clear_error(self, fancy: None, override: str, message: str) -> None:
        with pytest.raises(UserError, match=message) as caught:
            make_router("fancy", parse_overrides([override]))
        assert "\n" not in str(caught.value)
        assert "router fancy" in str(caught.value)

    def test_an_unknown_router_is_refused_with_a_suggestion(self) -> None:
        with pytest.raises(UserError, match="unknown router 'knnn'; did you mean 'knn'"):
            make_router("knnn")

    @pytest.mark.parametrize("override", ["k", "=3", " =3", "k:3"])
    def test_an_override_without_key_and_value_is_refused(self, override: str) -> None:
        with pytest.raises(UserError, match="must be key=value"):
            parse_overrides([override])

    def test_an_override_that_is_no_yaml_is_refused(self) -> None:
        with pytest.raises(UserError, match="YAML value"):
            parse_overrides(["k=[1"])

    @pytest.mark.parametrize(
        "word",
        ["strength=inf", "strength=" + "9" * 400, "k=" + "9" * 5000, "k=" + "[" * 300, "k=&a [*a]", "k=!!set {a}"],
    )
    def test_a_value_that_no_config_holds_is_one_short_error(self, word: str) -> None:
        with pytest.raises(UserError) as caught:
            read_router(None, [word], "knn")
        assert len(str(caught.value)) < 500


class TestReadYaml:
    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("a: 1\na: 2\n", r"duplicate key a \(line 2\)"),
            ("a: [1\n", r"\(line 2\)"),
            ("- 1\n", "is a list"),
            ("3", "is a single value"),
            ("", "is empty"),
            ("a: &a [*a]\n", "holds itself"),
            ("a: " + "[" * 3000 + "]" * 3000, "nests deeper than 50"),
            ("a: " + "9" * 5000, "cannot be read: Exceeds the limit"),
            ("a: !!set {b, c}\n", "not a supported primitive type"),
            ("null: 3\n", "Incompatible key type"),
            ("3: 4\n", "must have keys that are texts, but has 3; put it in quotes"),
            (
                "a: &a [x, x, x, x, x, x, x, x, x]\n"
                + "".join(
                    f"{key}: &{key} [{', '.join(['*' + below] * 9)}]\n"
                    for below, key in zip("abcdefgh", "bcdefghi", strict=True)
                ),
                "with its aliases it holds more than 100,000 values",
            ),
            ("a: !!python/object/apply:os.getcwd []", "constructor"),
            ("\x00", "cannot be read"),
        ],
    )
    def test_what_is_no_mapping_is_refused(self, tmp_path: Path, text: str, message: str) -> None:
        with pytest.raises(UserError, match=message) as caught:
            read_yaml(written(tmp_path, text))
        assert "\n" not in str(caught.value)

    def test_a_file_that_names_no_router_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="must name its router"):
            read_router(written(tmp_path, "k: 3\n"))

    @pytest.mark.parametrize("words", [["k=3"], ["knn.k=3"], ["strength=1.0", "knn.k=3"]])
    def test_the_name_of_the_router_may_stand_in_front(self, words: list[str]) -> None:
        assert read_router(None, words, "knn").k == 3

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (["kk=3"], "^the command line, router knn: unknown key 'kk'; did you mean 'k'"),
            (["knn.k=0"], "^the command line, router knn: knn.k must be 1 or more, but is 0"),
            (["knn=3"], "^the command line: knn must be a mapping of hyperparameters"),
            (["gnn.dropout=0.1"], "^the command line, router knn: unknown key 'gnn'"),
        ],
    )
    def test_a_mistake_on_the_command_line_is_blamed_on_it(
        self, tmp_path: Path, words: list[str], message: str
    ) -> None:
        for file in (None, written(tmp_path, "router: knn\nstrength: 1.0\n")):
            with pytest.raises(UserError, match=message):
                read_router(file, words, "knn")

    def test_a_mistake_in_the_file_is_blamed_on_the_file(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match=r"some.yaml, router knn: knn.k must be 1 or more, but is 0"):
            read_router(written(tmp_path, "router: knn\nk: 0\n"), ["strength=1.0"])

    def test_an_absent_file_is_refused_with_a_suggestion(self) -> None:
        with pytest.raises(UserError, match="did you mean 'default'"):
            find_config("defualt", "compare")

    def test_a_config_is_found_by_name_or_path(self) -> None:
        file = configs_folder() / "compare" / "default.yaml"
        assert (
            find_config("default", "compare")
            == find_config("default.yaml", "compare")
            == find_config(file, "compare")
            == file
        )

    def test_what_is_written_reads_back(self, tmp_path: Path, fancy: None) -> None:
        router = make_router("fancy", {"rate": 1e-5, "sizes": [1], "pace": {"learning_rate": 1e-7}})
        file = written(tmp_path, to_yaml({"router": "fancy", **hyperparameters(router)}))
        assert hyperparameters(read_router(file)) == hyperparameters(router)


class TestComparison:
    @pytest.mark.parametrize("name", COMPARISONS)
    def test_each_file_loads_with_routers_and_encoder_that_exist(self, name: str) -> None:
        config = read_comparison(name)
        assert [router.name for router in comparison_routers(config)] == config.routers
        assert config.encoder is None or find_encoder(config.encoder)

    def test_the_default_file_holds_the_defaults(self) -> None:
        assert read_comparison(None) == CompareConfig()

    def test_all_stands_for_every_router(self, tmp_path: Path) -> None:
        assert tuple(read_comparison("spine").routers) == router_names()
        assert read_comparison(written(tmp_path, "routers: [all, -gnn]\n")).routers == [
            n for n in router_names() if n != "gnn"
        ]
        assert read_comparison(None, routers=["knn", "all"]).routers == [
            "knn",
            *(n for n in router_names() if n != "knn"),
        ]
        with pytest.raises(UserError, match="unknown router 'knm'; did you mean 'knn'"):
            read_comparison(written(tmp_path, "routers: [all, -knm]\n"))

    def test_options_and_overrides_win_over_the_file(self) -> None:
        config = read_comparison("demo", ["knn.k=20", "seeds=2"], routers=["knn", "linear"], encoder=None)
        assert (config.routers, config.seeds, config.encoder) == (["knn", "linear"], 2, "tfidf")
        knn, linear = comparison_routers(config)
        assert knn.k == 20
        assert linear.penalty == find_router("linear")().penalty

    def test_a_hyperparameter_that_is_set_is_not_tuned(self, fancy: None) -> None:
        config = CompareConfig(routers=["fancy"], hyperparameters={"fancy": {"k": 7}})
        (router,) = comparison_routers(config)
        assert router.k == 7
        assert router.search_space == ({}, {"rate": 0.1})
        assert Fancy.search_space[1] == {"k": 5}

    def test_a_setting_that_does_not_go_with_it_is_not_tried(self) -> None:
        (router,) = comparison_routers(CompareConfig(routers=["irt"], hyperparameters={"irt": {"dimensions": 5}}))
        assert {"model": "2pl", "dimensions": 1} in find_router("irt").search_space
        assert router.search_space == ({}, {"dropout": 0.1}, {"weight_decay": 1.0}, {"inputs": ["vector"]})

    def test_hyperparameters_in_a_file_may_be_of_routers_left_out(self, tmp_path: Path) -> None:
        file = written(tmp_path, "routers: [knn, linear]\nhyperparameters:\n  knn: {k: 3}\n")
        assert read_comparison(file, routers=["linear"]).routers == ["linear"]

    @pytest.mark.parametrize(
        ("text", "overrides", "message"),
        [
            ("router: [knn]\n", [], "unknown key 'router'; did you mean 'routers'"),
            ("routers: [kn]\n", [], "unknown router 'kn'"),
            ("routers: []\n", [], "one router or more"),
            ("seeds: 0\n", [], "seeds must be 1 or more"),
            ("seeds: many\n", [], "seeds is of the wrong type"),
            ("tune_by: luck\n", [], "tune_by must be one of nll, reward, none"),
            ("scenarios: [balanced]\n", [], "unknown scenario 'balanced'; did you mean 'balance'"),
            (
                "routers: [knn]\nhyperparameters:\n  knn: {kk: 3}\n",
                [],
                "router knn: unknown key 'kk'; did you mean 'k'",
            ),
            ("routers: [knn]\nhyperparameters:\n  knnn: {k: 3}\n", [], "unknown router 'knnn'"),
            ("routers: [knn]\nhyperparameters:\n  knn: 3\n", [], "must be a mapping"),
            ("routers: [knn]\n", ["knn.kk=3"], "did you mean 'k'"),
            ("routers: [knn]\n", ["knn.k=x"], "k is of the wrong type"),
            ("routers: [knn]\n", ["knn=3"], "must be a mapping"),
            ("routers: [knn]\n", ["knn.kk=3"], "^the command line, router knn: unknown key 'kk'"),
            ("routers: [knn]\n", ["knn.k=0"], "^the command line, router knn: knn.k must be 1 or more, but is 0"),
            ("routers: [knn]\n", ["seeds=0"], "^the command line: seeds must be 1 or more, but is 0"),
            ("routers: [knn]\n", ["seeds=many"], "^the command line: seeds is of the wrong type"),
            ("routers: [knn]\nseeds: many\n", ["seeds=2"], "^[^:]*some.yaml: seeds is of the wrong type"),
            ("routers: [knn]\nhyperparameters:\n  knn: {k: 0}\n", [], "^[^:]*some.yaml, router knn: knn.k must be"),
            (
                "routers: [knn, kmeans]\n",
                ["k=3"],
                "'k' is a setting of knn; write the router's name in front, as in knn.k=",
            ),
            ("routers: [smoothing]\n", ["smoothing.terms=[]"], "smoothing.terms must not be empty"),
            ("routers: [knn]\n", ["linear.penalty=3"], "'linear' is neither"),
            (
                "routers: [knn]\n",
                ["seed=3"],
                "'seed' is neither a router of this comparison nor a key; did you mean 'seeds'",
            ),
        ],
    )
    def test_a_bad_comparison_is_one_clear_error(
        self, tmp_path: Path, text: str, overrides: list[str], message: str
    ) -> None:
        with pytest.raises(UserError, match=message) as caught:
            read_comparison(written(tmp_path, text), overrides)
        assert "\n" not in str(caught.value)


def test_merge_goes_down_and_changes_neither() -> None:
    base, over = {"a": {"x": 1, "y": 2}, "b": 1}, {"a": {"y": 3}, "b": {"z": 1}}
    assert merge(base, over) == {"a": {"x": 1, "y": 3}, "b": {"z": 1}}
    assert (base, over) == ({"a": {"x": 1, "y": 2}, "b": 1}, {"a": {"y": 3}, "b": {"z": 1}})
