"""Money as integer minor units of one currency; exponents come from CLDR through Babel."""

from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING

from recoup.errors import Malformed

if TYPE_CHECKING:
    from babel.core import Locale


@lru_cache(maxsize=512)
def exponent(currency: str) -> int:
    """How many decimal digits the currency's minor unit has: USD 2, JPY 0, KWD 3."""
    from babel.numbers import get_currency_precision

    return int(get_currency_precision(currency.upper()))


def checked_currency(code: str) -> str:
    """The ISO 4217 code in upper case; raises Malformed for one that CLDR does not know."""
    from babel.numbers import is_currency

    upper = code.strip().upper()
    if not is_currency(upper):
        raise Malformed(f"currency {code!r} is not an ISO 4217 code")
    return upper


def to_minor(major: Decimal | int, currency: str) -> int:
    """Whole minor units of an amount in major units; raises Malformed where it would not be exact."""
    minor = Decimal(major) * (10 ** exponent(currency))
    if minor != minor.to_integral_value():
        raise Malformed(f"{major} {currency} is not a whole number of minor units")
    return int(minor)


def format_money(amount_minor: int, currency: str, locale: str = "en") -> str:
    """The amount as a person reads it, such as ``$249.00``; ``locale`` is a BCP 47 or POSIX tag."""
    from babel.numbers import format_currency

    major = Decimal(amount_minor) / (10 ** exponent(currency))
    return str(format_currency(major, currency.upper(), locale=_locale(locale)))


@lru_cache(maxsize=256)
def _locale(tag: str) -> "Locale":
    """Babel looks into the file system whenever it parses a tag. One that it does not know is English."""
    from babel.core import Locale, UnknownLocaleError

    try:
        return Locale.parse(tag.replace("-", "_"))
    except (UnknownLocaleError, ValueError):
        return Locale("en")
