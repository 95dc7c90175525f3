"""Runs the machine with a budget of programs."""

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.disorder.databases import Databases
from tests.disorder.machine import Disorder

SLOW_IS_FINE = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much, HealthCheck.large_base_example)


def run_programs(on: Databases, *, programs: int, steps: int) -> None:
    """Raises with the smallest failing program found, and the blob that repeats it."""

    class Program(Disorder):
        databases = on

    budget = settings(
        max_examples=programs, stateful_step_count=steps, deadline=None, print_blob=True, database=None, suppress_health_check=SLOW_IS_FINE
    )
    run_state_machine_as_test(Program, settings=budget)
