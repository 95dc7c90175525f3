"""A short run of the disorder machine; ``make soak`` runs thousands of programs."""

from tests.disorder.databases import Databases
from tests.disorder.suite import run_programs

PROGRAMS = 15
STEPS = 25


def test_the_invariants_hold_whatever_happens_in_whatever_order(server_url: str, template: str) -> None:
    run_programs(Databases(server_url, template), programs=PROGRAMS, steps=STEPS)
