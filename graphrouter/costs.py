"""Estimate the cost of records that come without one. What is estimated is always called so."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import polars as pl

from graphrouter.errors import UserError, first_line, shown
from graphrouter.log import LLMLog
from graphrouter.log_checks import MOST

PRICES = ("input_price", "output_price")


@dataclass
class Price:
    """Price of an LLM, in US dollars per million tokens.

    Attributes:
        input: Price of the prompt's tokens.
        output: Price of the response's tokens.
    """

    input: float
    output: float


@dataclass
class SizePrice(Price):
    """Price of an LLM that has none of its own, by its size.

    Attributes:
        up_to: The price holds up to so many billions of parameters.
    """

    up_to: float


@dataclass
class Prices:
    """Prices that costs are estimated by; the schema of ``configs/prices.yaml``.

    Attributes:
        characters_per_token: Turns text into tokens.
        output_tokens: Length of a response whose length is not known.
        by_size: Bands in the order of their size.
        llms: By the name of the LLM.
    """

    characters_per_token: float = 4.0
    output_tokens: float = 256.0
    by_size: list[SizePrice] = field(default_factory=list)
    llms: dict[str, Price] = field(default_factory=dict)

    def find(self, llm: str, size_b: float | None) -> Price:
        """Return the price of an LLM by its name, else by its size.

        Raises:
            UserError: If neither is known.
        """
        if llm in self.llms:
            return self.llms[llm]
        for band in self.by_size:
            if size_b is not None and size_b <= band.up_to:
                return band
        raise UserError(
            f"an LLM needs a price or a size for its cost to be estimated, but {shown(llm)} has neither; "
            "put its price under 'llms' in a YAML file (see configs/prices.yaml) and give it with --prices FILE, or fill size_b"
        )


def load_prices(file: Path | None = None) -> Prices:
    """Read the prices that come with the package, and lay those of a file over them.

    Raises:
        UserError: If the file cannot be read, or does not have the keys of `Prices`.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    from graphrouter.settings import configs_folder, read_yaml

    prices = OmegaConf.structured(Prices)
    shipped = configs_folder() / "prices.yaml"
    for source in (shipped, file):
        if source is None:
            continue
        try:
            prices = OmegaConf.merge(prices, OmegaConf.create(read_yaml(source)))
            merged: Prices = OmegaConf.to_object(prices)  # type: ignore[assignment]
        except (OmegaConfBaseException, ValueError) as error:
            raise UserError(
                f"{source} must hold prices as configs/prices.yaml does, but {first_line(error)}; mend it"
            ) from None
    _check(merged, file or shipped)
    return merged


def estimate_cost(log: LLMLog, prices: Path | None = None) -> LLMLog:
    """Fill in the missing costs of a log.

    A cost that the log has, or that follows from its own tokens and prices, stays. Otherwise missing tokens come from
    the length of the query and of the response, and missing prices from `Prices`. The tokens and prices that an
    estimate rests on are filled in beside it.

    Args:
        log: With or without costs.
        prices: A YAML file laid over the prices that come with the package.

    Returns:
        The log itself where no cost is missing; otherwise a log with ``cost_estimated`` that says so in its name too.

    Raises:
        UserError: If an LLM has neither a price nor a size, or the file is not as it must be.
    """
    if log.has_cost:
        return log
    table = load_prices(prices)
    llms = _with_prices(log.llms, log.records.filter(pl.col("cost").is_null())["llm"].unique(), table)
    records = _with_tokens(log, table)
    price_in, price_out = (
        records.select("llm").join(llms, on="llm", how="left", maintain_order="left")[c] for c in PRICES
    )
    dollars = (pl.col("input_tokens") * price_in + pl.col("output_tokens") * price_out) / 1e6
    records = records.with_columns(cost=pl.coalesce("cost", dollars))
    return replace(log, name=f"{log.name} (cost estimated)", llms=llms, records=records, cost_estimated=True)


def _with_tokens(log: LLMLog, prices: Prices) -> pl.DataFrame:
    """Fill the missing tokens of the records that have no cost."""
    asked = log.records.select("query_id").join(log.queries, on="query_id", how="left", maintain_order="left")
    from_query = asked["query"].str.len_chars() / prices.characters_per_token
    from_response = pl.coalesce(pl.col("response_chars") / prices.characters_per_token, pl.lit(prices.output_tokens))
    unknown = pl.col("cost").is_null()
    return log.records.with_columns(
        input_tokens=pl.when(unknown).then(pl.coalesce("input_tokens", from_query)).otherwise("input_tokens"),
        output_tokens=pl.when(unknown).then(pl.coalesce("output_tokens", from_response)).otherwise("output_tokens"),
    )


def _with_prices(llms: pl.DataFrame, names: pl.Series, prices: Prices) -> pl.DataFrame:
    """Fill the missing prices of the LLMs named."""
    costless = set(names)
    filled: dict[str, list[float | None]] = {column: [] for column in PRICES}
    for llm, size, *known in llms.select("llm", "size_b", *PRICES).iter_rows():
        if llm in costless and None in known:
            assumed = prices.find(llm, size)
            known = [assumed.input if known[0] is None else known[0], assumed.output if known[1] is None else known[1]]
        for column, price in zip(PRICES, known, strict=True):
            filled[column].append(price)
    return llms.with_columns(pl.Series(column, values, dtype=pl.Float64) for column, values in filled.items())


def _check(prices: Prices, source: Path) -> None:
    numbers = {"characters_per_token": prices.characters_per_token}
    bands = {f"by_size, up_to {band.up_to:g}": band for band in prices.by_size}
    for name, price in (prices.llms | bands).items():
        numbers |= {f"{name}, input": price.input, f"{name}, output": price.output}
    for name, number in (numbers | {"output_tokens": prices.output_tokens}).items():
        if not 0 <= number <= MOST or (name == "characters_per_token" and not number):
            raise UserError(
                f"{source}: {name} must be finite, not negative and at most {MOST:g}, but is {number}; mend it"
            )
    sizes = [band.up_to for band in prices.by_size]
    if sizes != sorted(sizes):
        raise UserError(f"{source}: the bands of by_size must go from small to large, but are {sizes}; sort them")
