"""The engine for OpenAI-compatible servers, against a real HTTP server that can be nasty."""

from __future__ import annotations

import gc
import itertools
import json
import logging
import socket
import threading
import time
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from servers import Call, ChatServer, Say, completion

from fusion.engines.base import Answer, Completion, Failure, Request, Sampling, Waste
from fusion.engines.openai_api import OpenAIEngine
from graphrouter.errors import UserError

KEY = "sk-very-secret/0123456789abcdef"


def engine(server: ChatServer | str, **changes: Any) -> OpenAIEngine:
    url = server if isinstance(server, str) else server.url
    return OpenAIEngine("tiny", url, **{"backoff_s": 0.01, "timeout_s": 5.0, **changes})


def ask(text: str, key: str | None = None, **sampling: Any) -> Request:
    return Request(key or text, ({"role": "user", "content": text},), Sampling(**sampling))


def one(server: ChatServer, text: str = "hello", **changes: Any) -> Answer:
    [answer] = engine(server, **changes).generate([ask(text)])
    return answer


def completed(react: Any, text: str = "hello", **changes: Any) -> Completion:
    """Return the completion of one request to a server that reacts so, or says so."""
    with ChatServer(react if callable(react) else lambda call: react) as server:
        answer = one(server, text, **changes)
    assert isinstance(answer, Completion), answer
    return answer


def failed(react: Any, text: str = "hello", calls: int | None = None, **changes: Any) -> Failure:
    """Return the failure of one request, after so many calls."""
    with ChatServer(react if callable(react) else lambda call: react) as server:
        answer = one(server, text, **changes)
        assert calls in (None, len(server.calls))
    assert isinstance(answer, Failure), answer
    return answer


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "engine"]


def first_then_good(say: Say) -> Any:
    return lambda call: Say() if call.before else say


def test_an_answer_holds_what_the_server_said() -> None:
    answer = completed(Say(delay_s=0.05))
    assert (answer.key, answer.text, answer.model) == ("hello", "HELLO", "tiny")
    assert (answer.input_tokens, answer.output_tokens, answer.finish_reason) == (5, 6, "stop")
    assert 0.05 <= answer.latency_s < 1
    assert answer.reasoning is None


def test_the_request_holds_what_was_asked() -> None:
    sampling = Sampling(7, 0.5, 0.9, ("\n\n",), 3)
    messages = ({"role": "system", "content": "be brief"}, {"role": "user", "content": "hé"})
    with ChatServer() as server:
        list(engine(server, extra={"reasoning_effort": "low"}).generate([Request("a", messages, sampling)]))
        [call] = server.calls
    assert call.body == {
        "model": "tiny",
        "messages": list(messages),
        "max_tokens": 7,
        "temperature": 0.5,
        "top_p": 0.9,
        "stop": ["\n\n"],
        "seed": 3,
        "reasoning_effort": "low",
    }
    assert "Authorization" not in call.headers


def test_only_the_fields_that_a_server_takes_are_sent() -> None:
    with ChatServer() as server:
        one(server, send=("max_tokens", "stop"), token_field="max_completion_tokens")
        assert set(server.calls[0].body) == {"model", "messages", "max_completion_tokens"}


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 529])
def test_passing_trouble_is_asked_again(status: int) -> None:
    with ChatServer(first_then_good(Say({"error": {"message": "busy"}}, status))) as server:
        assert isinstance(one(server), Completion)
        assert len(server.calls) == 2


@pytest.mark.parametrize("status", [400, 404, 413, 422])
def test_a_bad_request_fails_at_once_and_the_others_go_on(status: int) -> None:
    def react(call: Call) -> Say:
        return Say({"error": {"message": "context too long"}}, status) if call.prompt == "bad" else Say()

    with ChatServer(react) as server:
        bad, good = engine(server, concurrency=1).generate([ask("bad"), ask("good")])
        assert len(server.calls) == 2
    assert isinstance(bad, Failure)
    assert bad.reason == f"HTTP {status}: context too long"
    assert isinstance(good, Completion)


BROKEN = {
    "no JSON": Say(b"<html>Bad gateway</html>"),
    "half of a JSON": Say(b'{"choices": [{"mess'),
    "no bytes": Say(b""),
    "no UTF-8": Say(b"\xff\xfe{}"),
    "too deep": Say(b"[" * 200_000),
    "an error with status 200": Say({"error": {"message": "upstream", "code": 502}}),
    "an answer broken off": Say({"choices": [{"message": {"content": "he"}, "finish_reason": "error"}]}),
    "a stream broken off": Say(b'data: {"choices": [{"delta": {"content": "he"}}]}\n\n'),
    "dropped before": Say(cut="before"),
    "dropped in the middle": Say(cut="middle"),
}


@pytest.mark.parametrize("say", BROKEN.values(), ids=BROKEN)
def test_a_broken_reply_is_asked_again_and_fails_in_one_line_after_all_tries(say: Say) -> None:
    with ChatServer(first_then_good(say)) as server:
        assert isinstance(one(server), Completion)
        assert len(server.calls) == 2
    answer = failed(say, calls=3, max_retries=2)
    assert "after 3 tries" in answer.reason
    assert "\n" not in answer.reason
    assert len(answer.reason) < 450
    assert answer.waste == Waste(unknown=3)


