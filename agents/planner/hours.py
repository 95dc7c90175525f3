"""At which local hours a merchant's charges go through better than at others: one wave a day, as far as the data speak for it."""

from dataclasses import dataclass

import numpy as np

from agents.planner.paydays import Floats
from agents.planner.situation import HOUR

# Nothing is believed to be surer than this, however good the hour.
SUREST = 0.99


@dataclass(frozen=True)
class Hours:
    """The share of charges that go through at a local hour, over the day's average, is ``1 + cosine * cos + sine * sin`` of its angle."""

    cosine: float = 0.0
    sine: float = 0.0

    def at(self, when: Floats, offset_hours: float) -> Floats:
        """The factor at each time (POSIX seconds), about 1."""
        angle = (when / HOUR + offset_hours) * (2 * np.pi / 24)
        return 1 + self.cosine * np.cos(angle) + self.sine * np.sin(angle)

    def applied(self, chances: Floats, when: Floats, offset_hours: float) -> Floats:
        """Chances (one column a time) as they are at those hours."""
        if not self.cosine and not self.sine:
            return chances
        return np.minimum(chances * self.at(when, offset_hours), np.maximum(chances, SUREST))


NO_HOURS = Hours()


def fit_hours(local_hours: Floats, approved: Floats) -> Hours:
    """From first charges: the local hour of each, and 1 where it went through. Shrunk by what chance alone would show."""
    if not len(approved) or not 0 < (mean := float(approved.mean())) < 1:
        return NO_HOURS
    angle, off = local_hours * (2 * np.pi / 24), (approved - mean) / mean
    waves = np.column_stack([np.ones(len(angle)), np.cos(angle), np.sin(angle)])
    _, cosine, sine = np.linalg.lstsq(waves, off, rcond=None)[0]
    by_chance = 4 * (1 - mean) / mean / len(approved)  # of the squared height of the wave
    kept = max(0.0, 1 - by_chance / max(cosine**2 + sine**2, 1e-12))
    return Hours(float(cosine) * kept, float(sine) * kept)
