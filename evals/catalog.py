"""All suites, in the order in which they are run and shown."""

from evals.suite import Suite
from evals.suites import (
    case_files,
    decisions,
    drafts,
    injection,
    judge_calibration,
    personal_data,
    reading,
    routing,
    tool_use,
    treatment,
)
from recoup.errors import NotFound

SHIPPED: dict[str, Suite] = {
    module.SUITE.name: module.SUITE
    for module in (routing, treatment, drafts, case_files, reading, tool_use, injection, personal_data, judge_calibration)
}
# Those whose dataset every installation makes itself are run where one is given.
SUITES: dict[str, Suite] = SHIPPED | {decisions.SUITE.name: decisions.SUITE}


def suite_named(name: str) -> Suite:
    """Raises NotFound and says which there are."""
    try:
        return SUITES[name]
    except KeyError:
        raise NotFound(f"there is no suite {name}; one of {', '.join(SUITES)}") from None
