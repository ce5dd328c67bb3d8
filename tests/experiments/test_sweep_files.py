import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml

from experiments.run import main as run_main
from experiments.runs.configuration import read_configs
from experiments.runs.execute import Stopped
from experiments.sweep import main
from experiments.sweeps.early import Halving, read_hyperband
from experiments.sweeps.file import make_sweep, parse_words, read_sweep
from experiments.sweeps.parameters import read_parameter
from experiments.sweeps.pruning import Pruning
from experiments.sweeps.study import SweepStudy
from graphrouter.errors import UserError
from graphrouter.settings import configs_folder, read_yaml

ROOT = Path(__file__).parents[2]
SOURCE = {
    "program": "experiments/run.py",
    "method": "bayes",
    "run_cap": 20,
    "metric": {"name": "validation/nll"},
    "parameters": {
        "smoothing.dropout": {"min": 0.0, "max": 1.0},
        "smoothing.rank": {"values": [4, 8]},
        "smoothing": {"parameters": {"steps": {"value": 100}, "hidden": {"min": 8, "max": 64}}},
    },
}


def source(**keys):
    return {key: value for key, value in (SOURCE | keys).items() if value is not None}


@pytest.mark.parametrize("file", sorted((configs_folder() / "sweep").glob("*.yaml")), ids=lambda file: file.stem)
def test_every_shipped_sweep_draws_runs_that_are_valid(file, tmp_path):
    sweep = read_sweep(file.stem)
    study = SweepStudy(sweep, 0, tmp_path / "study.log")
    for number in range(8):
        asked = study.ask().values
        assert read_configs(asked, (), f"trial {number}")
    # what W&B's agent puts in the place of the macro comes back as the same run
    assert read_configs(parse_words([f"{name}={value}" for name, value in asked.items()])) == read_configs(asked)
    assert sweep.source["command"][-2:] == ["${args_no_hyphens}", "--wandb=online"]


def test_overrides_take_a_parameters_place_or_add_one():
    sweep = make_sweep(source(), ["smoothing.rank=16", "log=mmlu_pro", "smoothing.steps=180", "encoder=None"], runs=3)
    assert sweep.fixed == {"smoothing.rank": 16, "log": "mmlu_pro", "smoothing.steps": 180, "encoder": None}
    assert [parameter.name for parameter in sweep.searched] == ["smoothing.dropout", "smoothing.hidden"]
    assert sweep.runs == 3


def test_words_of_a_command_count_as_values():
    command = ["${env}", "python", "-m", "experiments.run", "${args_no_hyphens}", "log=tiny", "--wandb", "online"]
    assert make_sweep(source(command=command)).fixed["log"] == "tiny"


ENV = ["${env}", "${interpreter}"]


@pytest.mark.parametrize(
    ("keys", "added"),
    [
        ({"command": [*ENV, "${program}", "${args_no_hyphens}"]}, {}),
        ({"command": [*ENV, "${program}", "${args}", "--wandb=online", "--quiet"]}, {}),
        ({"command": [*ENV, "${program}", "${args_no_boolean_flags}"]}, {}),
        ({"command": ["python3", "-u", "${program}", "--log=tiny", "seeds=2", "${args}"]}, {"log": "tiny", "seeds": 2}),
        ({"command": ["python", "experiments/run.py", "${args}"], "program": None}, {}),
        ({"command": ["python", "-m", "experiments", "run", "${args}"], "program": None}, {}),
        ({"command": ["${program}", "${args}"], "program": "./experiments/run.py"}, {}),
        ({"command": ["${program}", "${args}", "log=${envvar:SWEEP_LOG}"]}, {"log": "mine"}),
        ({"command": ["${envvar:SWEEP_PYTHON}", "${program}", "${args}"]}, {}),
        ({"command": ["accelerate", "launch", "-m", "experiments.run", "${args}"], "program": "train.py"}, {}),
        ({"command": None}, {}),
    ],
)
def test_commands_of_wandb_that_start_a_run_are_taken(keys, added, monkeypatch):
    monkeypatch.setenv("SWEEP_LOG", "mine")
    monkeypatch.setenv("SWEEP_PYTHON", "python3")
    sweep = make_sweep(source(**keys))
    assert sweep.fixed == {"smoothing.steps": 100} | added
    assert {key: sweep.source.get(key) for key in keys} == keys  # W&B gets its words as they are


def test_what_an_agent_starts_runs_as_a_file_too(tmp_path):
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    words = [
        sys.executable,
        str(ROOT / "experiments" / "run.py"),
        "log=nosuch",
        "--knn.k=3",
        "router=knn",
        "--out",
        "x",
    ]
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 2, done.stderr
    assert "nosuch is none" in done.stderr


