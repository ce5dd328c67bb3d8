from pathlib import Path

import pytest

from graphrouter.errors import UserError
from graphrouter.files import drafted, replace_file, replace_folder


def test_a_draft_takes_the_place_of_the_file_only_at_the_end(tmp_path: Path) -> None:
    file = tmp_path / "new" / "file"
    replace_file(file, b"old")
    with drafted(file) as draft:
        draft.write_bytes(b"new")
        assert file.read_bytes() == b"old"
    assert file.read_bytes() == b"new"
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_after_an_error_the_old_file_stays_and_the_draft_goes(tmp_path: Path, error: type[BaseException]) -> None:
    replace_file(tmp_path / "file", b"old")
    with pytest.raises(error), drafted(tmp_path / "file") as draft:  # noqa: PT012 - the draft has to be there
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
    with pytest.raises(UserError, match="must be written, but: told in words"), drafted(tmp_path / "new"):
        raise OSError("told in words")


class TestReplaceFolder:
    def make(self, folder: Path, **files: str) -> Path:
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        return folder

    def test_the_new_folder_is_there_and_nothing_else(self, tmp_path: Path) -> None:
        folder = self.make(tmp_path / "out", a="old", b="old")
        replace_folder(folder, self.make(tmp_path / ".draft", a="new"))
        assert [(file.name, file.read_text()) for file in folder.iterdir()] == [("a", "new")]
        assert [entry.name for entry in tmp_path.iterdir()] == ["out"]

    def test_what_is_to_be_kept_moves_along(self, tmp_path: Path) -> None:
        folder = self.make(tmp_path / "out", **{"journal/lines": "kept", "a": "old"})
        replace_folder(folder, self.make(tmp_path / ".draft", a="new"), keep=("journal", "none"))
        assert (folder / "journal" / "lines").read_text() == "kept"
        assert (folder / "a").read_text() == "new"

    def test_the_old_folder_is_back_where_the_draft_is_gone(self, tmp_path: Path) -> None:
        folder = self.make(tmp_path / "out", a="old")
        with pytest.raises(OSError, match="draft"):
            replace_folder(folder, tmp_path / ".draft")
        assert (folder / "a").read_text() == "old"
        assert [entry.name for entry in tmp_path.iterdir()] == ["out"]

    def test_a_file_is_not_replaced(self, tmp_path: Path) -> None:
        (tmp_path / "out").write_text("x")
        with pytest.raises(NotADirectoryError):
            replace_folder(tmp_path / "out", self.make(tmp_path / ".draft", a="new"))
        assert (tmp_path / "out").read_text() == "x"
