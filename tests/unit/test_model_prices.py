"""Prices are data with a source and a date; where none is known none is made up."""

from datetime import date

from agents.model_prices import price_of, price_table


def test_every_price_names_a_source_with_the_day_on_which_it_was_read():
    table = price_table()
    assert table.price
    for price in table.price:
        source = table.sources[price.source]
        assert source.url.startswith("https://")
        assert source.reviewed <= date(2026, 12, 1)


def test_a_snapshot_of_a_day_costs_what_its_model_costs():
    assert price_of("gpt-4o-2024-08-06") == price_of("gpt-4o")


def test_an_unknown_model_has_no_price():
    assert price_of("our-own-llama") is None
    assert price_of("gpt-4o-mini-but-better") is None


def test_a_cost_is_rounded_up_to_the_next_millionth_of_a_dollar():
    price = price_of("gpt-4o-mini")
    assert price is not None
    assert [price.cost_usd_micro(0, 0), price.cost_usd_micro(1, 0), price.cost_usd_micro(1_000_000, 1_000_000)] == [0, 1, 750_000]
