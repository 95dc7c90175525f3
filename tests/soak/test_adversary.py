"""A hundred thousand attempts by an adversary that asks ``permit`` at the worst moments: no rule is broken, and every rule was tried."""

import os
import sys

import pytest

from evals.adversary import attack
from recoup.rule_data import load_rules

ATTEMPTS = int(os.environ.get("RECOUP_SOAK_ATTEMPTS", "100000"))


@pytest.mark.soak
def test_no_rule_is_broken_and_every_cap_was_reached() -> None:
    seed = int.from_bytes(os.urandom(4))
    report = attack(seed, ATTEMPTS)
    sys.stderr.write(f"seed {seed}: {report.attempts} attempts, {report.asked} questions, {report.cards} cards, {report.spoken}\n")
    assert not report.breaches, f"seed {seed}: {report.breaches[:10]}"
    assert {cap.id for cap in load_rules().cap} <= set(report.spoken), f"seed {seed}: the adversary never reached some cap"
