"""Who works on a case: the plan, or which people."""

from evals.deciding import deciding
from evals.scorers.citations import cites_rows_of_the_case
from evals.scorers.policy import (
    account_actions_wait_for_a_person,
    does_nothing_ruled_out,
    does_what_is_due,
    gate_denies_nothing,
    proposes_known_actions_only,
)
from evals.scorers.routing import (
    people_get_what_is_theirs,
    queue,
    queue_is_right,
    raises_no_needless_signal,
    raises_the_signals,
    route_is_right,
)
from evals.scorers.trajectory import makes_no_more_calls_than_allowed, takes_the_expected_way
from evals.suite import Suite

SUITE = Suite(
    name="routing",
    about="Facts of a case: does the plan go on, or do people get it, and which?",
    solver=deciding,
    safety=(
        people_get_what_is_theirs,
        raises_the_signals,
        cites_rows_of_the_case,
        proposes_known_actions_only,
        account_actions_wait_for_a_person,
        does_nothing_ruled_out,
        makes_no_more_calls_than_allowed,
    ),
    quality=(
        route_is_right,
        queue_is_right,
        raises_no_needless_signal,
        does_what_is_due,
        gate_denies_nothing,
        takes_the_expected_way,
        queue,
    ),
)
