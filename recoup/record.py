"""The base of every value that is stored, sent or hashed: immutable, strict about its fields, JSON-able."""

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """An immutable value whose fields are exactly the declared ones."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_timedelta="float")
