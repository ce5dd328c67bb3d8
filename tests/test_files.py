from pathlib import Path

import pytest

from graphrouter.errors import UserError
from graphrouter.files import drafted, replace_file


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
