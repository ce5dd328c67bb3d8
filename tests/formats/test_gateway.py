"""Chat logs of an OpenAI-compatible gateway."""

import json
from pathlib import Path

import pytest
from public_layouts import knows_only_its_own, write_json, write_lines, write_table

from graphrouter.errors import UserError
from graphrouter.formats import gateway, read_log
from graphrouter.formats.builder import LogBuilder
from graphrouter.log import LLMLog

SECRET = "sk-do-not-keep-this"
USAGE = {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15}


def user(text="1+1?"):
    return {"role": "user", "content": text}


def answer(text="2", model="gpt-4o-2024-08-06", **columns):
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": model,
        "choices": [choice],
        "usage": USAGE,
    } | columns


def exchange(messages=None, response=None, **columns):
    request = {"model": "gpt-4o", "messages": [user()] if messages is None else messages, "temperature": 0}
    return {"request": request, "response": answer() if response is None else response, "score": 1} | columns


def flat(**columns):
    row = {"model": "azure/gpt-4o", "messages": [user()], "response": answer(), "response_cost": 0.002}
    row |= {"startTime": 1714636116.25, "endTime": 1714636117.75, "status": "success", "call_type": "acompletion"}
    return row | {"score": 0.5} | columns


def read(path: Path, skip_bad=False) -> tuple[LLMLog, LogBuilder]:
    builder = LogBuilder("log", skip_bad)
    gateway.read(path, builder)
    return builder.build(), builder


def one(folder: Path, row) -> LLMLog:
    return read(write_lines(folder / "log.jsonl", [row]))[0]


def test_request_and_response_make_a_record(tmp_path):
    log = one(tmp_path, exchange(metadata={"task": "sums"}, cost=0.001))
    assert log.queries.select("task", "query").row(0) == ("sums", "1+1?")
    columns = ("llm", "performance", "input_tokens", "output_tokens", "cost")
    assert log.records.select(columns).row(0) == ("gpt-4o-2024-08-06", 1.0, 12.0, 3.0, 0.001)
    assert log.responses()["response"].to_list() == ["2"]


def test_flat_rows_make_a_record(tmp_path):
    log = one(tmp_path, flat(task="sums"))
    columns = ("llm", "performance", "input_tokens", "output_tokens", "cost", "latency_s")
    assert log.records.select(columns).row(0) == ("gpt-4o-2024-08-06", 0.5, 12.0, 3.0, 0.002, 1.5)


@pytest.mark.parametrize(
    "columns",
    [
        {"response": "2", "prompt_tokens": 12, "completion_tokens": 3, "response_cost": None, "spend": 0.002},
        {"response": json.dumps(answer(model=None)), "messages": json.dumps([user()])},
        {"messages": None, "request": json.dumps({"messages": [user()]}), "response": answer(model="")},
        {
            "response": answer(model=None),
            "startTime": "2024-05-02T10:00:00.000Z",
            "endTime": "2024-05-02T10:00:01.500+00:00",
        },
        {"messages": "1+1?", "response": "2", "usage": USAGE},
        {
            "request": {"body": {"messages": [user()]}, "headers": {}},
            "response": {"body": answer(model=None)},
            "messages": None,
        },
    ],
)
def test_the_same_exchange_in_other_words(tmp_path, columns):
    log = one(tmp_path, flat(**columns))
    names = ("llm", "performance", "input_tokens", "output_tokens", "cost", "latency_s")
    assert log.records.select(names).row(0) == ("azure/gpt-4o", 0.5, 12.0, 3.0, 0.002, 1.5)
    assert log.queries["query"].to_list() == ["1+1?"]
    assert log.responses()["response"].to_list() == ["2"]


def test_our_own_rows(tmp_path):
    row = {
        "task": "sums",
        "query": "[{1+1?",
        "llm": "m",
        "response": '{"sum": 2}',
        "performance": 0.25,
        "judge_score": 0.5,
    }
    file = write_lines(
        tmp_path / "log.jsonl", [row | {"input_tokens": 4, "output_tokens": 1, "cost": 1e-6, "latency_s": 0.3}]
    )
    assert gateway.recognises(file)
    log, _ = read(file)
    columns = ("llm", "performance", "judge_score", "input_tokens", "output_tokens", "cost", "latency_s")
    assert log.records.select(columns).row(0) == ("m", 0.25, 0.5, 4.0, 1.0, 1e-6, 0.3)
    assert log.queries.select("task", "query").row(0) == ("sums", "[{1+1?")
    assert log.responses()["response"].to_list() == ['{"sum": 2}']


def test_an_answer_in_json_stays_as_it_is(tmp_path):
    said = '{"error":  "none", "content": "x"}'
    assert one(tmp_path, flat(response=said)).responses()["response"].to_list() == [said]


