import copy
import warnings
from pathlib import Path

import pytest
import torch
import wandb
from torch import nn

from graphrouter.errors import UserError
from graphrouter.run import RunOptions
from graphrouter.training import EVERY, Schedule, batch_of, fit_module, pick_device

ROWS = 40


class Problem:
    """Least squares with dropout, so that both random streams matter; can be cut off after some validations."""

    def __init__(self, cut_after: int | None = None, seed: int = 0) -> None:
        torch.manual_seed(seed)
        self.module = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 1))
        random = torch.Generator().manual_seed(5)
        self.inputs = torch.randn((2 * ROWS, 4), generator=random)
        self.target = self.inputs[:, :1] + 0.1 * torch.randn((2 * ROWS, 1), generator=random)
        self.left = cut_after

    def loss(self, rows: torch.Tensor) -> torch.Tensor:
        return ((self.module(self.inputs[rows]) - self.target[rows]) ** 2).mean()

    def validate(self) -> float:
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt
        return self.loss(torch.arange(ROWS, 2 * ROWS)).item()

    def fit(self, schedule: Schedule, seed: int = 0, every: int = EVERY, **run: object) -> list[dict[str, float]]:
        options = RunOptions(device="cpu", **run)
        rest = {"seed": seed, "run": options, "label": "test", "every": every}
        return fit_module(self.module, self.loss, ROWS, self.validate, schedule, **rest)


def weights_of(problem: Problem) -> dict[str, torch.Tensor]:
    return copy.deepcopy(problem.module.state_dict())


def assert_equal_weights(first: Problem, second: Problem) -> None:
    for key, value in weights_of(first).items():
        torch.testing.assert_close(value, weights_of(second)[key], rtol=0, atol=0)


@pytest.mark.parametrize("every", [5, 7])  # a pass has five batches: cut at its end, and in the middle of one
@pytest.mark.parametrize("evaluations_before_cut", [0, 1, 4])
def test_resume_after_a_cut_gives_the_same_losses_bit_for_bit(
    tmp_path: Path, evaluations_before_cut: int, every: int
) -> None:
    schedule, file = Schedule(steps=44, batch_size=8), tmp_path / "run" / "state.pt"
    whole = Problem()
    losses = whole.fit(schedule, every=every)
    cut = Problem(cut_after=1 + evaluations_before_cut)
    with pytest.raises(KeyboardInterrupt):
        cut.fit(schedule, every=every, checkpoint=file)
    resumed = Problem()
    assert resumed.fit(schedule, every=every, checkpoint=file) == losses
    assert_equal_weights(whole, resumed)


def test_a_finished_run_is_not_trained_again(tmp_path: Path) -> None:
    schedule, file = Schedule(steps=80, batch_size=8), tmp_path / "state.pt"
    first = Problem()
    losses = first.fit(schedule, checkpoint=file)
    second = Problem(cut_after=1)  # the validation before the first step is all that it may do
    assert second.fit(schedule, checkpoint=file) == losses
    assert_equal_weights(first, second)


def test_the_same_seed_gives_the_same_losses_and_another_seed_others() -> None:
    schedule = Schedule(steps=60, batch_size=8)
    losses = Problem().fit(schedule, seed=3)
    assert Problem().fit(schedule, seed=3) == losses
    assert Problem().fit(schedule, seed=4) != losses


def test_a_checkpoint_of_another_rhythm_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "state.pt"
    Problem().fit(Schedule(steps=20, batch_size=8), checkpoint=file)
    with pytest.raises(UserError, match="same data, config and seed"):
        Problem().fit(Schedule(steps=20, batch_size=8), every=10, checkpoint=file)


@pytest.mark.parametrize(
    ("schedule", "start", "seed"),
    [
        (Schedule(steps=60, batch_size=8, learning_rate=0.1), 0, 0),
        (Schedule(steps=60, batch_size=8), 1, 0),
        (Schedule(steps=60, batch_size=8), 0, 1),
    ],
    ids=["another schedule", "other initial weights", "another seed"],
)
def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path, schedule: Schedule, start: int, seed: int) -> None:
    file = tmp_path / "state.pt"
    Problem().fit(Schedule(steps=60, batch_size=8), checkpoint=file)
    with pytest.raises(UserError, match="same data, config and seed"):
        Problem(seed=start).fit(schedule, seed=seed, checkpoint=file)


