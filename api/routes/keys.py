"""API keys of named people. A key is shown once, when it is made."""

from fastapi import APIRouter
from pydantic import BaseModel, Field

from api.auth import Admin, ServicesDep
from api.paging import Page
from memory import keys
from memory.keys import KeyRow
from recoup.people import Role

router = APIRouter(prefix="/keys", tags=["keys"])


class NewKey(BaseModel):
    """Who the key is for."""

    person: str = Field(min_length=1, max_length=100)
    role: Role


class CreatedKey(BaseModel):
    """The key itself, never to be seen again, and its row."""

    key: str
    row: KeyRow


@router.get("")
async def list_keys(services: ServicesDep, _: Admin) -> Page[KeyRow]:
    """All keys, revoked ones too, without the keys themselves."""
    async with services.db.read() as session:
        return Page(items=await keys.all_keys(session), next_cursor=None)


@router.post("", status_code=201)
async def create_key(services: ServicesDep, person: Admin, wanted: NewKey) -> CreatedKey:
    """Makes a key."""
    now = await services.clock.now()
    async with services.db.write() as tx:
        key, row = await keys.create(tx, person=wanted.person, role=wanted.role, by=person.name, at=now)
    return CreatedKey(key=key, row=row)


@router.delete("/{key_id}", status_code=204)
async def revoke_key(services: ServicesDep, person: Admin, key_id: str) -> None:
    """Revokes a key at once."""
    now = await services.clock.now()
    async with services.db.write() as tx:
        await keys.revoke(tx, key_id, by=person.name, at=now)