def test_the_last_message_of_the_user_comes_first(tmp_path):
    turns = [{"role": "system", "content": "Be brief."}, user("Hello"), {"role": "assistant", "content": "Hi"}, user()]
    tool = {"role": "tool", "content": "4", "tool_call_id": "1"}
    call = {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}
    log = one(tmp_path, exchange([*turns, call, tool]))
    assert log.queries["query"].to_list() == ["1+1?\n\n[other turns]\nuser: Hello\nassistant: Hi\ntool: 4"]


def test_parts_of_a_message_are_joined_and_images_left_out(tmp_path):
    parts = [
        {"type": "text", "text": "What is"},
        {"type": "image_url", "image_url": {"url": SECRET}},
        {"type": "text", "text": "this?"},
    ]
    assert one(tmp_path, exchange([user(parts)])).queries["query"].to_list() == ["What is\nthis?"]


def test_system_messages_tell_queries_apart_but_are_no_text(tmp_path):
    rows = [
        exchange([{"role": role, "content": text}, user()])
        for role, text in (("system", "a"), ("developer", "b"), ("system", "a"))
    ]
    log, builder = read(write_lines(tmp_path / "log.jsonl", rows))
    assert log.queries["query"].to_list() == ["1+1?", "1+1?"]
    assert builder.copies == 1


def test_one_question_to_several_llms_is_one_query(tmp_path):
    rows = [exchange(), exchange(response=answer("3", "llama"), score=0), exchange(task="other")]
    log, _ = read(write_lines(tmp_path / "log.jsonl", rows))
    assert set(log.queries["task"]) == {None, "other"}
    assert log.cells("draws").sum() == 3
    assert sorted((log.cells("draws") > 0).sum(axis=1).tolist()) == [1, 2]


def test_rows_without_a_score_or_an_answer_are_counted(tmp_path):
    rows = [
        exchange(),
        exchange([user("a?")], score=None),
        exchange([user("b?")], response={"error": {"message": "overloaded"}}),
        flat(status="failure", messages=[user("c?")]),
        flat(response=None, messages=[user("d?")]),
        exchange([user("e?")], error="timeout"),
    ]
    log, builder = read(write_lines(tmp_path / "log.jsonl", rows))
    assert log.queries["query"].to_list() == ["1+1?"]
    assert builder.unscored == 5


def test_a_log_without_any_score_says_so(tmp_path):
    file = write_lines(tmp_path / "log.jsonl", [exchange(score=None), flat(score=None)])
    with pytest.raises(UserError, match=r"none of its 2 requests has one; add 'score'"):
        read(file)


@pytest.mark.parametrize(
    ("value", "performance"), [(True, 1.0), (False, 0.0), ("true", 1.0), (0.25, 0.25), ("0.25", 0.25)]
)
@pytest.mark.parametrize("place", ["score", "performance", "metadata"])
def test_a_score_stands_on_the_row_or_in_its_metadata(tmp_path, place, value, performance):
    scored = {"metadata": {"score": value}} if place == "metadata" else {place: value}
    log = one(tmp_path, exchange(**({"score": None} | scored)))
    assert log.records["performance"].to_list() == [performance]


def test_a_cost_of_zero_is_not_known(tmp_path):
    log = one(tmp_path, flat(response_cost=0.0, spend=0))
    assert log.records["cost"].to_list() == [None]


def test_a_cost_in_the_usage_counts(tmp_path):
    log = one(tmp_path, exchange(response=answer(usage=USAGE | {"cost": 0.01})))
    assert log.records["cost"].to_list() == [0.01]


def test_an_end_before_the_start_gives_no_latency(tmp_path):
    for times in ({"startTime": 5.0, "endTime": 4.0}, {"startTime": "soon", "endTime": 4.0}, {"endTime": None}):
        assert one(tmp_path, flat(**times)).records["latency_s"].to_list() == [None]


