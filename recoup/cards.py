"""What can be a payment card number: the length and leading digits that networks issue, and the Luhn check digit."""

from itertools import accumulate

MIN_DIGITS, MAX_DIGITS = 13, 19

# Leading digits (inclusive range, compared on as many digits as written) and the lengths issued under them.
# Source: ISO/IEC 7812 ranges as the networks publish them. Wider than today's use, so that a new BIN is not missed; narrower than
# "any 13-19 digits", so that timestamps (1...), order numbers and dates stay readable.
ISSUED: tuple[tuple[str, str, int, int], ...] = (
    ("1", "1", 15, 15),  # UATP
    ("2200", "2205", 16, 19),  # Mir, Borica
    ("2221", "2720", 16, 16),  # Mastercard
    ("30", "30", 14, 19),  # Diners Club
    ("34", "34", 15, 15),  # American Express
    ("35", "35", 16, 19),  # JCB
    ("36", "36", 14, 19),  # Diners Club
    ("37", "37", 15, 15),  # American Express
    ("38", "39", 14, 16),  # Diners Club
    ("4", "4", 13, 13),  # Visa, old
    ("4", "4", 16, 19),  # Visa
    ("50", "50", 13, 19),  # Maestro and domestic debit
    ("51", "55", 16, 16),  # Mastercard
    ("56", "59", 13, 19),  # Maestro
    ("60", "69", 13, 19),  # Discover, UnionPay, Maestro, RuPay, Elo, Verve, Hipercard
    ("81", "82", 16, 19),  # UnionPay, RuPay
    ("86", "86", 16, 16),  # UzCard
    ("9792", "9792", 16, 16),  # Troy
    ("9860", "9860", 16, 16),  # Humo
)


def is_card_number(digits: str) -> bool:
    """Whether ASCII ``digits`` could be a card number that was really issued."""
    return is_issued(digits) and LuhnSums(digits).holds(0, len(digits))


def is_issued(digits: str) -> bool:
    """Whether a network issues numbers of this length that start like this."""
    return any(low <= digits[: len(low)] <= high and shortest <= len(digits) <= longest for low, high, shortest, longest in ISSUED)


class LuhnSums:
    """The Luhn check of any stretch of ``digits`` in constant time: a hostile text has very many stretches."""

    def __init__(self, digits: str) -> None:
        values = [int(digit) for digit in digits]
        doubled = [2 * value - 9 * (value > 4) for value in values]
        # One running sum doubles the digits at even positions, the other those at odd ones.
        self._even_doubled = [0, *accumulate(d if i % 2 == 0 else v for i, (v, d) in enumerate(zip(values, doubled, strict=True)))]
        self._odd_doubled = [0, *accumulate(d if i % 2 else v for i, (v, d) in enumerate(zip(values, doubled, strict=True)))]

    def holds(self, first: int, end: int) -> bool:
        """Whether the last digit of ``first:end`` is the check digit of the others: from it, every second one counts double."""
        sums = self._odd_doubled if end % 2 else self._even_doubled
        return (sums[end] - sums[first]) % 10 == 0
