"""Lists of settings: whole, described, and with defaults that can be typed as they are printed."""

from __future__ import annotations

import pytest

from fusion.cli import main as fusion
from fusion.engines import ENGINES, find_engine
from fusion.llms import LLM
from fusion.selection.settings import SelectionSettings
from fusion.training.config import ALLOWED, TrainConfig
from graphrouter.cli import main as graphrouter
from graphrouter.config import CompareConfig, hyperparameters
from graphrouter.describe import REQUIRED, format_settings, router_entries, router_settings, search_space, settings_of
from graphrouter.routers import find_router, router_names
from graphrouter.settings import parse_overrides

SCHEMAS = [CompareConfig, TrainConfig, SelectionSettings, LLM, *[find_engine(name) for name in ENGINES]]


@pytest.mark.parametrize("kind", SCHEMAS, ids=lambda kind: kind.__name__)
def test_every_setting_is_described(kind):
    assert [one.name for one in settings_of(kind) if not one.about] == []


@pytest.mark.parametrize("name", router_names())
def test_every_hyperparameter_is_described_and_its_default_can_be_typed(name):
    settings = router_settings(find_router(name))
    assert [one.name for one in settings if not one.about or one.about.startswith("See ")] == []
    defaults = hyperparameters(find_router(name)())
    assert [one.name for one in settings] == list(defaults)
    typed = parse_overrides([f"{one.name}={one.default}" for one in settings])
    assert typed == {key: list(value) if isinstance(value, tuple) else value for key, value in defaults.items()}


def test_nested_settings_have_dotted_names_and_their_ranges():
    found = {one.name: one for one in settings_of(TrainConfig, ALLOWED)}
    assert found["lora.rank"][1:4] == ("int", "16", "1 or more")
    assert found["method"].allowed == "sft, dpo, sft+dpo"
    assert found["revision"].default == "null"
    assert settings_of(LLM)[0].default == REQUIRED


def test_the_list_of_routers_says_what_each_is():
    entries = {one.name: one for one in router_entries()}
    assert list(entries) == list(router_names())
    assert entries["oracle"].needs_outcomes
    assert not entries["gnn"].needs_outcomes
    assert [entries[name].training for name in ("knn", "mlp")] == ["fit", "steps"]
    assert entries["knn"].extends
    assert not entries["routerdc"].extends


def test_commands_print_the_lists(capsys):
    assert graphrouter(["routers"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1 + len(router_names())
    assert graphrouter(["routers", "knn"]) == 0
    told = capsys.readouterr().out
    assert format_settings(router_settings(find_router("knn"))) in told
    assert all(one in told for one in search_space(find_router("knn")))
    assert graphrouter(["routers", "knm"]) == 2
    assert "did you mean 'knn'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("main", "command", "expected"),
    [
        (graphrouter, "compare", "tune_by"),
        (fusion, "train", "lora.rank"),
        (fusion, "select", "llm_share"),
        (fusion, "collect", "requests_per_minute"),
    ],
)
def test_settings_are_listed_without_any_other_argument(main, command, expected, capsys):
    with pytest.raises(SystemExit) as left:
        main([command, "--settings"])
    assert left.value.code == 0
    assert f"\n{expected} " in capsys.readouterr().out
