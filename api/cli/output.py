"""How commands print: tables for people, JSON for programs, the same data in both."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

import click

CommandT = TypeVar("CommandT", bound=Callable[..., Any])


def json_option(command: CommandT) -> CommandT:
    """Adds ``--json``, which arrives as ``as_json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def print_json(value: object) -> None:
    """One JSON value on one line; records, times and enums as the HTTP API gives them."""
    click.echo(json.dumps(value, default=_jsonable, ensure_ascii=False))


def print_rows(rows: Sequence[object], columns: Sequence[str], *, as_json: bool, empty: str) -> None:
    """A list: all fields as a JSON array, or ``columns`` as a table; ``empty`` is said where there is nothing."""
    if as_json:
        print_json(list(rows))
        return
    if not rows:
        click.echo(empty)
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(*(column.replace("_", " ") for column in columns), box=None, header_style="bold", pad_edge=False)
    for row in rows:
        fields = _fields(row)
        table.add_row(*(_cell(fields[column]) for column in columns))
    Console().print(table)


def print_fields(value: object, *, as_json: bool) -> None:
    """One record: a JSON object, or a name and a value a line."""
    if as_json:
        print_json(value)
        return
    fields = _fields(value)
    width = max(map(len, fields), default=0)
    for name, field in fields.items():
        click.echo(f"{name.replace('_', ' '):<{width}}  {_cell(field, markup=False)}")


def _fields(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else _jsonable(value)  # pyright: ignore[reportUnknownVariableType]


def _cell(value: object, *, markup: bool = True) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M")
    text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    if not markup:
        return text
    from rich.markup import escape

    return escape(text)


def _jsonable(value: object) -> Any:
    from pydantic import BaseModel

    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value)