def nudged(**options: object) -> Problem:
    """The problem as another processor has it: data and initial weights differ in their last digits."""
    problem = Problem(**options)
    with torch.no_grad():
        for weights in problem.module.parameters():
            weights *= 1 + 1e-7
    problem.inputs = problem.inputs * (1 + 1e-7)
    return problem


@pytest.mark.parametrize("inputs", [None, "digest of the log"])
def test_training_goes_on_where_the_last_digits_differ(tmp_path: Path, inputs: str | None) -> None:
    schedule, file = Schedule(steps=120, batch_size=8), tmp_path / "state.pt"
    with pytest.raises(KeyboardInterrupt):
        Problem(cut_after=4).fit(schedule, checkpoint=file, inputs=inputs)
    assert len(nudged().fit(schedule, checkpoint=file, inputs=inputs)) == 6
    # Cut a second time, by a kill on yet another machine: what began the run still identifies it.
    assert len(Problem().fit(schedule, checkpoint=file, inputs=inputs)) == 6


def test_other_inputs_are_refused_whatever_the_loss(tmp_path: Path) -> None:
    schedule, file = Schedule(steps=40, batch_size=8), tmp_path / "state.pt"
    Problem().fit(schedule, checkpoint=file, inputs="one log")
    with pytest.raises(UserError, match="same data, config and seed"):
        Problem().fit(schedule, checkpoint=file, inputs="another log")


def test_a_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "state.pt"
    file.write_bytes(b"not a checkpoint")
    with pytest.raises(UserError, match="cannot be read"):
        Problem().fit(Schedule(steps=20), checkpoint=file)


def scripted(
    losses: list[float], patience: int, **run: object
) -> tuple[list[dict[str, float]], list[torch.Tensor], nn.Linear]:
    """Train with given validation losses; return the history, the weights at each validation, and the module."""
    module, seen = nn.Linear(2, 1), []

    def validate() -> float:
        seen.append(module.weight.detach().clone())
        return losses[len(seen) - 1]

    inputs = torch.eye(2).repeat(4, 1)
    schedule = Schedule(len(losses) - 1, patience, batch_size=8, learning_rate=0.1)
    options = RunOptions(device="cpu", **run)
    history = fit_module(
        module,
        lambda rows: ((module(inputs[rows]) - 3) ** 2).mean(),
        8,
        validate,
        schedule,
        seed=0,
        run=options,
        label="s",
        every=1,
    )
    return history, seen, module


def test_stops_after_patience_steps_without_improvement() -> None:
    history, _, _ = scripted([9, 5, 4, 6, 6, 6, 6, 1], patience=3)
    assert [entry["validation_loss"] for entry in history] == [5, 4, 6, 6, 6]
    assert [entry["step"] for entry in history] == [1, 2, 3, 4, 5]


def test_weights_of_the_best_validation_are_restored() -> None:
    _, seen, module = scripted([9, 5, 4, 6, 7], patience=10)
    torch.testing.assert_close(module.weight.detach(), seen[2], rtol=0, atol=0)
    assert not torch.equal(seen[2], seen[-1])
    assert not module.training


def test_initial_weights_are_kept_where_training_makes_it_worse() -> None:
    _, seen, module = scripted([1, 5, 4], patience=10)
    torch.testing.assert_close(module.weight.detach(), seen[0], rtol=0, atol=0)


def test_a_loss_that_is_not_finite_is_never_the_best() -> None:
    _, seen, module = scripted([9, 5, float("nan"), float("-inf")], patience=10)
    torch.testing.assert_close(module.weight.detach(), seen[1], rtol=0, atol=0)


def test_training_reduces_the_loss() -> None:
    history = Problem().fit(Schedule(steps=1200, patience=1200, batch_size=8, learning_rate=0.02))
    assert min(entry["validation_loss"] for entry in history) < 0.5 * history[0]["validation_loss"]


