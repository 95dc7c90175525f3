"""Lists are ``{"items": [...], "next_cursor"}``: a cursor is the id of the last row seen, null at the end."""

from collections.abc import Sequence
from typing import Annotated, Generic, Protocol, TypeVar

from fastapi import Query
from pydantic import BaseModel


class HasId(Protocol):
    """A row that can be a cursor."""

    @property
    def id(self) -> str:
        """The row's id."""
        ...


RowT = TypeVar("RowT", bound=HasId)
ItemT = TypeVar("ItemT")

Limit = Annotated[int, Query(ge=1, le=500, description="How many at most")]
Cursor = Annotated[str | None, Query(description="`next_cursor` of the page before", max_length=100)]


class Page(BaseModel, Generic[ItemT]):
    """One page of a list."""

    items: list[ItemT]
    next_cursor: str | None


def page_of(rows: Sequence[RowT], limit: int) -> "Page[RowT]":
    """A page from up to ``limit + 1`` rows: one more than asked for tells that there is a next page."""
    items = list(rows[:limit])
    return Page(items=items, next_cursor=items[-1].id if len(rows) > limit else None)
