"""Says in one line each what is wrong with a value, looking into unions for the alternative that was meant."""

from collections.abc import Iterable

import jsonschema_rs

VALUE_CHARACTERS = 60
# A value of another type, or another object's ``object`` or ``type``, means that an alternative was not the one meant.
TELLING_KEYS = frozenset({"object", "type"})


def problems_of(errors: Iterable[jsonschema_rs.ValidationError], root: str) -> list[str]:
    """Every problem, deepest alternatives resolved; ``root`` names what was checked."""
    return [line for error in errors for line in _lines(error, root)]


def _lines(error: jsonschema_rs.ValidationError, root: str) -> list[str]:
    kind = error.kind
    if isinstance(kind, jsonschema_rs.ValidationErrorKind.AnyOf):
        return _of_union(error, kind.context, root)
    where = root + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.instance_path)
    if isinstance(kind, jsonschema_rs.ValidationErrorKind.AdditionalProperties):
        return [f"{where}.{name}: unknown key" for name in kind.unexpected]
    if isinstance(kind, jsonschema_rs.ValidationErrorKind.Required):
        return [f"{where}.{kind.property}: missing"]
    return [f"{where}: {_short(error.message)}"]


def _of_union(error: jsonschema_rs.ValidationError, branches: list[list[jsonschema_rs.ValidationError]], root: str) -> list[str]:
    here = len(error.instance_path)
    best = min(branches, key=lambda branch: _distance(branch, here))
    if all(_is_foreign(problem, here) for problem in best):
        wanted = sorted({_short(problem.message) for branch in branches for problem in branch if len(problem.instance_path) == here})
        where = root + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.instance_path)
        return [f"{where}: " + " and ".join(wanted[:4])]
    return problems_of(best, root)


def _distance(branch: list[jsonschema_rs.ValidationError], here: int) -> tuple[bool, int]:
    return any(_is_foreign(problem, here) for problem in branch), len(branch)


def _is_foreign(problem: jsonschema_rs.ValidationError, here: int) -> bool:
    """Whether a problem says that the value is another kind of thing altogether."""
    kinds = jsonschema_rs.ValidationErrorKind
    below = problem.instance_path[here:]
    if isinstance(problem.kind, kinds.AnyOf):
        return not below and all(any(_is_foreign(p, here) for p in branch) for branch in problem.kind.context)
    if not below:
        return isinstance(problem.kind, kinds.Type | kinds.Enum | kinds.Constant | kinds.Pattern)
    return len(below) == 1 and below[0] in TELLING_KEYS and isinstance(problem.kind, kinds.Enum | kinds.Constant)


def _short(message: str) -> str:
    if len(message) <= 3 * VALUE_CHARACTERS:
        return message
    return f"{message[:VALUE_CHARACTERS]} ... {message[-VALUE_CHARACTERS:]}"
