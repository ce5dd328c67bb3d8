import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml

from experiments.run import main as run_main
from experiments.runs.configuration import read_configs
from experiments.runs.execute import Stopped
from experiments.sweep import main
from experiments.sweeps.early import Hyperband, Watch, read_hyperband
from experiments.sweeps.file import make_sweep, parse_words, read_sweep
from experiments.sweeps.search import Told, make_search
from graphrouter.errors import UserError
from graphrouter.settings import configs_folder, read_yaml

SOURCE = {
    "program": "experiments/run.py",
    "method": "bayes",
    "run_cap": 20,
    "metric": {"name": "validation/nll"},
    "parameters": {
        "gnn.dropout": {"min": 0.0, "max": 1.0},
        "gnn.rank": {"values": [4, 8]},
        "gnn": {"parameters": {"epochs": {"value": 5}, "hidden": {"min": 8, "max": 64}}},
    },
}


def source(**keys):
    return {key: value for key, value in (SOURCE | keys).items() if value is not None}


@pytest.mark.parametrize("file", sorted((configs_folder() / "sweep").glob("*.yaml")), ids=lambda file: file.stem)
def test_every_shipped_sweep_draws_runs_that_are_valid(file):
    sweep = read_sweep(file.stem)
    search = make_search(sweep, 0)
    for number in range(8):
        assert read_configs(search.ask(None).values, (), f"trial {number}")
    # what W&B's agent puts in the place of the macro comes back as the same run
    asked = make_search(sweep, 1).ask(None).values
    assert read_configs(parse_words([f"{name}={value}" for name, value in asked.items()])) == read_configs(asked)
    assert sweep.source["command"][-2:] == ["${args_no_hyphens}", "--wandb=online"]


def test_overrides_take_a_parameters_place_or_add_one():
    sweep = make_sweep(source(), ["gnn.rank=16", "log=mmlu_pro", "gnn.epochs=9", "encoder=None"], runs=3)
    assert sweep.fixed == {"gnn.rank": 16, "log": "mmlu_pro", "gnn.epochs": 9, "encoder": None}
    assert [parameter.name for parameter in sweep.searched] == ["gnn.dropout", "gnn.hidden"]
    assert sweep.runs == 3


def test_words_of_a_command_count_as_values():
    command = ["${env}", "python", "-m", "experiments.run", "${args_no_hyphens}", "log=tiny", "--wandb", "online"]
    assert make_sweep(source(command=command)).fixed["log"] == "tiny"


