"""Checks of the tables of a log, and the errors that name the file, the column and the first offending row.

A missing number is null or NaN, and none is beyond `MOST`. Names may be any text; what prints them escapes control characters.
"""

from __future__ import annotations

from typing import NamedTuple

import polars as pl

from graphrouter.errors import UserError, cut, printable, shown

Kind = pl.DataType | type[pl.DataType]

COLUMNS: dict[str, dict[str, Kind]] = {
    "queries": {
        "query_id": pl.String,
        "task": pl.String,
        "query": pl.String,
        "subtask": pl.String,
        "domain": pl.String,
        "ground_truth": pl.String,
        "metric": pl.String,
        "source_split": pl.String,
    },
    "llms": {
        "llm": pl.String,
        "size_b": pl.Float64,
        "input_price": pl.Float64,
        "output_price": pl.Float64,
        "description": pl.String,
    },
    "records": {
        "query_id": pl.String,
        "llm": pl.String,
        "draw": pl.Int64,
        "performance": pl.Float64,
        "judge_score": pl.Float64,
        "input_tokens": pl.Float64,
        "output_tokens": pl.Float64,
        "cost": pl.Float64,
        "response_chars": pl.Float64,
    },
}
"""Known columns and their types. The source's further columns are kept as they are."""

RESPONSES: dict[str, Kind] = {"query_id": pl.String, "llm": pl.String, "draw": pl.Int64, "response": pl.String}
"""Columns of ``responses``."""
RESPONSES_REQUIRED = ("query_id", "llm", "response")

REQUIRED = {
    "queries": ("query_id", "task", "query"),
    "llms": ("llm",),
    "records": ("query_id", "llm", "performance"),
}
KEYS = {"queries": ["query_id"], "llms": ["llm"], "records": ["query_id", "llm", "draw"]}
KEYS["responses"] = KEYS["records"]
NEVER_NEGATIVE = {
    "llms": ("size_b", "input_price", "output_price"),
    "records": ("input_tokens", "output_tokens", "cost", "response_chars"),
}
MOST = 1e16
"""Most dollars, tokens, characters or billions of parameters: far beyond any, above the 2**53 to which a count of tokens is
exact, and small enough for squares to be finite in single precision and means to be finite everywhere."""
MOST_DRAW = 2**53
"""Up to here a draw that is written as a float is exact."""


class ColumnRule(NamedTuple):
    """Condition on a column.

    Attributes:
        column: Its name.
        broken: True in the rows that break the rule.
        must: The rule in words.
        remedy: Advice to the user.
    """

    column: str
    broken: pl.Expr
    must: str
    remedy: str


def typed(table: str, frame: pl.DataFrame, where: str) -> pl.DataFrame:
    """Check the columns' types, and cast the known ones; those that the source lacks come back as nulls, draws as 0.

    Args:
        table: One of `COLUMNS`.
        frame: As it came.
        where: Its file or name, for errors.

    Raises:
        UserError: If a required column or all rows are absent, a type does not do, or a required cell is empty.
    """
    check_frame(frame, where)
    check_types(table, dict(frame.schema), where)
    if not frame.height:
        raise UserError(f"{where} must have rows, but is empty")
    frame = _cast(COLUMNS[table], frame, where)
    needed = [column for column in REQUIRED[table] if column != "task"]
    check_rows(
        table,
        frame,
        where,
        [
            *(
                ColumnRule(column, pl.col(column).is_null(), f"{column} must not be null", "fill it or drop the row")
                for column in needed
            ),
        ],
    )
    return frame


def kind_of(value: object) -> str:
    """Return the type of a value, for errors: ``a pandas.DataFrame``, ``a list``."""
    package = type(value).__module__.partition(".")[0]
    return f"a {type(value).__name__}" if package == "builtins" else f"a {package}.{type(value).__name__}"


def check_frame(frame: object, where: str) -> None:
    """Refuse a table that is no Polars frame.

    Raises:
        UserError: If so.
    """
    if not isinstance(frame, pl.DataFrame):
        raise UserError(
            f"{where} must be a polars.DataFrame, but is {kind_of(frame)}; convert it with polars.from_pandas(frame), or "
            "write it to a file for 'graphrouter import'"
        )


def check_types(table: str, schema: dict[str, pl.DataType], where: str) -> None:
    """Check that the required columns are there, and that the known ones hold text or numbers.

    Raises:
        UserError: If not.
    """
    for column in REQUIRED.get(table, RESPONSES_REQUIRED):
        if column not in schema:
            has = ", ".join(map(printable, schema)) or "none"
            raise UserError(f"{where} must have the column {column!r}, but has {cut(has)}; add it")
    for column, kind in (RESPONSES if table == "responses" else COLUMNS[table]).items():
        if column not in schema:
            continue
        found = schema[column]
        if kind == pl.String:
            fits, must, remedy = _is_text(found), "text", "convert it, or let 'graphrouter import' do so"
        else:
            fits, must, remedy = found.is_numeric() or found == pl.Boolean, "a number", "convert it"
        if not fits and found != pl.Null:
            raise UserError(f"{where}: {column!r} must be {must}, but is {cut(str(found))}; {remedy}")


