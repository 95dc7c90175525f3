"""What a model's tokens cost: a dated table with its sources. A model that is not in it has no price, and none is made up."""

import re
import tomllib
from collections.abc import Mapping
from datetime import date
from decimal import ROUND_CEILING, Decimal
from functools import lru_cache
from importlib.resources import files
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from recoup.record import Record

# gpt-4o-2024-08-06 is gpt-4o as it stood on a day, at the same price.
SNAPSHOT = re.compile(r"-\d{4}-\d{2}-\d{2}$")
Usd = Annotated[Decimal, Field(ge=0)]


class PriceSource(Record):
    """Who says so. ``grade``: A the vendor's own page, B a secondary one."""

    title: str
    url: str
    grade: Literal["A", "B"]
    reviewed: date


class Price(Record):
    """One model's, in US dollars for a million tokens; cached input is counted as if it were new."""

    model: str
    input_usd: Usd
    output_usd: Usd
    source: str

    def cost_usd_micro(self, input_tokens: int, output_tokens: int) -> int:
        """In millionths of a dollar, rounded up. A dollar for a million tokens is a millionth for one."""
        return int((input_tokens * self.input_usd + output_tokens * self.output_usd).to_integral_value(ROUND_CEILING))


class PriceTable(Record):
    """Everything in model_prices.toml."""

    sources: Mapping[str, PriceSource]
    price: tuple[Price, ...]

    @model_validator(mode="after")
    def _is_cited_once(self) -> Self:
        names = [price.model for price in self.price]
        if len(names) != len(set(names)):
            raise ValueError("a model has two prices")
        unknown = {price.source for price in self.price} - self.sources.keys()
        if unknown:
            raise ValueError(f"there is no source {', '.join(sorted(unknown))}")
        return self


@lru_cache(maxsize=1)
def price_table() -> PriceTable:
    """The table; read once."""
    text = files("agents").joinpath("model_prices.toml").read_text(encoding="utf-8")
    return PriceTable.model_validate(tomllib.loads(text, parse_float=Decimal))


def price_of(model: str) -> Price | None:
    """The model's price, also that of a dated snapshot of it; None where it is not known."""
    by_name = {price.model: price for price in price_table().price}
    return by_name.get(model) or by_name.get(SNAPSHOT.sub("", model))