def test_agents_write_values_as_python_does():
    words = ["gnn={'dropout': 0.3, 'relations': ['a'], 'x': None}", "lr=1e-05", "flag=True", "encoder=None"]
    nested = {"dropout": 0.3, "relations": ["a"], "x": None}
    assert parse_words(words) == {"gnn": nested, "lr": 1e-5, "flag": True, "encoder": None}


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"controller": {"type": "local"}}, "'controller'"),
        ({"method": "bayesian"}, "method must be grid, random, bayes"),
        ({"metric": None}, "metric must be set"),
        ({"metric": {"goal": "minimize"}}, "must have a name"),
        ({"metric": {"name": "validation/nll", "impute": "best"}}, "'impute'"),
        ({"metric": {"name": "validation/nll", "goal": "max"}}, "minimize or maximize"),
        ({"metric": {"name": "test/nll"}}, "test queries choose nothing"),
        ({"metric": {"name": "validation/nll", "target": "low"}}, "target must be a number"),
        ({"run_cap": None}, "set run_cap"),
        ({"run_cap": 0}, "run_cap must be a whole number from 1"),
        ({"name": 3}, "name must be text"),
        ({"parameters": None}, "parameters must be a mapping"),
        ({"parameters": {"gnn.rank": {"value": 4}}}, "one or more to search"),
        ({"parameters": {"seed": {"values": [0, 1]}}}, "seed must have one value"),
        ({"method": "grid"}, "a grid goes over"),
        ({"command": ["python", "train.py", "${args}"]}, "experiments.run"),
        ({"command": ["-m", "experiments.run", "${args_json}"]}, "args_json"),
        ({"command": ["-m", "experiments.run", "${args}", "--device=cuda"]}, "--device=cuda"),
        ({"early_terminate": {"type": "envelope"}}, "type: hyperband"),
        ({"early_terminate": {"type": "hyperband", "min_iter": 2, "bands": 3}}, "'bands'"),
        ({"early_terminate": {"type": "hyperband"}}, "either min_iter or max_iter"),
        ({"early_terminate": {"type": "hyperband", "max_iter": 9}}, "s must be"),
        ({"early_terminate": {"type": "hyperband", "min_iter": 2, "eta": 1}}, "eta must be"),
        ({"early_terminate": {"type": "hyperband", "max_iter": 2, "s": 2}}, "has none"),
        ({"early_terminate": {"type": "hyperband", "min_iter": 2, "strict": 1}}, "strict must be"),
    ],
)
def test_a_wrong_file_is_one_line_and_exit_status_2(keys, said, tmp_path, capsys):
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump(source(**keys)))
    assert main([str(file), "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert "mine.yaml" in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["no-such-sweep", "--out", "x"], "no config 'no-such-sweep'"),
        (["small"], "--out must name"),
        (["small", "--out", "x", "--jobs", "0"], "--jobs must be 1 or more"),
        (["small", "--out", "x", "--agent"], "--wandb online"),
        (["small", "--out", "x", "--job", "2"], "no option --job"),
        (["small", "--out", "x", "gnn.dropuot=0.1"], "did you mean 'dropout'"),
        (["small", "--out", "x", "seeds=0"], "seeds must be a whole number"),
    ],
)
def test_a_wrong_word_is_one_line_and_exit_status_2(words, said, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["log=micropool", "gnn.dropuot=0.1"], "did you mean 'dropout'"),
        (["log=micropool", "--sead=1"], "did you mean 'seed'"),
        (["log=micropool", "seeds=1.5"], "seeds must be a whole number"),
        (["micropool"], "key=value"),
    ],
)
def test_a_wrong_run_is_one_line_and_exit_status_2(words, said, tmp_path, capsys):
    assert run_main([*words, "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_an_agent_gets_the_file_as_it_is(monkeypatch, capsys):
    import wandb

    seen = {}
    monkeypatch.setattr(wandb, "sweep", lambda given, project: seen.update(given=given, project=project) or "abc123")
    monkeypatch.setattr(wandb, "agent", lambda identity, project, count: seen.update(agent=(identity, project, count)))
    words = ["gnn", "--agent", "--wandb", "online", "--runs", "5", "log=mmlu_pro"]
    assert main(words) == 0
    file = read_yaml(configs_folder() / "sweep" / "gnn.yaml")
    assert seen["given"] == file | {
        "run_cap": 5,
        "parameters": file["parameters"] | {"log": {"value": "mmlu_pro"}},
    }
    assert (seen["project"], seen["agent"]) == ("graphrouter", ("abc123", "graphrouter", 5))

    def refuse(*_, **__):
        raise wandb.errors.UsageError("api_key not configured (no-tty)")

    monkeypatch.setattr(wandb, "sweep", refuse)
    capsys.readouterr()
    assert main(words) == 2
    assert "run wandb login" in capsys.readouterr().err


def test_brackets_follow_the_format():
    assert read_hyperband({"type": "hyperband", "min_iter": 3}, "f").brackets[:4] == (3, 9, 27, 81)
    backwards = read_hyperband({"type": "hyperband", "max_iter": 27, "s": 2, "eta": 3}, "f")
    assert (backwards.brackets, backwards.strict) == ((3, 9), False)
    assert read_hyperband({"type": "hyperband", "max_iter": 9, "s": 9, "strict": True}, "f").brackets == (1, 3)


def test_a_bracket_lets_the_best_share_go_on():
    rule = Hyperband((2,), eta=4)
    others = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]
    assert [rule.stops(2, value, others) for value in (0.05, 0.15, 0.25, 0.35)] == [False, False, False, True]
    assert not rule.stops(2, 9.0, [])
    assert rule.stops(2, float("nan"), [])
    assert Hyperband((1,)).at([0.3, 0.9, 0.8]) == {1: 0.3}  # the best so far
    assert Hyperband((1,), strict=True).at([0.3, 0.9, 0.8]) == {1: 0.9}


def test_a_watch_stops_at_a_bracket_by_its_first_network():
    watch = Watch(Hyperband((1,), eta=2, strict=True), {1: [0.5, 0.4]})
    watch.on_epoch("a", {"validation_loss": 9.0})
    for loss in (0.1, 0.1, 0.1):
        watch.on_epoch("b", {"validation_loss": loss})
    with pytest.raises(Stopped, match="epoch 1"):
        watch.on_epoch("a", {"validation_loss": 0.6})


def loss_of(values):
    return (values["gnn.dropout"] - 0.3) ** 2 + 0.1 * (values["gnn.rank"] != 8) + abs(values["gnn.hidden"] - 40) / 100


def searched(sweep, seed, known=(), lag=4, told=Told):
    search, asked = make_search(sweep, seed), []
    for number in range(sweep.runs):
        if number >= lag:
            search.tell(told("finished", loss_of(asked[number - lag].values), []))
        asked.append(search.ask(known[number] if number < len(known) else None))
    return asked


def test_the_same_seed_asks_for_the_same_configurations_also_after_a_break():
    sweep = make_sweep(source(), runs=24)
    asked = searched(sweep, 0)
    assert searched(sweep, 0) == asked
    assert searched(sweep, 0, known=asked[:13]) == asked
    assert searched(sweep, 1) != asked


def test_bayes_finds_better_than_random_and_keeps_away_from_failures():
    best = {}
    for method in ("bayes", "random"):
        sweep = make_sweep(source(method=method), runs=50)
        best[method] = sum(min(loss_of(one.values) for one in searched(sweep, seed)) for seed in range(3))
    assert best["bayes"] < best["random"]
    maximised = make_sweep(source(metric={"name": "validation/x/reward", "goal": "maximize"}), runs=50)
    asked = searched(maximised, 0, told=lambda status, value, losses: Told(status, -value, losses))
    assert min(loss_of(one.values) for one in asked[25:]) < 0.06
    search = make_search(make_sweep(source(), runs=3), 0)
    for status, losses in (("failed", []), ("stopped", [0.5, 0.4])):
        search.ask(None)
        search.tell(Told(status, float("nan"), losses))
    assert search.ask(None).number == 2


def test_without_optuna_the_search_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(UserError, match=r"graphrouter\[experiments\]"):
        make_search(make_sweep(source()), 0)


def test_a_grid_asks_for_every_combination_once():
    grid = {"a": {"values": [1, 2]}, "b": {"min": 1, "max": 3}, "c": {"value": "x"}}
    sweep = make_sweep({"method": "grid", "parameters": grid})
    search = make_search(sweep, 0)
    asked = [search.ask(None).values for _ in range(sweep.runs)]
    assert asked[:3] == [{"a": 1, "b": b, "c": "x"} for b in (1, 2, 3)]
    assert Counter(tuple(one.values()) for one in asked) == Counter((a, b, "x") for a in (1, 2) for b in (1, 2, 3))
    assert make_sweep({"method": "grid", "parameters": grid, "run_cap": 4}).runs == 4
    assert Path(configs_folder() / "sweep" / "grid.yaml").is_file()


def test_seeds_are_consecutive_splits_of_one_configuration():
    configs = read_configs({"seed": 3, "seeds": 2, "gnn.rank": 4})
    assert [config.seed for config in configs] == [3, 4]
    assert configs[0].hyperparameters == configs[1].hyperparameters == {"rank": 4}
    assert len(read_configs({}, ["seeds=3", "seed=1"])) == 3
    with pytest.raises(UserError, match="seeds"):
        read_configs({"seeds": True})
