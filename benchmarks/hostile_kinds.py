"""Kinds of replies that no client should trust: what a hostile, broken or half-dead server may send."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from benchmarks.hostile_replies import (
    ANSI,
    MIB,
    Kind,
    answered,
    bomb,
    by_question,
    chunked,
    completion,
    delta,
    echoes,
    endless,
    event,
    head,
    holds_after,
    makes,
    redirects,
    reply,
    reset,
    resets_after,
    says,
    silent,
    stream,
)


def statuses() -> Iterator[tuple[str, Kind]]:
    """Yield odd statuses."""
    for code in (101, 103, 201, 204, 206, 226, 300, 304, 305, 399, 400, 402, 404, 405, 407, 413, 418, 421, 426, 431, 451,
                 499, 500, 501, 505, 511, 520, 599, 600, 777, 999):  # fmt: skip
        yield f"status {code}", Kind(says(reply({"error": {"message": f"odd {code}"}}, f"{code} Odd")))
    for name, line in {
        "status of two digits": "HTTP/1.1 20 OK", "status of five digits": "HTTP/1.1 20000 OK", "status a word": "HTTP/1.1 OK",
        "status negative": "HTTP/1.1 -200 OK", "status of HTTP 9.9": "HTTP/9.9 200 OK", "status of HTTP 0.9": "WORD",
        "status of SSH": "SSH-2.0-OpenSSH_9.0", "status of a million characters": "HTTP/1.1 200 " + "O" * MIB,
    }.items():  # fmt: skip
        yield name, Kind(says(line.encode() + reply(completion())[len("HTTP/1.1 200 OK") :]))
    yield "100 Continue for ever", Kind(endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000, 0.002))
    yield "100 Continue once", Kind(says(b"HTTP/1.1 100 Continue\r\n\r\n" + reply(completion())))


def headers() -> Iterator[tuple[str, Kind]]:
    """Yield odd headers, codings and compressions."""
    body = completion()
    gz, deflate = gzip.compress, zlib.compress
    for name, lines in {
        "of a megabyte": ["X: " + "a" * MIB], "name of a megabyte": ["X" * MIB + ": a"], "10,000": ["X: a"] * 10_000,
        "with NUL": ["X: a\0b"], "without a colon": ["nonsense"], "without a name": [": a"], "folded": ["X: a\r\n b"],
        "lengths that differ": ["Content-Length: 5"], "a negative length": ["Content-Length: -1"],
        "a length that is a word": ["Content-Length: long"], "a length of 5,000 digits": ["Content-Length: " + "9" * 5000],
        "a length and chunks": ["Transfer-Encoding: chunked"], "an unknown coding": ["Transfer-Encoding: magic"],
        "an unknown compression": ["Content-Encoding: magic"], "gzip that is none": ["Content-Encoding: gzip"],
        "brotli that is none": ["Content-Encoding: br"], "zstd that is none": ["Content-Encoding: zstd"],
        "an unknown charset": ["Content-Type: application/json; charset=klingon"], "odd cookies": ["Set-Cookie: =;;\x01=\xff; a"],
        "1,000 cookies": [f"Set-Cookie: a{n}=b" for n in range(1000)], "ANSI": ["X: \x1b[31m"], "bytes above 127": ["X: \xff\xfe"],
    }.items():  # fmt: skip
        yield f"header {name}", Kind(says(reply(body, "200 OK", *lines)))
    yield "headers without end", Kind(endless(b"HTTP/1.1 200 OK\r\n", b"X: a\r\n" * 1000), 3.0)
    yield "headers of 4 KiB without end", Kind(endless(b"HTTP/1.1 200 OK\r\n", b"X: " + b"a" * 4096 + b"\r\n"), 3.0)
    yield "a header without end", Kind(endless(b"HTTP/1.1 200 OK\r\nX: ", b"a" * 65536), 3.0)
    yield "headers that drip", Kind(endless(b"HTTP/1.1 200 OK\r\n", b"X", 0.05))
    yield "a length of 1 GiB", Kind(holds_after(head(length=1 << 30) + b"{"))
    yield "a length too short", Kind(says(head(length=20) + json.dumps(body).encode()))
    yield "a length too long", Kind(says(head(length=20_000) + json.dumps(body).encode()))
    for coding, wrap in (("gzip", gz), ("deflate", deflate)):
        sent = cache(
            lambda coding=coding, wrap=wrap: reply(bomb(64 * MIB, wrap), "200 OK", f"Content-Encoding: {coding}")
        )
        yield f"a bomb of {coding}", Kind(makes(sent), 5.0)
    cut = gz(json.dumps(body).encode())[:-12]
    yield "gzip cut off", Kind(says(reply(cut, "200 OK", "Content-Encoding: gzip")))
    yield "gzip in gzip", Kind(says(reply(gz(gz(b"{}")), "200 OK", "Content-Encoding: gzip, gzip")))
    twice = gz(json.dumps(body).encode()) + b"rest"
    yield "gzip and a rest", Kind(says(reply(twice, "200 OK", "Content-Encoding: gzip")))
    for name, chunks in {
        "no hex": [b"zz\r\nabc\r\n0\r\n\r\n"], "negative": [b"-5\r\nabc\r\n0\r\n\r\n"], "of 16 EiB": [b"f" * 16 + b"\r\nabc"],
        "with 100,000 digits": [b"0" * 100_000 + b"1\r\na\r\n0\r\n\r\n"], "without an end": [b"2\r\n{}\r\n"],
        "with extensions": [b"2;" + b"x" * 100_000 + b"\r\n{}\r\n0\r\n\r\n"], "with trailers": [b"2\r\n{}\r\n0\r\n" + b"X: a\r\n" * 10_000],
    }.items():  # fmt: skip
        yield f"chunks {name}", Kind(says(chunked(*chunks)))


NEAR = 4 * MIB - 1000
"""Bytes of a reply that is just not too long for the default of ``reply_mib``."""
HUGE: dict[str, Callable[[], bytes]] = {
    "a million lists": lambda: b"[" + b"[]," * (NEAR // 3) + b"[]]",
    "a million objects": lambda: b"[" + b"{}," * (NEAR // 3) + b"{}]",
    "400,000 keys": lambda: b"{" + b",".join(b'"%x":0' % number for number in range(400_000)) + b"}",
    "numbers": lambda: b"[" + b"1.5," * (NEAR // 4) + b"1]",
    "a text near the limit": lambda: json.dumps(completion("x y " * (NEAR // 4 - 100))).encode(),
    "a text of signs near the limit": lambda: json.dumps(completion(".,-:$ " * (NEAR // 6 - 100))).encode(),
    "a text beyond the limit": lambda: json.dumps(completion("é" * (16 * MIB)), ensure_ascii=False).encode(),
    "digits": lambda: b'{"choices": ' + b"9" * NEAR + b"}",
    "escapes": lambda: b'{"choices": "' + b"\\u0061" * (NEAR // 6) + b'"}',
    "line ends": lambda: b"data:\n" + b"\n" * NEAR,
    "short lines": lambda: b"data:{\n" + b"data:1\n" * (NEAR // 7),
    "spaces": lambda: b" " * NEAR,
}
"""Bodies near the limit of a reply's length, or beyond it."""