def check_values(table: str, frame: pl.DataFrame, where: str) -> None:
    """Check the ranges of the numbers of a table that `typed` returned.

    Raises:
        UserError: If one is out of range.
    """
    rules = [
        ColumnRule(
            column,
            ~pl.col(column).is_between(0, MOST),
            f"{column} must be finite, not negative and at most {MOST:g}, or null",
            "mend it or set it to null",
        )
        for column in NEVER_NEGATIVE.get(table, ())
    ]
    if table == "records":
        score, judged = pl.col("performance"), pl.col("judge_score")
        rules.insert(
            0, ColumnRule("performance", ~score.is_between(0, 1), "performance must be within [0, 1]", "scale it")
        )
        finite = f"judge_score must be finite and at most {MOST:g}, or null"
        rules.append(ColumnRule("judge_score", ~judged.is_between(-MOST, MOST), finite, "mend it or set it to null"))
    check_rows(table, frame, where, rules)


def check_ids(queries: pl.DataFrame, llms: pl.DataFrame, records: pl.DataFrame, where: str) -> None:
    """Check that every query and LLM of the records is known.

    Raises:
        UserError: If one is not.
    """
    tables = {"query_id": ("queries", queries), "llm": ("llms", llms)}
    unknown = records.select(
        (~pl.col(key).is_in(frame[key].implode())).alias(key) for key, (_, frame) in tables.items()
    )
    for key, (table, _) in tables.items():
        if unknown[key].any():
            row = int(unknown[key].arg_true()[0])
            raise UserError(
                f"{where}, row {row}: every {key} must occur in {table}, but {shown(records[key][row])} does not "
                f"({unknown[key].sum()} records); add it there or drop its records"
            )


def sorted_by_key(table: str, frame: pl.DataFrame, where: str) -> pl.DataFrame:
    """Return the rows in the order of their key.

    Raises:
        UserError: If a key occurs more than once.
    """
    key = KEYS[table]
    ordered = frame.sort(key)
    repeated = pl.all_horizontal(pl.col(column) == pl.col(column).shift() for column in key)
    if ordered.select(repeated.any()).item():
        must = f"a key ({', '.join(key)}) must occur once"
        check_rows(
            table, frame, where, [ColumnRule(key[-1], pl.struct(key).is_duplicated(), must, "drop the repeated row")]
        )
    return ordered


def check_rows(table: str, frame: pl.DataFrame, where: str, rules: list[ColumnRule]) -> None:
    """Check rules of the rows of a table.

    Raises:
        UserError: If one is broken; it names the first row that does so.
    """
    if not rules:
        return
    found = frame.select(rule.broken.any().alias(str(place)) for place, rule in enumerate(rules)).row(0)
    for rule, is_broken in zip(rules, found, strict=True):
        if is_broken:
            row = int(frame.select(rule.broken).to_series().arg_true()[0])
            key = ", ".join(cut(printable(str(frame[name][row]))) for name in KEYS[table])
            value = frame[rule.column][row]
            text = shown(value) if isinstance(value, str) else value
            raise UserError(f"{where}, row {row} ({key}): {rule.must}, but {rule.column} is {text}; {rule.remedy}")


def checked_responses(frame: pl.DataFrame, where: str) -> pl.DataFrame:
    """Return responses in the order of their key, with their draws.

    Raises:
        UserError: If a column is absent or of another type, or a key occurs more than once.
    """
    check_types("responses", dict(frame.schema), where)
    frame = _cast(RESPONSES, frame.select(column for column in RESPONSES if column in frame.columns), where)
    return sorted_by_key("responses", frame.select(list(RESPONSES)), where)


def check_name(name: str, what: str) -> None:
    """Check that a text can be printed and written.

    Raises:
        UserError: If it is no text, or has control characters or half surrogates.
    """
    if not isinstance(name, str) or printable(name) != name:
        raise UserError(f"{what} must be text without control characters and half surrogates, but is {shown(name)}")


def _cast(kinds: dict[str, Kind], frame: pl.DataFrame, where: str) -> pl.DataFrame:
    casts = []
    for column, kind in kinds.items():
        if column not in frame.columns:
            casts.append(pl.lit(0 if column == "draw" else None, dtype=kind).alias(column))
        elif column == "draw":
            casts.append(_whole(frame, where))
        else:
            value = pl.col(column)
            # A NaN is how many tools write a missing number. A performance is never missing: a NaN there is an error.
            missing = frame.schema[column].is_float() and column != "performance"
            casts.append((value.fill_nan(None) if missing else value).cast(kind))
    return frame.with_columns(casts)


def _whole(frame: pl.DataFrame, where: str) -> pl.Expr:
    """Return the draws as integers; a missing one is 0."""
    draw = pl.col("draw")
    if frame.schema["draw"] not in (pl.Int64, pl.Int32, pl.Int16, pl.Int8, pl.Null):
        number = draw.cast(pl.Float64).fill_nan(None)
        bad = frame.select((number != number.floor()) | (number.abs() > MOST_DRAW)).to_series()
        if bad.any():
            row = int(bad.arg_true()[0])
            raise UserError(
                f"{where}, row {row}: draw must be a whole number, or null for 0, but is {frame['draw'][row]}; number the "
                "draws of a query and an LLM from 0"
            )
        draw = number
    return draw.cast(pl.Int64).fill_null(0)


def _is_text(kind: pl.DataType) -> bool:
    return kind == pl.String or isinstance(kind, pl.Categorical | pl.Enum)