def test_a_run_that_an_agent_starts_is_logged(monkeypatch, tmp_path):
    from experiments.runs import wandb_log

    seen = []
    monkeypatch.setattr(wandb_log.Logging, "__init__", lambda self, mode, *_: seen.append(mode) or 1 / 0)
    for identity, words in (("", []), ("abc", []), ("abc", ["--wandb=offline"])):
        monkeypatch.setenv("WANDB_SWEEP_ID", identity)
        with pytest.raises(ZeroDivisionError):
            run_main(["log=micropool", "--device=cpu", "--out", str(tmp_path / "out"), *words])
    assert seen == ["off", "online", "offline"]


def test_agents_write_values_as_python_does():
    words = ["smoothing={'dropout': 0.3, 'relations': ['a'], 'x': None}", "lr=1e-05", "flag=True", "encoder=None"]
    nested = {"dropout": 0.3, "relations": ["a"], "x": None}
    assert parse_words(words) == {"smoothing": nested, "lr": 1e-5, "flag": True, "encoder": None}


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"controller": {"type": "local"}}, "'controller'"),
        ({"method": "bayesian"}, "method must be one of grid, random, bayes, but is 'bayesian'; did you mean 'bayes'"),
        ({"metric": None}, "metric must be set"),
        ({"metric": {"goal": "minimize"}}, "must have a name"),
        ({"metric": {"name": "validation/nll", "impute": "best"}}, "'impute'"),
        ({"metric": {"name": "validation/nll", "goal": "max"}}, "metric.goal must be one of minimize, maximize"),
        ({"metric": {"name": "test/nll"}}, "test queries choose nothing"),
        ({"metric": {"name": "validation/nll", "target": "low"}}, "metric: target is of the wrong type"),
        ({"run_cap": None}, "set run_cap"),
        ({"run_cap": 0}, "run_cap must be 1 or more, but is 0"),
        ({"run_cap": "many"}, "run_cap is of the wrong type"),
        ({"parameters": None}, "parameters must be a mapping"),
        ({"parameters": {"smoothing.rank": {"value": 4}}}, "one or more to search"),
        ({"parameters": {"seed": {"values": [0, 1]}}}, "seed must have one value"),
        ({"method": "grid"}, "a grid goes over"),
        ({"command": ["python", "train.py", "${args}"]}, "experiments.run"),
        ({"command": ["-m", "experiments.run", "${args_json}"]}, "args_json"),
        ({"command": ["-m", "experiments.run", "${args}", "--device=cuda"]}, "--device=cuda"),
        (
            {"command": ["-m", "experiments.run", "${args}", "tiny"]},
            "tiny, which is not supported; a value is KEY=VALUE",
        ),
        ({"command": "python -m experiments.run ${args}"}, "must be a list of words"),
        ({"command": ["-m", "experiments.run"]}, "or every run would be the same"),
        ({"command": ["-m", "experiments.run", "${arg}"]}, "did you mean '${args}'"),
        ({"command": ["-m", "experiments.run", "${args_json_file}"]}, "writes the name of a JSON file"),
        ({"command": ["-m", "experiments.run", "${args_no_equals}"]}, "writes --key and value apart"),
        ({"command": ["-m", "experiments.run", "${args}", "log=${args_json}"]}, "log=${args_json}"),
        (
            {"command": ["${program}", "${args}", "log=${envvar:NO_SUCH_VARIABLE}"]},
            "NO_SUCH_VARIABLE, which is not set",
        ),
        ({"command": ["${program}", "${args}"], "program": "train.py"}, "program must be experiments/run.py"),
        ({"program": "train.py"}, "program must be experiments/run.py"),
        (
            {
                "command": ["${program}", "${args_no_boolean_flags}"],
                "parameters": {"smoothing.a": {"values": [True, False]}, "smoothing.b": {"min": 0, "max": 1}},
            },
            "leaves out a parameter that is false",
        ),
        ({"early_terminate": {"type": "envelope"}}, "early_terminate.type must be one of hyperband"),
        ({"early_terminate": {"type": "hyperband", "min_iter": 2, "bands": 3}}, "'bands'"),
        ({"early_terminate": {"type": "hyperband"}}, "either min_iter alone, or max_iter with s"),
        ({"early_terminate": {"type": "hyperband", "max_iter": 9}}, "max_iter with s"),
        ({"early_terminate": {"type": "hyperband", "min_iter": 2, "eta": 1}}, "eta must be"),
        ({"early_terminate": {"type": "hyperband", "max_iter": 2, "s": 2}}, "has none"),
        ({"early_terminate": {"type": "hyperband", "min_iter": 2, "strict": "so"}}, "strict is of the wrong type"),
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
        (["small", "--out", "x", "smoothing.dropuot=0.1"], "did you mean 'dropout'"),
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


