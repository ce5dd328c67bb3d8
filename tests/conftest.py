"""One torch thread, no network, Ctrl-C as usual, repeatable property tests, and the real logs where they are present."""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"  # read when torch and BLAS are first imported
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["WANDB_MODE"] = "offline"

import pytest
from hypothesis import settings

REAL_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"

# A shell that starts the tests in the background has them ignore Ctrl-C, and all that they start would too.
signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("repeatable", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("repeatable")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not REAL_DATA.is_dir():
        skip = pytest.mark.skip(reason="the real logs are not at ../shared/data")
        for item in items:
            if "real_data" in item.keywords:
                item.add_marker(skip)


def pytest_runtest_setup() -> None:
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


def pytest_runtest_teardown() -> None:
    """Let W&B forget its first working directory, where it would go on to write."""
    if "wandb" in sys.modules:
        sys.modules["wandb"].teardown()


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of the real logs; a test that uses it is marked ``real_data``, and so skipped where it is absent."""
    return REAL_DATA


@pytest.fixture
def fail(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run a graphrouter command that must fail as the user can mend it; returns its one line."""
    from graphrouter.cli import main

    def run(*argv: str) -> str:
        capsys.readouterr()
        assert main(list(argv)) == 2
        said = capsys.readouterr().err
        assert said.count("\n") == 1, said
        assert said.startswith("graphrouter: error: ")
        return said

    return run
