"""The policy in force, its versions, and changing it."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from api.auth import Admin, Reader, ServicesDep
from api.paging import Page
from api.policy_change import set_policy
from memory import policies
from memory.policies import PolicyRow

router = APIRouter(prefix="/policy", tags=["policy"])


class NewPolicy(BaseModel):
    """A whole policy as TOML, and why it changes."""

    text: Annotated[str, Field(max_length=200_000)]
    note: Annotated[str, Field(min_length=3, max_length=500)]


@router.get("")
async def get_policy(services: ServicesDep, _: Reader) -> PolicyRow:
    """The version in force."""
    async with services.db.read() as session:
        return await policies.newest(session)


@router.get("/versions")
async def list_versions(services: ServicesDep, _: Reader) -> Page[PolicyRow]:
    """All versions, newest first."""
    async with services.db.read() as session:
        return Page(items=await policies.all_versions(session), next_cursor=None)


@router.put("")
async def put_policy(services: ServicesDep, person: Admin, wanted: NewPolicy) -> PolicyRow:
    """Puts a new version in force; a policy that does not validate is refused with every key that is wrong."""
    return await set_policy(services, person, wanted.text, wanted.note)
