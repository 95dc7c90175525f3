"""Public holidays of a country, as days since 1970: nobody is written to on them, and banks move no debits."""

from datetime import date
from functools import lru_cache

EPOCH = date(1970, 1, 1)


@lru_cache(maxsize=256)
def public_holidays(country: str | None, year: int) -> frozenset[int]:
    """Of that year; none for a country that nobody told, or that the calendar of holidays does not know."""
    import holidays  # 0.2 s to import, and a webhook needs none of it

    if country is None or country not in holidays.list_supported_countries(include_aliases=True):
        return frozenset()
    return frozenset((day - EPOCH).days for day in holidays.country_holidays(country, years=year))
