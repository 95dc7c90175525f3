"""Cases by priority, one case with everything about it, its timeline, and what a person can do to it."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from api.answers import override_rule
from api.auth import Approver, Operator, Reader, ServicesDep
from api.case_file import CaseFile, read_case_file
from api.jobs import absorb
from api.paging import Cursor, Limit, Page, page_of
from memory import audit_log, cases
from memory.audit_log import EntryRow
from memory.cases import CaseRow
from recoup.case import CaseStatus, Hold

router = APIRouter(prefix="/cases", tags=["cases"])


class Why(BaseModel):
    """A reason in the person's own words; it goes into the audit."""

    reason: Annotated[str, Field(min_length=3, max_length=500)]


class Override(Why):
    """A house rule lifted for one case."""

    rule: Annotated[str, Field(max_length=60)]


@router.get("")
async def list_cases(
    services: ServicesDep,
    _: Reader,
    status: CaseStatus | None = None,
    connection: str | None = None,
    account_id: str | None = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[CaseRow]:
    """By priority, highest first."""
    async with services.db.read() as session:
        rows = await cases.page(session, status=status, connection=connection, account_id=account_id, after=cursor, limit=limit + 1)
    return page_of(rows, limit)


@router.get("/{case_id}")
async def get_case(services: ServicesDep, _: Reader, case_id: str) -> CaseFile:
    """Everything about one case."""
    return await read_case_file(services, case_id)


@router.get("/{case_id}/timeline")
async def get_timeline(services: ServicesDep, _: Reader, case_id: str, cursor: Cursor = None, limit: Limit = 100) -> Page[EntryRow]:
    """Every change of the case and its rows, in the order in which they were committed."""
    async with services.db.read() as session:
        await cases.get(session, case_id)
        rows = await audit_log.page(session, chain=case_id, after=cursor, limit=limit + 1)
    return page_of(rows, limit)


@router.post("/{case_id}/hold")
async def hold(services: ServicesDep, person: Operator, case_id: str, why: Why) -> CaseRow:
    """Stops all dunning of the case until it is released."""
    await absorb.hold_case(services, person, case_id, Hold.PERSON, why.reason)
    return await _case(services, case_id)


@router.post("/{case_id}/release")
async def release(services: ServicesDep, person: Operator, case_id: str, why: Why) -> CaseRow:
    """Lifts every hold; a new decision starts."""
    await absorb.release_case(services, person, case_id, why.reason)
    return await _case(services, case_id)


@router.post("/{case_id}/overrides")
async def override(services: ServicesDep, person: Approver, case_id: str, wanted: Override) -> CaseRow:
    """Lifts a house rule for this case, with a reason; absolute rules cannot be lifted."""
    await override_rule(services, person, case_id, wanted.rule, wanted.reason)
    return await _case(services, case_id)


@router.post("/{case_id}/decide", status_code=202)
async def decide_again(services: ServicesDep, person: Operator, case_id: str) -> CaseRow:
    """Asks for a new decision now, also where deciding had failed for good."""
    await absorb.decide_again(services, person, case_id)
    return await _case(services, case_id)


async def _case(services: ServicesDep, case_id: str) -> CaseRow:
    async with services.db.read() as session:
        return await cases.get(session, case_id)