@pytest.mark.parametrize(
    ("body", "waste"),
    [
        (b"[]", Waste(unknown=1)),
        (b"42", Waste(unknown=1)),
        ({"object": "chat.completion"}, Waste(unknown=1)),
        ({"choices": None}, Waste(unknown=1)),
        ({"choices": {}}, Waste(unknown=1)),
        ({"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 0}}, Waste(5, 0)),
        ({"choices": [{"index": 0}], "usage": {"prompt_tokens": 5, "completion_tokens": 7}}, Waste(5, 7)),
        ({"choices": [], "usage": {"prompt_tokens": 0, "completion_tokens": 0}}, Waste(unknown=1)),
        (completion(3, usage={"prompt_tokens": 5, "completion_tokens": 1}), Waste(5, 1)),
        (completion([{"type": "text"}], usage=None), Waste(unknown=1)),
        (completion(None, usage={"prompt_tokens": 0, "completion_tokens": 0}), Waste(unknown=1)),
        ({"error": "Unexpected endpoint or method. (POST /chat/completions)"}, Waste(unknown=1)),
        (b'data: {"error": "no such budget"}\n\n', Waste(unknown=1)),
        (b"data: [DONE]\n\n", Waste(unknown=1)),
    ],
)
def test_a_whole_reply_of_another_form_is_not_asked_again_and_counted(body: Any, waste: Waste) -> None:
    answer = failed(Say(body), calls=1)
    assert answer.waste == waste
    assert "\n" not in answer.reason


def test_a_hang_is_given_up_after_the_time_limit() -> None:
    begin = time.monotonic()
    answer = completed(first_then_good(Say(delay_s=30)), timeout_s=0.2)
    assert answer.latency_s < 0.2 <= time.monotonic() - begin < 3
    failure = failed(Say(delay_s=30), timeout_s=0.1, max_retries=1)
    assert "no answer within 0.1 s" in failure.reason
    assert failure.latency_s >= 0.2


def waits(header: str, **changes: Any) -> float:
    """Return the seconds between a 429 with a Retry-After header and the next try."""
    say = Say({"error": {"message": "slow down"}}, 429, {"Retry-After": header})
    with ChatServer(first_then_good(say)) as server:
        assert isinstance(one(server, **changes), Completion)
        first, second = server.calls
        return second.at - first.at


def test_retry_after_is_honoured_in_seconds_and_as_a_date() -> None:
    assert 0.4 <= waits("0.4") < 1.4
    assert 1.0 <= waits(format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)) < 3


def test_a_long_retry_after_is_cut_to_the_cap() -> None:
    assert 0.3 <= waits("86400", retry_after_cap_s=0.3) < 1.5
    assert waits("soon") < 0.3


def test_retry_after_holds_for_the_other_requests_too() -> None:
    def react(call: Call) -> Say:
        limited = call.prompt == "0" and not call.before
        # The refusal comes when the second request is under way, and before that one is answered.
        return Say(status=429, headers={"Retry-After": "0.5"}, delay_s=0.3) if limited else Say(delay_s=0.5)

    with ChatServer(react) as server:
        list(engine(server, concurrency=2).generate(ask(str(i)) for i in range(5)))
        begin = server.calls[0].at
        assert sum(call.at - begin < 0.75 for call in server.calls) == 2


def test_requests_per_minute_space_the_requests() -> None:
    with ChatServer() as server:
        list(engine(server, requests_per_minute=600).generate(ask(str(i)) for i in range(5)))
        times = [call.at for call in server.calls]
    assert min(b - a for a, b in itertools.pairwise(times)) > 0.07
    assert times[-1] - times[0] > 0.38


@pytest.mark.parametrize(
    ("message", "text", "reasoning"),
    [
        ({"content": None, "reasoning_content": "hm"}, "", "hm"),
        ({"content": "42", "reasoning": "hm"}, "42", "hm"),
        ({"content": ""}, "", None),
        ({"content": None}, "", None),
        ({"role": "assistant"}, "", None),
        ({"content": None, "refusal": "I must not"}, "I must not", None),
        ({"content": [{"type": "text", "text": "4"}, {"type": "text", "text": "2"}]}, "42", None),
        ({"content": ["Answer: ", "42"]}, "Answer: 42", None),
        ({"content": [{"type": "text", "text": None}, {"type": "text", "text": "Answer: 42"}]}, "Answer: 42", None),
        ({"content": {"type": "text", "text": "Answer: 42"}}, "Answer: 42", None),
        ({"content": [{"type": "output_text", "text": "4", "annotations": []}, "2", None]}, "42", None),
        ({"content": [{"type": "text", "text": {"value": "42"}}]}, "42", None),
        ({"content": [{"text": "42"}]}, "42", None),
        ({"content": [{"type": "refusal", "refusal": "I must not"}]}, "I must not", None),
        ({"content": [{"type": "image_url", "image_url": {"url": "x"}}, {"type": "text", "text": "a"}]}, "a", None),
        ({"content": [{"type": "reasoning", "text": "hm"}, {"type": "text", "text": "a"}]}, "a", "hm"),
        ({"content": [{"type": "reasoning", "summary": [{"text": "hm"}]}, "a"]}, "a", "hm"),
        ({"content": [], "tool_calls": [{"id": "1"}]}, "", None),
        ({"content": [{"type": "thinking", "thinking": [{"text": "hm"}]}, {"type": "text", "text": "a"}]}, "a", "hm"),
        ({"content": "<think>hm</think>42"}, "<think>hm</think>42", None),
        ({"content": "half \ud83d pair"}, "half \ufffd pair", None),
    ],
)
def test_every_shape_of_message_is_read(message: dict[str, Any], text: str, reasoning: str | None) -> None:
    answer = completed(Say({"choices": [{"message": message, "finish_reason": "stop"}]}))
    assert (answer.text, answer.reasoning, answer.finish_reason, answer.model) == (text, reasoning, "stop", None)


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"prompt_tokens": 3, "completion_tokens": 0}, (3, None)),  # there is a text, so there are tokens
        ({"prompt_tokens": 0, "completion_tokens": 4}, (None, 4)),
        ({"prompt_tokens": 3.0, "completion_tokens": 4}, (3, 4)),
        ({"prompt_tokens": 3.5, "completion_tokens": "4"}, (None, None)),
        ({"prompt_tokens": 10**400, "completion_tokens": 1e300}, (None, None)),
        ({"prompt_tokens": None, "completion_tokens": []}, (None, None)),
        ({}, (None, None)),
        ("much", (None, None)),
        ([3, 4], (None, None)),
        ({"prompt_tokens": 3}, (3, None)),
        ({"prompt_tokens": -1, "completion_tokens": "many"}, (None, None)),
        ({"prompt_tokens": True, "completion_tokens": float("inf")}, (None, None)),
        (None, (None, None)),
    ],
)
def test_tokens_are_counted_by_the_server_and_never_guessed(usage: Any, expected: tuple[int | None, ...]) -> None:
    answer = completed(Say(completion("a", usage=usage)))
    assert (answer.input_tokens, answer.output_tokens) == expected


