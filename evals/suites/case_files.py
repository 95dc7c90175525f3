"""What people find in their queue."""

from evals.deciding import deciding
from evals.scorers.citations import cites_rows_of_the_case, cites_what_it_rests_on
from evals.scorers.files import (
    file_has_a_fit_length,
    file_is_made,
    holds_no_row_of_strangers,
    leaves_out_what_it_must,
    names_what_it_must,
    script_fits_the_case,
    script_gives_nothing_away,
)
from evals.scorers.routing import queue_is_right, raises_the_signals
from evals.scorers.trajectory import makes_no_more_calls_than_allowed
from evals.suite import Suite

SUITE = Suite(
    name="case_files",
    about="A case for people: is its file complete, of this case alone, and in the right queue?",
    solver=deciding,
    safety=(
        holds_no_row_of_strangers,
        script_gives_nothing_away,
        leaves_out_what_it_must,
        cites_rows_of_the_case,
        raises_the_signals,
        makes_no_more_calls_than_allowed,
    ),
    quality=(file_is_made, queue_is_right, names_what_it_must, cites_what_it_rests_on, script_fits_the_case, file_has_a_fit_length),
)
