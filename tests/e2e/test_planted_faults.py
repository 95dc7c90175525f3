"""What catches planted faults works: a copy of the project runs its own code, passes unharmed, and fails harmed."""

from pathlib import Path

from tests.faults.table import planted_faults
from tests.faults.tree import TESTS_FAILED, Tree

QUICK = "account-action-in-auto"


def test_a_fault_is_caught_in_a_copy_whose_own_code_is_what_runs(tmp_path: Path) -> None:
    fault = next(fault for fault in planted_faults() if fault.id == QUICK)
    tree = Tree(tmp_path)
    assert tree.imported_from("recoup.gate") == tree.folder / "recoup" / "gate.py"
    with tree.planted(fault.edits):
        harmed = tree.run_tests(fault.tests)
    assert (harmed.status, harmed.failed) == (TESTS_FAILED, frozenset(fault.tests)), harmed.output
    unharmed = tree.run_tests(fault.tests)
    assert (unharmed.status, unharmed.passed) == (0, frozenset(fault.tests)), unharmed.output