def test_an_agent_gets_the_file_as_it_is(monkeypatch, capsys, tmp_path):
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

    assert main([*words[:1], "--agent", "--wandb", "online"]) == 0
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(file | {"metric": {"name": "validation/accuracy"}}))
    capsys.readouterr()
    assert main([str(tmp_path / "mine.yaml"), "--agent", "--wandb", "online"]) == 2
    assert "no run has the metric 'validation/accuracy'" in capsys.readouterr().err
    monkeypatch.setattr(wandb, "sweep", refuse)
    capsys.readouterr()
    assert main(words) == 2
    assert "run wandb login" in capsys.readouterr().err


def test_brackets_follow_the_format():
    assert read_hyperband({"type": "hyperband", "min_iter": 3}, "f") == Halving(3, 3, False)
    assert read_hyperband({"type": "hyperband", "max_iter": 27, "s": 2, "eta": 3}, "f") == Halving(3, 3, False)
    assert read_hyperband({"type": "hyperband", "max_iter": 9, "s": 9, "strict": True}, "f") == Halving(1, 3, True)


def evaluations_until_stopped(study, losses, rule):
    """Run a trial that has these losses; returns the evaluations that it came to."""
    trial = study.ask()
    pruning = Pruning(rule, study.file, trial.id, study.sweep.metric.minimise)
    for place, loss in enumerate(losses):
        try:
            pruning.on_evaluation("first", {"validation_loss": loss})
            pruning.on_evaluation("second", {"validation_loss": 0.0})  # another network does not count
        except Stopped:
            study.tell(trial, "stopped", None)
            return place + 1
    study.tell(trial, "finished", losses[-1])
    return len(losses)


@pytest.mark.parametrize("goal", ["minimize", "maximize"])
def test_a_bracket_lets_the_best_share_go_on(tmp_path, goal):
    metric = {"name": "validation/nll", "goal": goal}  # the loss is compared, whatever the metric
    study = SweepStudy(make_sweep(source(method="random", metric=metric)), 0, tmp_path / "study.log")
    came_to = [evaluations_until_stopped(study, [0.9, loss, 0.9], Halving(1, 2)) for loss in (0.5, 0.4, 0.6, 0.3, 0.45)]
    assert came_to == [3, 3, 2, 3, 2]
    assert evaluations_until_stopped(study, [0.9, float("nan"), 0.9], Halving(1, 2, strict=True)) == 2
    assert evaluations_until_stopped(study, [0.1, 0.9, 0.9], Halving(1, 2)) == 3  # the best so far
    assert evaluations_until_stopped(study, [0.1, 0.9, 0.9], Halving(1, 2, strict=True)) == 2


def loss_of(values):
    return (
        (values["smoothing.dropout"] - 0.3) ** 2
        + 0.1 * (values["smoothing.rank"] != 8)
        + abs(values["smoothing.hidden"] - 40) / 100
    )


def searched(sweep, seed, file, sign=1, at_once=1):
    """Ask for the trials that a study does not have, and tell what they come to, some at a time."""
    study = SweepStudy(sweep, seed, file)
    while len(study.trials()) < sweep.runs:
        for trial in [study.ask() for _ in range(min(at_once, sweep.runs - len(study.trials())))]:
            study.tell(trial, "finished", sign * loss_of(trial.values))
    return [trial.values for trial in study.trials()]


def test_the_same_seed_asks_for_the_same_configurations_also_after_a_break(tmp_path):
    sweep = make_sweep(source(), runs=16)
    asked = searched(sweep, 0, tmp_path / "whole")
    assert searched(sweep, 1, tmp_path / "other") != asked
    searched(make_sweep(source(), runs=12), 0, tmp_path / "part")
    study = SweepStudy(sweep, 0, tmp_path / "part")
    cut_off = study.ask()
    study.study.ask()  # killed while it is drawn
    with (tmp_path / "part").open("ab") as file:
        file.write(b'{"op_code":6,"wor')  # and while the next line is written
    (tmp_path / "part.lock").symlink_to(tmp_path / "part")
    again = SweepStudy(sweep, 0, tmp_path / "part")
    assert [trial.ended for trial in again.trials()] == 12 * [True] + [False]
    assert again.trials()[12] == cut_off
    again.tell(cut_off, "finished", loss_of(cut_off.values))
    assert searched(sweep, 0, tmp_path / "part") == asked


def test_a_random_search_is_the_same_whatever_the_number_of_jobs(tmp_path):
    sweep = make_sweep(source(method="random"), runs=12)
    one, four = (searched(sweep, 0, tmp_path / str(jobs), at_once=jobs) for jobs in (1, 4))
    assert one == four


