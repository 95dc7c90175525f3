"""Every planted fault is caught by each of the tests that are named for it, and an unharmed copy passes them all."""

import pytest

from tests.faults.table import Fault, planted_faults
from tests.faults.tree import TESTS_FAILED, Tree

FAULTS = planted_faults()


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory, server_url: str) -> Tree:
    return Tree(tmp_path_factory.mktemp("planted"), server_url)


@pytest.mark.soak
def test_an_unharmed_copy_passes(tree: Tree) -> None:
    named = sorted({test for fault in FAULTS for test in fault.tests})
    run = tree.run_tests(named)
    assert (run.status, run.passed) == (0, frozenset(named)), run.output
    print(f"\nunharmed: {len(named)} tests pass")


@pytest.mark.soak
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.id)
def test_it_is_caught(tree: Tree, fault: Fault) -> None:
    with tree.planted(fault.edits):
        run = tree.run_tests(fault.tests)
    # A copy that cannot run its tests at all has caught nothing.
    is_caught = run.status == TESTS_FAILED and run.failed == frozenset(fault.tests)
    print(f"\n{'caught  ' if is_caught else 'SURVIVED'} {fault.id}: {fault.says}")
    assert is_caught, run.output
