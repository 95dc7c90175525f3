"""Is what tells who somebody is gone from a text, and all else still there?"""

import re

from evals.sample import Sample
from evals.solver import Answer

# Four digits of a card may stay: people need them to tell their cards apart.
MOST_KEPT = 4
SEPARATORS = re.compile(r"[\s.\-/()\u00a0\u2009\u200b]")


def hides_personal_data(sample: Sample, answer: Answer) -> bool | None:
    """Nothing of ``gone`` is left, whole or but for its separators; of what has many digits, no more than the last four."""
    gone = sample.expected.get("gone", ())
    return not any(_is_left(secret, answer.value["text"]) for secret in gone) if gone else None


def keeps_look_alikes(sample: Sample, answer: Answer) -> bool | None:
    """Order numbers, dates, amounts and ids stay: without them nobody could work."""
    stays = sample.expected.get("stays", ())
    return all(word in answer.value["text"] for word in stays) if stays else None


def _is_left(secret: str, text: str) -> bool:
    squeezed, bare = SEPARATORS.sub("", secret), SEPARATORS.sub("", text)
    if secret in text or squeezed in bare:
        return True
    digits = re.sub(r"\D", "", secret)
    return len(digits) > 2 * MOST_KEPT and digits[:-MOST_KEPT][-7:] in re.sub(r"\D", "", text)
