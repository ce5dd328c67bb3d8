import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from graphrouter import files
from graphrouter.errors import UserError
from graphrouter.files import atomic_folder, atomic_write, is_disk_full, locked, replace_file


def test_a_draft_takes_the_place_of_the_file_only_at_the_end(tmp_path: Path) -> None:
    file = tmp_path / "new" / "file"
    replace_file(file, b"old")
    with atomic_write(file) as draft:
        draft.write_bytes(b"new")
        assert file.read_bytes() == b"old"
    assert file.read_bytes() == b"new"
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_after_an_error_the_old_file_stays_and_the_draft_goes(tmp_path: Path, error: type[BaseException]) -> None:
    replace_file(tmp_path / "file", b"old")
    with pytest.raises(error), atomic_write(tmp_path / "file") as draft:  # noqa: PT012 - the draft has to be there
        draft.write_bytes(b"half")
        raise error
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"old"]


def test_a_place_that_cannot_be_written_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"mine")
    (tmp_path / "folder").mkdir()
    for place in (tmp_path / "file" / "below", tmp_path / "folder"):
        with pytest.raises(UserError, match="must be written, but: .*; free room, or name another folder"):
            replace_file(place, b"new")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["file", "folder"]
    with pytest.raises(UserError, match="must be written, but: told in words"), atomic_write(tmp_path / "new"):
        raise OSError("told in words")


def make(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def tree(folder: Path) -> dict[str, str]:
    return {str(file.relative_to(folder)): file.read_text() for file in folder.rglob("*") if file.is_file()}


@pytest.fixture(params=["one step", "two steps"])
def steps(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "two steps":
        monkeypatch.setattr(files, "_exchange", lambda *_: False)


@pytest.mark.usefixtures("steps")
class TestDraftedFolder:
    def test_the_new_folder_is_there_and_nothing_else(self, tmp_path: Path) -> None:
        make(tmp_path / "out", a="old", b="old")
        with atomic_folder(tmp_path / "out", "a log") as draft:
            make(draft, a="new")
        assert tree(tmp_path) == {"out/a": "new"}

    def test_what_is_to_be_kept_stays(self, tmp_path: Path) -> None:
        make(tmp_path / "out", **{"journal/lines": "kept", "journal/more/b": "kept", "c": "kept", "a": "old"})
        with atomic_folder(tmp_path / "out", "a log", keep=("journal", "c", "none")) as draft:
            make(draft, a="new")
        assert tree(tmp_path / "out") == {"journal/lines": "kept", "journal/more/b": "kept", "c": "kept", "a": "new"}

    @pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt(), ValueError()])
    def test_after_an_error_the_old_folder_stays_and_the_draft_goes(self, tmp_path: Path, error: BaseException) -> None:
        make(tmp_path / "out", a="old")
        wanted = UserError if isinstance(error, OSError) else type(error)
        with pytest.raises(wanted), atomic_folder(tmp_path / "out", "a log") as draft:  # noqa: PT012
            make(draft, a="half")
            raise error
        assert tree(tmp_path) == {"out/a": "old"}

    def test_a_file_is_not_replaced(self, tmp_path: Path) -> None:
        (tmp_path / "out").write_text("x")
        with (
            pytest.raises(UserError, match="a log must go to a folder that can be written.*[fF]ile"),
            atomic_folder(tmp_path / "out", "a log"),
        ):
            pass
        assert tree(tmp_path) == {"out": "x"}


KILLED_AT = """
import os, signal, sys
from pathlib import Path
from graphrouter import files

if sys.argv[3] == "two":
    files._exchange = lambda *_: False
left = int(sys.argv[2])


def hook(event, args):
    global left
    changes = event in ("os.rename", "os.link", "os.mkdir", "os.rmdir", "os.remove", "shutil.copyfile", "ctypes.dlsym")
    if changes or event == "open" and isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)


folder = Path(sys.argv[1])
sys.addaudithook(hook)
with files.locked(folder), files.atomic_folder(folder, "a log", keep=("journal",)) as draft:
    (draft / "a").write_text("new")
    (draft / "b").write_text("new")
"""


@pytest.mark.parametrize("way", ["one", "two"])
def test_a_kill_at_any_step_leaves_the_old_or_the_new_folder_with_the_journal(tmp_path: Path, way: str) -> None:
    folder = tmp_path / "results" / "out"
    for step in range(1, 40):
        make(folder, **{"journal/lines": "kept", "a": "old", "b": "old"})
        words = [sys.executable, "-c", KILLED_AT, str(folder)]
        code = subprocess.run([*words, str(step), way], check=False).returncode
        with locked(folder):  # as every command begins
            assert tree(folder)["journal/lines"] == "kept"
            assert tree(folder)["a"] == tree(folder)["b"]
            assert os.listdir(folder.parent) == ["out"]  # noqa: PTH208 - hidden files too
        if code == 0:
            break
        assert code == -signal.SIGKILL
    assert step > 8
    assert tree(folder) == {"journal/lines": "kept", "a": "new", "b": "new"}


class TestLocked:
    def test_a_second_process_is_refused_and_the_same_one_is_not(self, tmp_path: Path) -> None:
        other = "import sys\nfrom graphrouter.files import locked\nwith locked(sys.argv[1]): pass"
        words = [sys.executable, "-c", other, str(tmp_path / "out")]
        with locked(tmp_path / "out"), locked(tmp_path / "x" / ".." / "out"):
            done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert "UserError" in done.stderr
        assert "out: another run is writing it; wait for its end, or name another folder" in done.stderr
        assert subprocess.run(words, check=False).returncode == 0
        assert not any(tmp_path.iterdir())

    def test_drafts_of_dead_processes_go_and_those_of_the_living_stay(self, tmp_path: Path) -> None:
        dead = subprocess.Popen([sys.executable, "-c", ""])
        dead.wait()
        gone = [
            f".out.{dead.pid}@{files.HOST}/a",
            f"out/.checkpoint.pt.{dead.pid}@{files.HOST}",
            f"out/r/.s.{dead.pid}@{files.HOST}",
        ]
        stay = [
            f".out.{os.getpid()}@{files.HOST}/a",
            f".out.{dead.pid}@another-host/a",
            ".out.1/a",
            ".other.x/a",
            "out/a",
        ]
        make(tmp_path, **dict.fromkeys([*gone, *stay], "x"))
        with locked(tmp_path / "out"):
            assert sorted(tree(tmp_path)) == sorted(stay)


@pytest.mark.parametrize(
    ("error", "full"),
    [
        (OSError(28, "No space left on device"), True),
        (RuntimeError("[enforce fail] . PytorchStreamWriter failed writing file data/0: file write failed"), True),
        (ValueError("Error while serializing: I/O error: No space left on device (os error 28)"), True),
        (RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 63360 vs 63252"), True),
        (OSError(13, "Permission denied"), False),
        (RuntimeError("os error 2"), False),
    ],
)
def test_a_full_disk_is_told_from_other_errors(error: Exception, full: bool) -> None:
    outer = UserError("it could not be written")
    outer.__cause__ = error
    assert is_disk_full(error) is is_disk_full(outer) is full