def test_nothing_secret_is_kept(tmp_path):
    secrets = {
        "api_key": SECRET,
        "user": SECRET,
        "end_user": SECRET,
        "headers": {"authorization": f"Bearer {SECRET}"},
        "metadata": {"user_api_key": SECRET, "requester_ip_address": SECRET, "headers": {"x": SECRET}, "task": "t"},
        "requester_ip_address": SECRET,
    }
    row = flat(**secrets)
    row["request"] = {"headers": {"authorization": SECRET}, "user": SECRET, "api_key": SECRET}
    bad = flat(messages=[SECRET], user=SECRET)
    log, builder = read(
        write_lines(tmp_path / "log.jsonl", [row, bad, flat(messages=SECRET, model={SECRET: 1}, response=SECRET)]),
        skip_bad=True,
    )
    log.save(tmp_path / "saved")
    assert len(builder.rejected) == 2
    assert all(SECRET not in row.reason for row in builder.rejected)
    for file in (tmp_path / "saved").iterdir():
        assert SECRET.encode() not in file.read_bytes()
    assert SECRET not in str([frame.to_dicts() for frame in (log.queries, log.llms, log.records, log.responses())])


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (exchange([]), "messages must be a list"),
        (exchange({"role": "user"}), "messages must be a list"),
        (exchange(["hi"]), "each message must be an object"),
        (exchange([{"role": "assistant", "content": "Hi"}]), "one of the user"),
        (exchange([user("  ")]), "one of the user"),
        (exchange(score=5), "score must be within"),
        (exchange(score="good"), "score must be a number"),
        (exchange(cost=-1), "cost must be"),
        (flat(model=None, response="2"), "model must be text"),
        (exchange(response=answer(usage=[1])), "usage must be an object"),
        ("text", "must be a JSON object"),
    ],
)
def test_a_bad_row_is_refused_or_listed(tmp_path, bad, reason):
    file = write_lines(tmp_path / "log.jsonl", [exchange(), bad])
    with pytest.raises(UserError, match=reason):
        read(file)
    log, builder = read(file, skip_bad=True)
    assert log.records.height == log.queries.height == 1
    assert [(row.file, row.row) for row in builder.rejected] == [(file, 2)]


def test_a_broken_line_is_listed(tmp_path):
    file = write_lines(tmp_path / "log.jsonl", [exchange()])
    file.write_text(file.read_text() + '{"request": \n')
    log, builder = read(file, skip_bad=True)
    assert log.records.height == 1
    assert [row.row for row in builder.rejected] == [2]


def test_row_order_and_files_do_not_matter(tmp_path):
    rows = [exchange([user(f"{at % 3}?")], answer(str(at), f"m{at % 2}"), score=at / 10) for at in range(9)]
    write_lines(tmp_path / "a/1.jsonl", rows[:5])
    write_json(tmp_path / "a/2.json", rows[5:])
    first, second = read(tmp_path / "a")[0], read(write_lines(tmp_path / "b.jsonl", rows[::-1]))[0]
    assert first.queries.equals(second.queries)
    assert first.records.equals(second.records)
    assert first.responses().equals(second.responses())


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(UserError, match="must be a JSONL file"):
        read(tmp_path)


def test_knows_its_own_layout_and_no_other(tmp_path):
    assert knows_only_its_own(gateway, tmp_path)
    assert not gateway.recognises(tmp_path / "absent.jsonl")


def spend(asked="{}", model="m-a", **columns):
    row = {"model": model, "spend": 0.0002, "prompt_tokens": 10, "completion_tokens": 20, "status": "success"}
    row |= {"metadata": '{"score": 1}', "messages": "{}", "response": "{}", "proxy_server_request": asked}
    return row | columns


def body(text="1+1?", **columns):
    return json.dumps({"model": "m-a", "messages": [user(text)]} | columns)


@pytest.mark.parametrize(
    "row",
    [
        spend(body()),
        spend(json.dumps({"body": json.loads(body())})),
        spend(None, messages=json.dumps([user()])),
        spend(None, messages=[user()]),
        spend(json.dumps({"model": "m-a", "input": "1+1?"})),
        spend(json.dumps({"model": "m-a", "input": [user()]})),
    ],
)
def test_a_spend_log_is_read_wherever_it_keeps_the_request(tmp_path, row):
    log = one(tmp_path, row)
    assert log.queries["query"].to_list() == ["1+1?"]
    assert log.records.select("llm", "performance", "cost", "input_tokens").rows() == [("m-a", 1.0, 0.0002, 10.0)]
    assert not log.has_responses


@pytest.mark.parametrize(
    "row",
    [
        spend(),
        spend(None, messages=None),
        spend("{}", messages="[]"),
        spend("", messages=""),
        spend('{"litellm_truncated": true}'),
        spend(body("redacted-by-litellm")),
        spend(messages=[user("redacted-by-litellm")], response="redacted-by-litellm"),
    ],
)
def test_requests_whose_text_was_not_kept_are_left_out_with_a_count(tmp_path, row):
    log, builder = read(write_lines(tmp_path / "log.jsonl", [spend(body()), row, row | {"model": "m-b"}]))
    assert log.records.height == 1
    assert builder.remarks[gateway.WITHOUT_TEXTS] == 2
    with pytest.raises(UserError, match="none of its 2 rows holds them; .*store_prompts_in_spend_logs"):
        read(write_lines(tmp_path / "none.jsonl", [row, row]))