def bodies() -> Iterator[tuple[str, Kind]]:
    """Yield bodies that are odd as a whole."""
    text, digits = json.dumps(completion()), "9" * 5000
    for name, body in {
        "empty": b"", "a space": b" ", "HTML": b"<html><h1>502</h1></html>", "an array": b"[]", "a text": b'"WORD"', "a number": b"7",
        "null": b"null", "true": b"true", "NaN": b"NaN", "a number of 5,000 digits": digits.encode(), "1e999999": b"1e999999",
        "invalid UTF-8": b'{"choices": "\xff\xfe\xc3"}', "UTF-16": text.encode("utf-16"), "UTF-32": text.encode("utf-32"),
        "BOM": b"\xef\xbb\xbf" + text.encode(), "NUL": b"\0" * 1000, "NUL behind": text.encode() + b"\0", "two JSONs": (text * 2).encode(),
        "duplicate keys": text[:-1].encode() + b', "choices": 5, "choices": null}', "random bytes": bytes(range(256)) * 40,
        "half a JSON": text[:50].encode(), "single quotes": text.replace('"', "'").encode(), "ANSI": ANSI.encode(),
        "lists 100,000 deep": b"[" * 100_000 + b"]" * 100_000, "objects 100,000 deep": b'{"choices":' * 100_000,
        "error 900 deep": b'{"error":' * 900 + b"1" + b"}" * 900, "errors 100,000 deep": b'{"error":' * 100_000 + b"1" + b"}" * 100_000,
    }.items():  # fmt: skip
        yield f"body {name}", Kind(says(reply(body)))
    for name, make in HUGE.items():
        yield f"huge body: {name}", Kind(makes(lambda make=make: reply(make())), 8.0)
    yield "endless body", Kind(endless(head(), b"x" * MIB), 5.0)
    yield "endless chunks", Kind(endless(chunked(), b"10000\r\n" + b" " * 65536 + b"\r\n"), 5.0)
    yield "endless error", Kind(endless(head("500 Error"), b"x" * MIB), 5.0)
    yield "dripping body", Kind(endless(head(), b" ", 0.05))


