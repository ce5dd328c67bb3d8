import json
import multiprocessing
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion.journal import Journal
from graphrouter.errors import UserError


@given(st.lists(st.dictionaries(st.text(), st.text() | st.integers() | st.none())))
def test_what_is_appended_is_read_back_in_order(tmp_path_factory, entries):
    file = tmp_path_factory.mktemp("journal") / "deep" / "answers.jsonl"
    with Journal(file) as journal:
        for entry in entries:
            journal.append(entry)
        assert list(journal.entries()) == entries


def test_a_lone_surrogate_survives(tmp_path):
    with Journal(tmp_path / "answers.jsonl") as journal:
        journal.append({"response": "\ud83d"})
        assert list(journal.entries()) == [{"response": "\ud83d"}]


def test_a_torn_last_line_is_cut_and_asked_for_again(tmp_path):
    file = tmp_path / "answers.jsonl"
    file.write_text('{"a": 1}\n{"a": 2')
    with Journal(file) as journal:
        journal.append({"a": 3})
        assert list(journal.entries()) == [{"a": 1}, {"a": 3}]


def test_a_damaged_line_in_the_middle_is_named(tmp_path):
    file = tmp_path / "answers.jsonl"
    file.write_text('{"a": 1}\n{"a"\n{"a": 3}\n')
    with Journal(file) as journal, pytest.raises(UserError, match="line 2"):
        list(journal.entries())


def test_threads_do_not_mix_their_lines(tmp_path):
    with Journal(tmp_path / "answers.jsonl") as journal:

        def write(thread):
            for number in range(200):
                journal.append({"thread": thread, "number": number, "text": "x" * 500})

        threads = [threading.Thread(target=write, args=(thread,)) for thread in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        entries = list(journal.entries())
    assert {(entry["thread"], entry["number"]) for entry in entries} == {(t, n) for t in range(8) for n in range(200)}
    assert len(entries) == 1600


def test_an_entry_is_on_disk_before_append_returns(tmp_path):
    file = tmp_path / "answers.jsonl"
    with Journal(file) as journal:
        journal.append({"a": 1})
        assert json.loads(file.read_text()) == {"a": 1}


def test_a_second_run_on_the_same_journal_is_refused(tmp_path):
    file = tmp_path / "answers.jsonl"
    with Journal(file), multiprocessing.get_context("spawn").Pool(1) as pool:
        assert "another run" in pool.apply(_refusal, (file,))
    with Journal(file) as journal:
        journal.append({"a": 1})


def _refusal(file):
    try:
        with Journal(file):
            return "opened"
    except UserError as error:
        return str(error)


def test_a_journal_that_cannot_be_written_is_a_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="must be written"), Journal(tmp_path / "file" / "answers.jsonl"):
        pass