def test_wandb_offline_logs_every_evaluation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_SILENT", "true")
    Problem().fit(Schedule(steps=40, batch_size=8), wandb="offline", wandb_project="trial", wandb_name="named")
    wandb.teardown()  # the service process may write after the run has finished; it is done when it has ended
    (log,) = tmp_path.glob("wandb/offline-run-*/*.wandb")
    content = log.read_bytes()
    assert content.count(b"validation_loss") >= 2
    assert b"trial" in content
    assert b"named" in content


def test_nothing_is_logged_where_wandb_is_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Problem().fit(Schedule(steps=20, batch_size=8))
    assert list(tmp_path.iterdir()) == []


def test_devices() -> None:
    assert pick_device("cpu") == torch.device("cpu")
    assert pick_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    with pytest.raises(UserError, match="auto, cpu or cuda, but is 'tpu'"):
        pick_device("tpu")


@pytest.mark.parametrize("name", ["cuda", "cuda:1"])
def test_cuda_is_refused_where_there_is_none(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match="needs a CUDA GPU"):
        pick_device(name)


def test_every_evaluation_is_told_and_may_end_the_training() -> None:
    told: list[tuple[str, dict[str, float]]] = []

    def watch(label: str, line: dict[str, float]) -> None:
        told.append((label, line))
        if line["step"] == 3 * EVERY:
            raise StopIteration

    with pytest.raises(StopIteration):
        Problem().fit(Schedule(steps=180, batch_size=8), on_evaluation=watch)
    assert [label for label, _ in told] == ["test"] * 3
    assert [line for _, line in told] == Problem().fit(Schedule(steps=180, batch_size=8))[:3]


@pytest.mark.parametrize("steps", [1, 20, 50])
def test_validation_is_looked_at_every_so_many_steps_and_at_the_end(steps: int) -> None:
    history = Problem().fit(Schedule(steps=steps, batch_size=8))
    assert [line["step"] for line in history] == sorted({*range(EVERY, steps + 1, EVERY), steps})


def test_every_pass_shows_each_query_once_in_a_new_order() -> None:
    seen: list[list[int]] = []
    module = nn.Linear(1, 1)

    def loss(rows: torch.Tensor) -> torch.Tensor:
        seen.append(rows.tolist())
        return module.weight.sum() ** 2

    schedule = Schedule(steps=12, batch_size=4)
    fit_module(module, loss, 21, lambda: 0.0, schedule, seed=0, run=RunOptions(device="cpu"), label="s", every=5)
    assert {len(batch) for batch in seen} == {3, 4}, "six batches of about equal size, and none of a single query"
    first, second = ([row for batch in batches for row in batch] for batches in (seen[:6], seen[6:]))
    assert sorted(first) == sorted(second) == list(range(21))
    assert first != second


@pytest.mark.parametrize(("rows", "batch"), [(180, 12), (181, 12), (6000, 256), (10, 1), (4096, 256), (4000, 250)])
def test_a_small_log_gets_small_batches(rows: int, batch: int) -> None:
    assert batch_of(256, rows) == batch


def ending(losses: list[float], patience: int = 10) -> tuple[list[bool], list[str]]:
    """Train with given validation losses; return what is told of the end, and the warnings."""
    ends: list[bool] = []
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        scripted(losses, patience, on_end=lambda label, best_is_last: ends.append(best_is_last))
    return ends, [str(one.message) for one in said]


def test_a_training_that_was_still_getting_better_says_so() -> None:
    ends, (said,) = ending([9, 5, 4, 3])
    assert ends == [True]
    assert said.startswith("s: the last evaluation was the best")


@pytest.mark.parametrize(
    ("losses", "patience"), [([9, 5, 3, 4], 10), ([1, 5, 4, 3], 10), ([9, 5, 6, 7, 2], 2)], ids=str
)
def test_a_training_that_was_long_enough_says_nothing(losses: list[float], patience: int) -> None:
    assert ending(losses, patience) == ([False], [])
