"""Thousands of programs of the disorder machine. ``RECOUP_SOAK_PROGRAMS`` changes how many."""

import os

import pytest

from tests.disorder.databases import Databases
from tests.disorder.suite import run_programs

PROGRAMS = int(os.environ.get("RECOUP_SOAK_PROGRAMS", "2000"))
STEPS = 30


@pytest.mark.soak
def test_the_invariants_hold_in_thousands_of_programs(server_url: str, template: str) -> None:
    run_programs(Databases(server_url, template), programs=PROGRAMS, steps=STEPS)
