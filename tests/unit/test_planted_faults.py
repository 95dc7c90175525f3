"""The table of planted faults does not rot: each still breaks the product as it stands, and names tests that exist.

That they are caught is shown by ``make faults``, a part of ``make soak``.
"""

import ast
from pathlib import Path

import pytest

from tests.faults.table import Fault, planted_faults
from tests.faults.tree import ROOT

FAULTS = planted_faults()
by_id = pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.id)


@by_id
def test_the_old_text_stands_once_and_the_new_one_is_still_code(fault: Fault) -> None:
    assert [(edit.file, edit.count(ROOT)) for edit in fault.edits] == [(edit.file, 1) for edit in fault.edits]
    texts = {edit.file: (ROOT / edit.file).read_text(encoding="utf-8") for edit in fault.edits}
    for edit in fault.edits:
        assert edit.old != edit.new
        texts[edit.file] = texts[edit.file].replace(edit.old, edit.new)
    for file, text in texts.items():
        if file.endswith(".py"):
            ast.parse(text)


@by_id
def test_the_tests_that_must_catch_it_exist(fault: Fault) -> None:
    assert fault.tests
    for test in fault.tests:
        file, name = test.split("::")
        assert name in _functions(ROOT / file), test


def test_there_are_many_and_no_two_are_called_alike() -> None:
    assert len({fault.id for fault in FAULTS}) == len(FAULTS) >= 20


def _functions(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