def test_a_prompt_that_was_cut_is_counted(tmp_path):
    cut = "start ... (litellm_truncated skipped 900 chars) ... end"
    _, builder = read(write_lines(tmp_path / "log.jsonl", [spend(body(cut)), spend(body()), flat(response=cut)]))
    assert builder.remarks[gateway.SHORTENED] == 2


def test_a_spend_log_may_be_a_table_with_json_in_its_cells(tmp_path):
    file = write_table(tmp_path / "spend.csv", [spend(body(), response=json.dumps(answer())), spend(body(), "m-b")])
    assert gateway.recognises(file)
    log, _ = read(file)
    assert sorted(log.records["llm"]) == ["gpt-4o-2024-08-06", "m-b"]


CHUNKS = [
    {"model": "m", "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]},
    {"choices": [{"index": 0, "delta": {"content": "hel"}}, {"index": 1, "delta": {"content": "no"}}]},
    {"choices": [{"index": 0, "delta": {"content": "lo"}, "finish_reason": "stop"}]},
    {"choices": [], "usage": USAGE},
]
EVENTS = [
    {"type": "message_start", "message": {"model": "m", "content": []}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "thinking_delta", "thinking": "hm"}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "hel"}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "lo"}},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 3}},
]


@pytest.mark.parametrize(
    "response",
    [
        {"model": "m", "choices": [{"delta": {"content": "hel"}}, {"delta": {"content": "lo"}}]},
        {"model": "m", "choices": [{"index": at, "delta": {"content": "hello" * (1 - at)}} for at in (0, 1)]},
        CHUNKS,
        json.dumps(CHUNKS),
        "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in CHUNKS) + "data: [DONE]\n\n",
        EVENTS,
        "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in EVENTS),
        [{"type": "response.output_text.delta", "delta": part} for part in ("hel", "lo")],
        {"model": "m", "candidates": [{"content": {"parts": [{"text": "hello"}], "role": "model"}}]},
        {"model": "m", "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "hello"}]},
        {"model": "m", "output": [{"type": "reasoning", "summary": []}, {"type": "message", "content": "hello"}]},
    ],
)
def test_a_reply_is_whole_however_it_was_sent(tmp_path, response):
    log = one(tmp_path, flat(model="m", response=response))
    assert log.responses()["response"].to_list() == ["hello"]
    assert log.llm_names == ("m",)


def test_the_usage_of_a_stream_is_read(tmp_path):
    log = one(tmp_path, flat(response=CHUNKS))
    assert log.records.select("llm", "input_tokens", "output_tokens").row(0) == ("m", 12.0, 3.0)


def test_our_own_rows_need_no_response(tmp_path):
    rows = [{"query": "1+1?", "llm": llm, "score": 1, "cost": 0.1} for llm in ("a", "b")]
    rows += [{"query": "2+2?", "llm": "a", "score": 0, "response": text} for text in (None, "[]")]
    log, builder = read(write_lines(tmp_path / "log.jsonl", rows))
    assert (log.records.height, log.queries.height, builder.unscored) == (4, 2, 0)
    assert log.responses()["response"].to_list() == ["[]"]


def test_failed_requests_are_named_and_can_count_as_wrong(tmp_path):
    rows = [flat(), flat(score=None, status="failure", response=None), flat(metadata={"status": "failure"}, score=1)]
    file = write_lines(tmp_path / "log.jsonl", rows)
    with pytest.warns(UserWarning, match="2 rows have no performance, for the request or generation failed"):
        assert read_log(file)[0].records["performance"].to_list() == [0.5]
    with pytest.warns(UserWarning, match="2 rows are failed"):
        assert sorted(read_log(file, failed_as_wrong=True)[0].records["performance"]) == [0.0, 0.0, 0.5]
    with pytest.raises(UserError, match="all of its 2 requests failed"):
        read(write_lines(tmp_path / "log.jsonl", rows[1:]))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"query": None}, "query must be text, but is empty"),
        ({"query": " "}, "query must be text, but is blank"),
        ({"query": ["a"]}, "query must be text"),
        ({"query": True}, "query must be text, but is True"),
        ({"llm": None}, "llm must be text, but is absent"),
        ({"llm": 7}, "llm must be text, but is int"),
        ({"llm": " "}, "llm must be text, but is blank"),
        ({"score": -1}, "-1 becomes 0"),
        ({"cost": {"usd": 1}}, "cost must be a number"),
        ({"input_tokens": True}, "input_tokens must be a number"),
    ],
)
def test_a_bad_cell_of_our_own_rows_is_named(tmp_path, change, reason):
    row = {"query": "1+1?", "llm": "m", "score": 1}
    with pytest.raises(UserError, match=f"log.jsonl, row 2: .*{reason}"):
        read(write_lines(tmp_path / "log.jsonl", [row, row | change]))