ODD: dict[str, Any] = {
    "null": None, "true": True, "0": 0, "-1": -1, "1.5": 1.5, "1e300": 1e300, "10**400": 10**400, "NaN": float("nan"),
    "-Infinity": float("-inf"), "empty": "", "a text": "odd", "digits": "9" * 5000, "half a surrogate": "\ud800", "ANSI": ANSI,
    "[]": [], "[null]": [None], "[[]]": [[]], "[1]": [1], "{}": {}, "{a: 1}": {"a": 1}, "nested": [[[[{"a": [{}]}]]]],
}  # fmt: skip


def fields() -> Iterator[tuple[str, Kind]]:
    """Yield completions in which one field is odd; a kind serves one field with each odd value, behind a good answer."""
    choice, message = completion()["choices"][0], {"role": "assistant", "content": "WORD"}

    def with_choice(**changes: Any) -> dict[str, Any]:
        return completion(choices=[{**choice, **changes}])

    makers: dict[str, Callable[[Any], dict[str, Any]]] = {
        name: lambda odd, name=name: completion(**{name: odd})
        for name in ("id", "object", "model", "choices", "usage", "error", "created")
    }
    makers |= {
        "choice": lambda odd: completion(choices=[odd]),
        "second choice": lambda odd: completion(choices=[choice, odd]),
    }
    for name in ("index", "message", "finish_reason", "logprobs", "delta", "text"):
        makers[name] = lambda odd, name=name: with_choice(**{name: odd})
    for name in ("role", "content", "refusal", "tool_calls", "reasoning_content", "reasoning", "audio"):
        makers[f"message.{name}"] = lambda odd, name=name: with_choice(message={**message, "content": None, name: odd})
    for name in ("type", "text", "thinking"):
        makers[f"part.{name}"] = lambda odd, name=name: with_choice(
            message={**message, "content": [{"type": "text", name: odd}]}
        )
    for name in ("prompt_tokens", "completion_tokens", "total_tokens", "prompt_tokens_details"):
        makers[f"usage.{name}"] = lambda odd, name=name: completion(usage={**completion()["usage"], name: odd})
    for name in ("message", "code", "type", "param", "metadata", "loc"):
        makers[f"error.{name}"] = lambda odd, name=name: {"error": {"message": "bad", name: odd}}
    for name in ("choices", "usage", "error"):
        makers[f"stream's {name}"] = lambda odd, name=name: {"stream": {name: odd}}
    for name in ("index", "delta", "message", "finish_reason", "text"):
        makers[f"stream's {name}"] = lambda odd, name=name: {
            "stream": {"choices": [{"delta": {"content": "W"}, name: odd}]}
        }
    makers["stream's choice"] = lambda odd: {"stream": {"choices": [odd]}}
    for name in ("content", "reasoning", "refusal"):
        makers[f"stream's delta.{name}"] = lambda odd, name=name: {"stream": {"choices": [{"delta": {name: odd}}]}}
    for name, make in makers.items():
        yield (
            f"odd {name}",
            Kind(
                by_question([reply(completion()), *(answered(make(odd)) for odd in ODD.values())]),
                questions=len(ODD) + 1,
            ),
        )