def test_bayes_finds_better_than_random_and_keeps_away_from_failures(tmp_path):
    best = {}
    for method in ("bayes", "random"):
        sweep = make_sweep(source(method=method), runs=25)
        found = [searched(sweep, seed, tmp_path / f"{method}{seed}", at_once=4) for seed in range(2)]
        best[method] = sum(min(map(loss_of, asked)) for asked in found)
    assert best["bayes"] < best["random"]
    maximised = make_sweep(source(metric={"name": "validation/x/reward", "goal": "maximize"}), runs=30)
    assert min(map(loss_of, searched(maximised, 0, tmp_path / "maximised", sign=-1)[20:])) < 0.06
    study = SweepStudy(make_sweep(source(), runs=3), 0, tmp_path / "failed")
    for status in ("failed", "stopped"):
        study.tell(study.ask(), status, None)
    assert study.ask().number == 2


FEW = {
    "a": {"values": [20, 40, 20]},
    "b": {"values": ["x", "y", "z"], "probabilities": [0.9, 0.1, 0.0]},
    "c": {"min": 1, "max": 2},
    "d": {"min": 0.0, "max": 1.0, "q": 0.5, "distribution": "q_uniform"},
    "e": {"mu": 0.0, "sigma": 0.1, "q": 1, "distribution": "q_normal"},
    "f": {"value": [1, 2]},
}
ALL_OF_FEW = 2 * 2 * 2 * 3


@pytest.mark.parametrize("method", ["bayes", "random"])
def test_a_configuration_is_asked_for_once_until_there_is_none_left(method, tmp_path):
    sweep = make_sweep(source(method=method, parameters=FEW), runs=1000)
    assert sweep.size == sweep.runs == ALL_OF_FEW
    study, asked = SweepStudy(sweep, 0, tmp_path / "study.log"), []
    while (one := study.ask()) is not None:
        asked.append(one)
        status = ("finished", "failed", "stopped")[len(asked) // 3 % 3]
        if len(asked) % 3 == 0:  # the best is found early, and early ones end in all ways
            study.tell(asked[len(asked) // 3 - 1], status, float(one.values["c"]) if status == "finished" else None)
    assert study.ask() is None
    assert [one.number for one in asked] == list(range(ALL_OF_FEW))
    assert len({json.dumps(one.values) for one in asked}) == ALL_OF_FEW


def test_choices_are_all_that_can_be_drawn():
    import optuna

    for name, keys in FEW.items():
        if "value" in keys:
            continue
        parameter = read_parameter(name, keys, "file")
        study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
        drawn = {parameter.draw(study.ask()) for _ in range(300)}
        pairs = parameter.choices()
        assert drawn == {value for _, value in pairs}
        assert [parameter.value_of(one) for one, _ in pairs] == [value for _, value in pairs]
    for endless in (
        {"min": 0.0, "max": 1.0},
        {"min": 0, "max": 10**9},
        {"mu": 0, "sigma": 1, "distribution": "normal"},
    ):
        assert read_parameter("x", endless, "file").choices() is None


def test_without_optuna_the_search_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(UserError, match=r"graphrouter\[experiments\]"):
        SweepStudy(make_sweep(source()), 0, tmp_path / "study.log")


def test_a_file_that_is_no_journal_is_named(tmp_path):
    (tmp_path / "study.log").write_text("nonsense\n")
    with pytest.raises(UserError, match=r"study.log must be what a sweep wrote"):
        SweepStudy(make_sweep(source()), 0, tmp_path / "study.log")


def test_a_grid_asks_for_every_combination_once(tmp_path):
    grid = {"a": {"values": [1, 2]}, "b": {"min": 1, "max": 3}, "c": {"value": "x"}}
    sweep = make_sweep({"method": "grid", "parameters": grid})
    study = SweepStudy(sweep, 0, tmp_path / "study.log")
    asked = [study.ask().values for _ in range(sweep.runs)]
    assert study.ask() is None
    assert asked[:3] == [{"a": 1, "b": b, "c": "x"} for b in (1, 2, 3)]
    assert Counter(tuple(one.values()) for one in asked) == Counter((a, b, "x") for a in (1, 2) for b in (1, 2, 3))
    assert make_sweep({"method": "grid", "parameters": grid, "run_cap": 4}).runs == 4
    assert Path(configs_folder() / "sweep" / "grid.yaml").is_file()


def test_seeds_are_consecutive_splits_of_one_configuration():
    configs = read_configs({"seed": 3, "seeds": 2, "gnn.members": 4})
    assert [config.seed for config in configs] == [3, 4]
    assert configs[0].hyperparameters == configs[1].hyperparameters == {"members": 4}
    assert len(read_configs({}, ["seeds=3", "seed=1"])) == 3
    with pytest.raises(UserError, match="seeds"):
        read_configs({"seeds": True})
