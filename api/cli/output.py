"""How commands print: tables for people, JSON for programs, the same data in both."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar, cast

import click

WIDEST = 1000

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
    from rich.table import Column, Table

    # An id that is cut short is of no use to anybody: a narrow window scrolls or wraps, a pipe gets whole lines.
    headings = (Column(column.replace("_", " "), no_wrap=True, overflow="ignore") for column in columns)
    table = Table(*headings, box=None, header_style="bold", pad_edge=False)
    for row in rows:
        fields = _fields(row)
        table.add_row(*(_cell(fields[column]) for column in columns))
    Console(width=WIDEST).print(table, crop=False, soft_wrap=True)


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
    from pydantic import BaseModel

    return value.model_dump() if isinstance(value, BaseModel) else cast("Mapping[str, object]", value)


def _cell(value: object, *, markup: bool = True) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M")
    if isinstance(value, float):
        return f"{value:.3g}"
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
