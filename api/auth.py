"""Who is asking: a bearer key is a named person with one role."""

from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.problems import Unauthorized
from graph.bootstrap import Services
from memory import keys
from recoup.people import Permission, Person

bearer = HTTPBearer(auto_error=False, description="An API key: `recoup keys create NAME --role ROLE`")


# A coroutine, though it awaits nothing: FastAPI sends plain functions through a thread pool.
async def get_services(request: Request) -> Services:
    """What the application was created with."""
    services: Services = request.app.state.services
    return services


ServicesDep = Annotated[Services, Depends(get_services)]


async def get_person(services: ServicesDep, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]) -> Person:
    """The key's person; raises Unauthorized."""
    if credentials is None:
        raise Unauthorized("send an API key as 'Authorization: Bearer rk_...'; 'recoup keys create' makes one")
    async with services.db.read() as session:
        person = await keys.verify(session, credentials.credentials)
    if person is None:
        raise Unauthorized("this API key is not known, or was revoked")
    return person


def allowed(permission: Permission) -> object:
    """A dependency that gives the person where the role grants ``permission``, and is a 403 otherwise."""

    async def check(person: Annotated[Person, Depends(get_person)]) -> Person:
        person.must_have(permission)
        return person

    return Depends(check)


Reader = Annotated[Person, allowed(Permission.READ)]
Approver = Annotated[Person, allowed(Permission.APPROVE)]
Operator = Annotated[Person, allowed(Permission.OPERATE)]
Admin = Annotated[Person, allowed(Permission.ADMINISTER)]