@pytest.mark.parametrize(
    "choice",
    [{"text": "42"}, {"delta": {"content": "42"}}, {"message": None, "delta": {"role": "assistant", "content": "42"}}],
)
def test_an_answer_in_the_place_of_a_message_is_read(choice: dict[str, Any]) -> None:
    answer = completed(Say({"choices": [choice]}))
    assert (answer.text, answer.finish_reason) == ("42", "unknown")


def test_half_surrogates_are_mended_wherever_they_stand() -> None:
    reply = completion("a", model="m\ud83d")
    reply["choices"][0]["finish_reason"] = "\ud800"
    answer = completed(Say(reply))
    assert (answer.model, answer.finish_reason) == ("m\ufffd", "\ufffd")
    failed(Say({"error": {"message": "\udc00"}}), max_retries=0).reason.encode()


def chunk(text: object = None, **changes: Any) -> dict[str, Any]:
    return {"model": "tiny", "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None} | changes]}


def events(*chunks: object, end: str = "\n\n", done: bool = True) -> bytes:
    lines = [f"data: {json.dumps(chunk)}{end}" for chunk in chunks]
    return "".join([*lines, f"data: [DONE]{end}" if done else ""]).encode()


USED = {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}
STOP = chunk(finish_reason="stop")
STREAMS = {
    "as it should be": events(chunk(""), chunk("4"), chunk("2"), STOP, USED),
    "usage in every chunk": events(
        chunk("4") | {"usage": {"prompt_tokens": 3, "completion_tokens": 1}},
        chunk("2"),
        STOP | USED | {"choices": STOP["choices"]},
    ),
    "CRLF": events(chunk("4"), chunk("2"), STOP, USED, end="\r\n\r\n"),
    "no blank lines": events(chunk("4"), chunk("2"), STOP, USED, end="\n"),
    "no end": events(chunk("4"), chunk("2"), STOP, USED, done=False),
    "comments, names and ids": b": PROCESSING\n\n: PROCESSING\n\nevent: x\nid: 3\nretry: 5\n"
    + events(chunk("42"), STOP, USED),
    "no space": events(chunk("4"), chunk("2"), STOP, USED).replace(b"data: ", b"data:"),
    "several lines": events(chunk("4"))[:-14]
    + b'data: {"choices":\ndata: [{"delta": {"content": "2"}, "finish_reason": "stop"}],\ndata: "usage": {"prompt_tokens": 3, "completion_tokens": 2}}\n\n',
    "several choices": events(
        chunk("4"), chunk("no", index=1), chunk("2"), STOP, chunk(finish_reason="length", index=1), USED
    ),
    "texts and parts": events(chunk([{"type": "text", "text": "4"}]), chunk("2"), STOP, USED),
    "a message at the end": events(
        chunk("4"), {"choices": [{"message": {"content": "2"}, "finish_reason": "stop"}]}, USED
    ),
    "more behind the end": events(chunk("42"), STOP, USED) + events(chunk("!"), done=False),
    "nulls": events(
        {"choices": None}, {"choices": [{"delta": None}]}, chunk("42") | {"usage": None, "error": None}, STOP, USED
    ),
}


@pytest.mark.parametrize(
    "headers", [{"Content-Type": "text/event-stream; charset=utf-8"}, {}], ids=["named", "unnamed"]
)
@pytest.mark.parametrize("body", STREAMS.values(), ids=STREAMS)
def test_a_stream_that_was_not_asked_for_is_joined(body: bytes, headers: dict[str, str]) -> None:
    with ChatServer(lambda call: Say(body, headers=headers)) as server:
        answer = one(server)
        assert len(server.calls) == 1
    assert isinstance(answer, Completion), answer
    assert (answer.text, answer.finish_reason, answer.reasoning) == ("42", "stop", None)
    assert (answer.input_tokens, answer.output_tokens) == (3, 2)


def test_a_stream_holds_thinking_and_may_end_without_reason_or_usage() -> None:
    thought = {"choices": [{"delta": {"reasoning_content": "h"}}]}, {"choices": [{"delta": {"reasoning_content": "m"}}]}
    answer = completed(Say(events(*thought, chunk("42"))))
    assert (answer.text, answer.reasoning, answer.finish_reason, answer.output_tokens) == ("42", "hm", "unknown", None)


def test_a_long_event_of_many_lines_is_read_in_no_time() -> None:
    begin = time.monotonic()
    failed(Say(b"data: [1,\n" * 500_000), max_retries=0)
    assert time.monotonic() - begin < 3


@pytest.mark.parametrize("head", [{}, {"Content-Length": str(1 << 40)}], ids=["no length", "a length"])
def test_an_endless_reply_is_not_read_to_its_end(head: dict[str, str]) -> None:
    begin = time.monotonic()
    answer = failed(Say(b" " * (1 << 20), headers=head, repeat_s=0.0), calls=1, reply_mib=2)
    assert "longer than 2 MiB; where that is right, raise reply_mib" in answer.reason
    assert answer.waste == Waste(unknown=1)
    assert time.monotonic() - begin < 3


def test_more_is_read_where_more_was_asked_for() -> None:
    text = "x" * (3 << 20)
    with ChatServer(lambda call: Say(completion(text))) as server:
        short, long = engine(server, reply_mib=1).generate([ask("a", max_tokens=10), ask("b", max_tokens=3000)])
    kinds = {answer.key: type(answer) for answer in (short, long)}
    assert kinds == {"a": Failure, "b": Completion}


def test_a_reply_that_drips_for_ever_is_given_up_after_the_time_limit() -> None:
    begin = time.monotonic()
    answer = failed(Say(b" ", repeat_s=0.02), timeout_s=0.3, max_retries=0)
    assert time.monotonic() - begin < 3
    assert "no answer within 0.3 s" in answer.reason
    assert answer.waste == Waste(unknown=1)


def test_a_cut_answer_says_so_and_a_missing_reason_is_not_guessed() -> None:
    for reason, said in (("length", "length"), (None, "unknown")):
        answer = completed(Say({"choices": [{"message": {"content": "a"}, "finish_reason": reason}]}))
        assert answer.finish_reason == said


# ---- no request can ever succeed

MAX_TOKENS = (
    "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
)
TEMPERATURE = (
    "Unsupported value: 'temperature' does not support 0.0 with this model. Only the default (1) value is supported."
)
EXTRA = [{"type": "extra_forbidden", "loc": ["body", "seed"], "msg": "Extra inputs are not permitted", "input": 0}]


@pytest.mark.parametrize(
    ("model", "status", "body", "says"),
    [
        (
            "tiny",
            400,
            {"error": {"message": MAX_TOKENS, "param": "max_tokens"}},
            "set token_field: max_completion_tokens",
        ),
        ("tiny", 400, {"error": MAX_TOKENS}, "set token_field: max_completion_tokens"),
        ("temp", 400, {"error": {"message": TEMPERATURE}}, r"out by send: \[max_tokens, top_p, stop, seed\]"),
        ("model", 400, {"error": {"message": TEMPERATURE}}, "leave temperature out"),
        ("tiny", 422, {"detail": EXTRA}, r"body.seed: Extra inputs are not permitted; leave seed out by send"),
        ("tiny", 400, {"error": {"message": "Unknown field `think`"}}, "take think out of extra"),
        ("tiny", 400, {"error": {"message": "System role not supported"}}, "check model, base_url, send, token_field"),
        ("tiny", 400, {"error": {"message": "request 4711a is malformed"}}, "but the first 5 all got"),
        ("tiny", 200, {"id": "x1", "choices": []}, "the reply is no chat completion"),
        ("tiny", 200, {"error": "Unexpected endpoint or method. (POST /chat/completions)"}, "check model, base_url"),
    ],
)
def test_the_same_refusal_of_the_first_requests_stops_the_run_with_a_remedy(
    model: str, status: int, body: dict[str, Any], says: str
) -> None:
    with ChatServer(lambda call: Say(body, status)) as server:
        made = OpenAIEngine(model, server.url, extra={"think": False}, backoff_s=0.01)
        answers = made.generate(ask(str(i)) for i in range(20))
        with pytest.raises(UserError, match=says) as error:
            list(answers)
        assert len(server.calls) <= 8
    assert f"must take requests for {model!r}" in str(error.value)
    assert not threads()


def test_few_requests_get_the_remedy_too() -> None:
    answer = failed(Say({"error": {"message": MAX_TOKENS}}, 400))
    assert answer.reason.endswith("; set token_field: max_completion_tokens")
    detail = [{"loc": ["body", "max_completion_tokens"], "msg": "not permitted"}]
    answer = failed(Say({"detail": detail}, 422), token_field="max_completion_tokens")
    assert answer.reason.endswith("; set token_field: max_tokens")


@pytest.mark.parametrize(
    "message",
    [
        "This model's maximum context length is 4096 tokens",
        "the request exceeds the available context size, try increasing it",
        "'max_tokens' is too large: 1024. This model's maximum context length is 1024 tokens",
        "The response was filtered due to the prompt triggering the content management policy",
        "Content Exists Risk",
        "string too long",
    ],
)
@pytest.mark.parametrize(("status", "bare"), [(400, False), (413, False), (422, True), (200, False), (200, True)])
def test_what_concerns_a_prompt_stops_no_run(message: str, status: int, bare: bool) -> None:
    error = (
        {"object": "error", "message": message, "code": 400} if bare else {"error": {"message": message, "code": 400}}
    )
    with ChatServer(lambda call: Say(error, status) if int(call.prompt) < 20 else Say()) as server:
        answers = list(engine(server, give_up_after=3).generate(ask(str(i)) for i in range(22)))
        assert len(server.calls) == 22
    assert sum(isinstance(answer, Failure) for answer in answers) == 20


def test_the_same_refusal_after_an_answer_stops_no_run() -> None:
    with ChatServer(lambda call: Say({"error": {"message": "no"}}, 400) if call.prompt != "0" else Say()) as server:
        answers = list(engine(server, concurrency=1).generate(ask(str(i)) for i in range(20)))
        assert len(server.calls) == 20
    assert isinstance(answers[0], Completion)


def test_a_server_that_calls_a_full_context_its_own_error_is_not_asked_again() -> None:
    error = {"code": 500, "message": "Context size has been exceeded.", "type": "server_error"}
    failed(Say({"error": error}, 500), calls=1)


@pytest.mark.parametrize(
    ("model", "message", "refused"),
    [
        ("temp", "'temperature' is not supported", False),
        ("o1", "o1-mini is not available", False),
        ("llama", "meta/llama is not available", False),
        ("gpt-4", "gpt-4.1 not found", False),
        ("gpt-4", "there is no such model as gpt-4.", True),
        ("a/b:free", "model 'a/b:free' not found", True),
        ("tiny", "The model `tiny` does not exist.", True),
    ],
)
def test_a_model_is_unknown_only_where_its_whole_name_is_said(model: str, message: str, refused: bool) -> None:
    with ChatServer(lambda call: Say({"error": {"message": message}}, 400)) as server:
        made = OpenAIEngine(model, server.url)
        if refused:
            with pytest.raises(UserError, match="check model"):
                list(made.generate([ask("a")]))
        else:
            [answer] = made.generate([ask("a")])
            assert isinstance(answer, Failure)


def test_until_there_is_an_answer_few_are_under_way_but_not_for_long() -> None:
    with ChatServer(lambda call: Say(delay_s=0.1)) as server:
        list(engine(server, concurrency=10).generate(ask(str(i)) for i in range(14)))
        times = [call.at - server.calls[0].at for call in server.calls]
    assert sum(at < 0.09 for at in times) == 4
    assert max(times) < 0.4
    with ChatServer(lambda call: Say(delay_s=1.3)) as server:
        list(engine(server, concurrency=10).generate(ask(str(i)) for i in range(10)))
        times = [call.at - server.calls[0].at for call in server.calls]
    assert sum(at < 0.9 for at in times) == 4
    assert max(times) < 1.25


# ---- what tries without an answer may have cost


@pytest.mark.parametrize(
    ("say", "waste"),
    [
        (Say({"error": {"message": "slow down"}}, 429), Waste()),
        (Say({"error": {"message": "busy"}}, 503), Waste()),
        (Say({"error": {"message": "busy"}}, 500), Waste()),
        (Say({"error": {"message": "a"}, "usage": {"prompt_tokens": 5, "completion_tokens": 2}}, 500), Waste(5, 2)),
        (Say(b"<html>", 502), Waste(unknown=1)),
        (Say(b"<html>", 504), Waste(unknown=1)),
        (Say(delay_s=1.0), Waste(unknown=1)),
        (Say(cut="middle"), Waste(unknown=1)),
        (Say({"error": {"message": "busy", "code": 503}}), Waste(unknown=1)),
    ],
)
def test_an_answer_and_a_failure_tell_what_their_tries_may_have_cost(say: Say, waste: Waste) -> None:
    with ChatServer(first_then_good(say)) as server:
        answer = one(server, timeout_s=0.3)
        assert len(server.calls) == 2
    assert isinstance(answer, Completion)
    assert answer.waste == waste
    assert failed(say, timeout_s=0.3, max_retries=1).waste == waste + waste


def test_no_connection_costs_nothing() -> None:
    with ChatServer() as server:
        run = engine(server, concurrency=1, max_retries=1).generate([ask("a"), ask("b")])
        assert isinstance(next(run), Completion)
        server.stop()
        failed = next(run)
    assert isinstance(failed, Failure)
    assert failed.waste.unknown <= 1  # the connection that was kept may break only after the request is out


def test_each_try_is_asked_for_with_what_went_before() -> None:
    seen: list[tuple[str, Waste]] = []

    def before(request: Request, waste: Waste) -> bool:
        seen.append((request.key, waste))
        return waste.unknown < 2

    with ChatServer(lambda call: Say(b"<html>", 504)) as server:
        made = engine(server)
        made.before_try = before
        [answer] = made.generate([ask("a")])
        assert len(server.calls) == 2
    assert seen == [("a", Waste()), ("a", Waste(unknown=1)), ("a", Waste(unknown=2))]
    assert isinstance(answer, Failure)
    assert answer.waste == Waste(unknown=2)
    assert "the budget has no room" in answer.reason


@pytest.mark.parametrize(
    ("status", "error", "say"),
    [
        (401, {"message": "no"}, "check the key in TEST_KEY"),
        (403, {"message": "no"}, "check the key in TEST_KEY"),
        (402, {"message": "no credit"}, "and the account"),
        (429, {"message": "no credit", "code": "insufficient_quota"}, "and the account"),
        (404, {"message": "The model `tiny` does not exist"}, "check model"),
        (400, {"message": "tiny is not a valid model ID"}, "check model"),
        (404, {"message": "nope", "code": "model_not_found"}, "check model"),
        (404, "page not found", "ends in /v1"),
        (404, {"detail": "Not Found"}, "ends in /v1"),
        (308, {"message": "moved"}, "check model and base_url"),
    ],
)
def test_what_no_request_survives_stops_the_run_at_its_start(
    status: int, error: Any, say: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_KEY", KEY)
    with ChatServer(lambda call: Say({"error": error}, status)) as server:
        with pytest.raises(UserError, match=say):
            list(engine(server, api_key_env="TEST_KEY").generate(ask(str(i)) for i in range(1000)))
        assert len(server.calls) <= 8
    assert not threads()


def test_a_refused_key_later_on_fails_its_requests_only() -> None:
    def react(call: Call) -> Say:
        return Say({"error": {"message": "no"}}, 401) if call.prompt in ("3", "4") else Say()

    with ChatServer(react) as server:
        answers = list(engine(server, concurrency=1).generate(ask(str(i)) for i in range(8)))
        assert len(server.calls) == 8
    assert [answer.key for answer in answers if isinstance(answer, Failure)] == ["3", "4"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize("retries", [0, 5])
def test_no_server_at_the_address_stops_the_run_at_its_start(retries: int) -> None:
    address = f"http://127.0.0.1:{free_port()}/v1"
    with pytest.raises(UserError, match=f"must name a server that is up, but {address}.*Connect"):
        list(engine(address, max_retries=retries).generate(ask(str(i)) for i in range(1000)))


def test_a_server_that_dies_gives_failures_and_after_some_the_rest_is_not_asked() -> None:
    with ChatServer() as server:
        drawn = []

        def requests() -> Iterator[Request]:
            for i in range(300):
                drawn.append(i)
                yield ask(str(i))

        answers: list[Answer] = []
        for answer in engine(server, concurrency=4, max_retries=2, give_up_after=10).generate(requests()):
            answers.append(answer)
            if len(answers) == 20:
                server.stop()
    failures = [answer for answer in answers if isinstance(answer, Failure)]
    assert sorted(int(answer.key) for answer in answers) == list(range(300))
    assert 270 <= len(failures) <= 280
    assert 10 <= sum(failure.reason.startswith("after 3 tries: ") for failure in failures) <= 13
    assert "not asked: 10 requests in a row failed, at last: after 3 tries: the connection broke" in failures[-1].reason


def test_bad_requests_are_no_sign_that_the_server_is_gone() -> None:
    with ChatServer(lambda call: Say({"error": {"message": "too long"}}, 400)) as server:
        answers = list(engine(server, give_up_after=3).generate(ask(str(i)) for i in range(20)))
        assert len(server.calls) == 20
    assert all("too long" in answer.reason for answer in answers if isinstance(answer, Failure))


def test_a_server_that_comes_back_is_used_again() -> None:
    first, found = ChatServer(), []
    with first:
        second = ChatServer()
        run = engine(first, concurrency=1, backoff_s=0.2).generate(ask(str(i)) for i in range(6))
        for answer in run:
            found.append(answer)
            if len(found) == 2:
                first.stop()
                second.port = first.port
                threading.Timer(0.1, second.__enter__).start()
    second.stop()
    assert len(second.calls) >= 3
    assert all(isinstance(answer, Completion) for answer in found)


# ---- the key


def test_the_key_comes_from_the_environment_and_goes_into_the_header_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_KEY", f"{KEY}\n")
    with ChatServer() as server:
        made = engine(server, api_key_env="TEST_KEY")
        list(made.generate([ask("hello")]))
        [call] = server.calls
    assert call.headers["Authorization"] == f"Bearer {KEY}"
    assert KEY not in repr(made)
    assert KEY not in str(vars(made))


@pytest.mark.parametrize("value", [None, "", "  ", "two words", "ümlaut", "a\rb"])
def test_a_key_that_is_not_set_or_no_word_is_said_without_its_value(
    value: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TEST_KEY", raising=False)
    if value is not None:
        monkeypatch.setenv("TEST_KEY", value)
    with pytest.raises(UserError, match="TEST_KEY must hold the key") as error:
        next(engine("http://127.0.0.1:9/v1", api_key_env="TEST_KEY").generate([ask("a")]))
    assert not value or not value.strip() or value not in str(error.value)


def echo(status: int) -> Any:
    """Return a server's reaction that echoes the key in all the places where one could."""

    def react(call: Call) -> Say:
        header = call.headers["Authorization"]
        escaped = header.replace("/", r"\/")
        if status == 200:
            return Say(completion(header, model=header))
        message = (
            f"{header} {escaped} sk-very-secret%2F0123456789abcdef {'x' * 250} {header}"  # the last one is cut in two
        )
        return Say({"error": {"message": message}}, status)

    return react


@pytest.mark.parametrize("status", [200, 400, 401, 404, 500])
def test_the_key_never_leaks(
    status: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TEST_KEY", KEY)
    caplog.set_level(logging.DEBUG)
    with ChatServer(echo(status)) as server:
        try:
            seen = repr(list(engine(server, api_key_env="TEST_KEY", max_retries=1).generate([ask("a")])))
        except UserError as error:
            seen = repr(error) + str(error) + repr(error.__cause__) + repr(error.__context__)
    output = capfd.readouterr()
    for text in (seen, caplog.text, output.out, output.err):
        assert "very-secret" not in text
        assert "0123456789abcdef" not in text
    assert "[key]" in seen


def test_a_short_placeholder_is_no_secret_in_a_response(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_KEY", "EMPTY")
    assert completed(Say(), "empty or not", api_key_env="TEST_KEY").text == "EMPTY OR NOT"


# ---- how requests are drawn


def test_every_key_is_answered_once_and_never_too_many_at_once() -> None:
    with ChatServer(lambda call: Say(delay_s=0.01 * (int(call.prompt) % 3))) as server:
        answers = list(engine(server, concurrency=7).generate(ask(str(i)) for i in range(200)))
        assert server.most == 7
        assert len(server.calls) == 200
    assert sorted(int(answer.key) for answer in answers) == list(range(200))
    assert all(isinstance(answer, Completion) and answer.text == answer.key for answer in answers)


def test_answers_come_in_the_order_in_which_they_finish() -> None:
    with ChatServer(lambda call: Say(delay_s=0.5 if call.prompt == "slow" else 0.0)) as server:
        answers = [answer.key for answer in engine(server, concurrency=2).generate(map(ask, ("slow", "a", "b")))]
    assert answers == ["a", "b", "slow"]


def test_requests_are_drawn_only_when_there_is_room() -> None:
    drawn = 0

    def requests() -> Iterator[Request]:
        nonlocal drawn
        for i in range(50):
            drawn += 1
            yield ask(str(i))

    with ChatServer(lambda call: Say(delay_s=0.05)) as server:
        for handed_out, _ in enumerate(engine(server, concurrency=3).generate(requests()), 1):
            assert drawn <= handed_out + 2 * 3  # those under way and those that wait for the caller
            if handed_out == 1:
                assert drawn < 7
            if handed_out == 10:
                break
    assert drawn <= 16


def test_no_more_answers_pile_up_than_can_be_under_way() -> None:
    drawn = 0

    def requests() -> Iterator[Request]:
        nonlocal drawn
        for drawn in range(1, 101):
            yield ask(str(drawn))

    with ChatServer() as server:
        for handed_out, _ in enumerate(engine(server, concurrency=2).generate(requests()), 1):
            assert drawn < handed_out + 2 * 2
            time.sleep(0.02)
            if handed_out == 15:
                break


def test_a_caller_that_stops_handing_out_gets_those_under_way() -> None:
    stop = False

    def requests() -> Iterator[Request]:
        for i in itertools.count():
            if stop:
                return
            yield ask(str(i))

    with ChatServer(lambda call: Say(delay_s=0.02)) as server:
        answers = []
        for answer in engine(server, concurrency=4).generate(requests()):
            answers.append(answer)
            stop = len(answers) >= 10
        assert len(answers) == len(server.calls) <= 18


def test_a_slow_source_does_not_hold_up_answers_and_is_drawn_from_one_thread() -> None:
    drawn_in = set()

    def requests() -> Iterator[Request]:
        for i in range(4):
            drawn_in.add(threading.get_ident())
            time.sleep(0.3 if i else 0)
            yield ask(str(i))

    begin = time.monotonic()
    with ChatServer() as server:
        first = next(engine(server).generate(requests()))
    assert first.key == "0"
    assert time.monotonic() - begin < 0.8
    assert drawn_in == {threading.get_ident()}


def test_a_slow_caller_does_not_leave_the_server_idle() -> None:
    with ChatServer(lambda call: Say(delay_s=0.1)) as server:
        begin = time.monotonic()
        for _ in engine(server, concurrency=8).generate(ask(str(i)) for i in range(40)):
            time.sleep(0.01)
    assert time.monotonic() - begin < 0.85  # one after the other: 4.4 s; rounds of 8: 0.9 s


def test_an_error_of_the_source_reaches_the_caller() -> None:
    def requests() -> Iterator[Request]:
        yield ask("a")
        raise KeyError("mine")

    with ChatServer() as server, pytest.raises(KeyError, match="mine"):
        list(engine(server).generate(requests()))
    assert not threads()


def test_no_request_makes_no_call() -> None:
    assert list(engine("http://127.0.0.1:9/v1").generate([])) == []


# ---- how it ends


def test_leaving_early_cancels_what_is_under_way_and_leaves_nothing_behind() -> None:
    def react(call: Call) -> Say:
        return Say(delay_s=0.0 if call.prompt == "0" else 30)

    with warnings.catch_warnings(), ChatServer(react) as server:
        warnings.simplefilter("error")
        begin = time.monotonic()
        answers = engine(server, timeout_s=60.0).generate(ask(str(i)) for i in range(100))
        next(answers)
        answers.close()  # type: ignore[attr-defined]
        gc.collect()
        assert time.monotonic() - begin < 5
        assert not threads()


def test_closing_the_engine_ends_a_run() -> None:
    with ChatServer(lambda call: Say(delay_s=0.0 if call.prompt == "0" else 30)) as server, engine(server) as made:
        answers = made.generate(ask(str(i)) for i in range(100))
        next(answers)
        made.close()
        assert not threads()
        with pytest.raises(RuntimeError, match="closed"):
            list(answers)


def test_closing_the_engine_wakes_a_caller_that_waits() -> None:
    caught: list[BaseException] = []

    def wait() -> None:
        try:
            list(made.generate([ask("a")]))
        except RuntimeError as error:
            caught.append(error)

    with ChatServer(lambda call: Say(delay_s=30)) as server:
        made = engine(server, timeout_s=60.0)
        waiting = threading.Thread(target=wait, daemon=True)
        waiting.start()
        while not server.calls:
            time.sleep(0.01)
        made.close()
        waiting.join(5)
        assert not waiting.is_alive()
    assert "closed" in str(caught[0])


def test_an_interrupt_ends_a_run() -> None:
    def requests() -> Iterator[Request]:
        yield ask("a")
        yield ask("b")
        raise KeyboardInterrupt

    with ChatServer(lambda call: Say(delay_s=30)) as server, pytest.raises(KeyboardInterrupt):
        list(engine(server, timeout_s=60.0).generate(requests()))
    assert not threads()


def test_a_proxy_is_taken_from_the_environment_only_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with ChatServer() as server:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
        monkeypatch.setenv("no_proxy", "")
        assert isinstance(one(server), Completion)
        with pytest.raises(UserError, match="must name a server that is up"):
            one(server, proxy_from_env=True)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"base_url": "localhost:8000/v1"}, "base_url of 'tiny' must be like"),
        ({"base_url": "http://user:hunter2@host/v1"}, "without user, password"),
        ({"base_url": "http://hunter2@host/v1"}, "without user"),
        ({"base_url": "http://host/v1?key=hunter2"}, "or query"),
        ({"base_url": "http://host:port/v1"}, "base_url"),
        ({"concurrency": 0}, "concurrency of 'tiny' must be above 0"),
        ({"max_retries": -1}, "max_retries of 'tiny' must be 0 or more"),
        ({"send": ("max_token",)}, "did you mean 'max_tokens'"),
        ({"extra": {"stream": True}}, "must not hold 'stream'"),
    ],
)
def test_wrong_settings_are_said_in_words(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message) as error:
        OpenAIEngine(**{"model": "tiny", "base_url": "http://host/v1", **changes})
    assert "hunter2" not in str(error.value)


def test_a_redirect_is_not_followed_for_it_would_take_the_key_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_KEY", KEY)
    with ChatServer() as other:
        away = Say({}, 307, {"Location": f"{other.url}/chat/completions"})
        with ChatServer(lambda call: away) as server, pytest.raises(UserError, match="HTTP 307"):
            one(server, api_key_env="TEST_KEY")
        assert not other.calls