def streams() -> Iterator[tuple[str, Kind]]:
    """Yield odd streams."""
    end = event(b"[DONE]")
    for name, parts in {
        "of nothing": [], "without an end": [delta("W")], "with only an end": [end], "with an error": [delta("W"), event({"error": {"message": "no"}})],
        "with an error that is a text": [event({"error": ANSI}), end], "of garbage": [b"data: {{{\n\n", end], "of texts": [event("x"), end],
        "of arrays": [event([1]), end], "of half surrogates": [delta("\ud83d"), delta("\ude00"), delta("\ud800"), end],
        "of CR": [delta("W").replace(b"\n", b"\r"), end.replace(b"\n", b"\r")], "of two choices": [delta("A", index=0), delta("B", index=1), end],
        "of two ends": [end, delta("W"), end], "of comments": [b":\n\n" * 10_000], "of other events": [b"event: ping\nid: 1\nretry: 0\n\n", delta("W"), end],
        "100,000 deep": [b"data: " + b"[" * 100_000 + b"\n\n", end], "of NUL": [b"data: \0\n\n", end], "cut in a letter": [delta("é")[:-20], b"\xc3"],
        "of empty data": [b"data:\n\n" * 1000, end], "of one event of many lines": [b'data: {"a":\n' + b"data: 1,\n" * 10_000 + b"\n", end],
        "of 50,000 deltas": [delta("W ")] * 50_000 + [end],
    }.items():  # fmt: skip
        yield f"stream {name}", Kind(says(stream(*parts)), 5.0)
    yield "stream for ever", Kind(endless(stream(), delta("W ") * 500), 5.0)
    yield "stream that drips", Kind(endless(stream(), b":\n\n", 0.05))


def connections() -> Iterator[tuple[str, Kind]]:
    """Yield connections that break or hang, and redirects."""
    half = reply(completion())[:-30]
    for name, play in {
        "reset": reset, "closed": says(), "closed in the status": says(b"HTTP/1."), "closed in the head": says(half[:40]),
        "closed in the body": says(half), "reset in the body": resets_after(half), "reset in the head": resets_after(half[:40]),
        "silent": silent, "silent in the head": holds_after(half[:40]), "silent in the body": holds_after(half),
        "silent behind a body without length": holds_after(head() + json.dumps(completion()).encode()),
        "head that drips": says(*(bytes([one]) for one in reply(completion())), wait_s=0.03), "TLS": says(b"\x15\x03\x01\x00\x02\x02\x46" * 9),
        "two replies": says(reply(completion("A")) + reply(completion("B"))), "rest behind the reply": says(reply(completion()) + b"x" * MIB),
    }.items():  # fmt: skip
        yield f"connection {name}", Kind(play)
    for code in (301, 302, 303, 307, 308):
        yield (
            f"redirect {code} to another server",
            Kind(redirects(f"{code} Moved", lambda peer: f"http://127.0.0.1:{peer.trap}/v1/chat/completions")),
        )
    for name, to in {
        "itself": "",
        "nonsense": "http://[::",
        "a file": "file:///etc/passwd",
        "spaces": "http://a b/ c",
    }.items():
        yield f"redirect to {name}", Kind(redirects("307 Moved", lambda peer, to=to: to))
    yield "redirect without a place", Kind(says(reply(b"", "302 Found")))


def waits() -> Iterator[tuple[str, Kind]]:
    """Yield what servers may say of when to come back."""
    for name, value in {
        "1e400": "1e400", "10**5000": "9" * 5000, "-5": "-5", "NaN": "nan", "of text": "soon", "empty": "", "of a far year": "Fri, 31 Dec 9999 23:59:59 GMT",
        "of a year beyond": "Wed, 21 Oct 99999999999999999999 07:28:00 GMT", "of an odd zone": "Wed, 21 Oct 2015 07:28:00 -9999",
        "of an odd second": "Wed, 21 Oct 2015 07:28:99999999999999999999 GMT", "of the year 1": "Mon, 01 Jan 0001 00:00:00 +2359", "of a week": "604800",
    }.items():  # fmt: skip
        yield (
            f"Retry-After {name}",
            Kind(says(reply({"error": {"message": "wait"}}, "429 Slow", f"Retry-After: {value}")), 1.0),
        )


