"""A code that somebody else wrote, fit to be shown: it may be anything, also a card number, a whole letter or a terminal's commands."""

from recoup.masking import mask_cards

LONGEST_SHOWN = 64
UNPRINTABLE = "\ufffd"


def shown_code(code: str) -> str:
    """The code without card numbers and control characters, at most 64 characters long."""
    printable = "".join(char if char.isprintable() else UNPRINTABLE for char in mask_cards(code))
    return printable if len(printable) <= LONGEST_SHOWN else f"{printable[: LONGEST_SHOWN - 1]}…"