def keys() -> Iterator[tuple[str, Kind]]:
    """Yield replies that hold the key of the client, as it is or in the escapes of JSON, URLs and HTML."""
    forms: dict[str, Callable[[str], str]] = {
        "": lambda key: key, "in escapes of JSON": lambda key: "".join(f"\\u{ord(one):04x}" for one in key),
        "in escapes of URLs": lambda key: "".join(f"%{ord(one):02X}" for one in key),
        "in escapes of HTML": lambda key: "".join(f"&#{ord(one)};" for one in key), "in its middle": lambda key: key[:9] + key + key[9:],
        "behind 395 characters": lambda key: "x" * 385 + key,
    }  # fmt: skip
    for name, form in forms.items():
        suffix = f" {name}" if name else ""
        yield f"key in an answer{suffix}", Kind(echoes(lambda key, form=form: reply(completion(form(key), model=key))))
        yield (
            f"key in an error{suffix}",
            Kind(echoes(lambda key, form=form: reply({"error": {"message": form(key), "code": key}}, "400 Bad"))),
        )
        yield (
            f"key in a page{suffix}",
            Kind(echoes(lambda key, form=form: reply(f"<b>{form(key)}</b>".encode(), "500 Bad"))),
        )
    split = [{"type": "text", "text": "KEY1"}, {"type": "text", "text": "KEY2"}]
    yield (
        "key in parts",
        Kind(
            echoes(
                lambda key: reply(
                    json.dumps(completion(split)).replace("KEY1", key[:9]).replace("KEY2", key[9:]).encode()
                )
            )
        ),
    )
    yield "key in deltas", Kind(echoes(lambda key: stream(*(delta(one) for one in key), event(b"[DONE]"))))
    yield "key in the head", Kind(echoes(lambda key: b"HTTP/1.1 200 OK\r\nX " + key.encode() + b": \0\r\n\r\n"))
    yield "key as a status", Kind(echoes(lambda key: f"{key} {key} {key}\r\n\r\n".encode()))
    yield "key in a Location", Kind(echoes(lambda key: reply(b"", "307 Moved", f"Location: http://127.0.0.1/{key}")))
    yield (
        "key in finish_reason",
        Kind(
            echoes(
                lambda key: reply(
                    completion(choices=[{"message": {"content": "a", "reasoning": key}, "finish_reason": key}])
                )
            )
        ),
    )
    yield "key in Retry-After", Kind(echoes(lambda key: reply(key.encode(), "429 Slow", f"Retry-After: {key}")))


def texts() -> Iterator[tuple[str, Kind]]:
    """Yield texts that a terminal, a table or a file may take amiss."""
    for name, text in {
        "ANSI": ANSI, "half a surrogate": "\ud83d word \udc00", "NUL": "\0" * 100, "line ends": "\u2028\u2029\x85\x0b\x0c\r", "formula": "=1+1|cmd",
        "a million line ends": "\n" * MIB, "bidi": "\u202e\u2066" * 1000, "combining": "a" + "\u0301" * 100_000, "quotes": '",\n"' * 1000,
    }.items():  # fmt: skip
        yield f"text {name}", Kind(says(reply(completion(text))), 5.0)
        mixed = [
            reply(completion()),
            *[reply({"error": {"message": f"{text} {number}"}}, "400 Bad") for number in range(5)],
        ]
        yield f"errors {name} beside an answer", Kind(by_question(mixed), 5.0, len(mixed))
        yield f"error {name}", Kind(says(reply({"error": {"message": text}}, "400 Bad")), 5.0)


def all_kinds() -> dict[str, Kind]:
    """Return all kinds by name."""
    groups = (statuses, headers, bodies, fields, streams, connections, waits, keys, texts)
    return {name: kind for group in groups for name, kind in group()}
