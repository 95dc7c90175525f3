"""What a decline means and what is allowed after it, and the codes that nobody knows."""

from typing import Annotated

from fastapi import APIRouter, Query

from api.auth import Reader, ServicesDep
from api.explained import MOST_ADVICE, ExplainedDecline, question
from api.paging import Limit, Page
from memory import unknown_codes
from memory.unknown_codes import UnknownCode
from recoup.decline import treat

router = APIRouter(prefix="/declines", tags=["declines"])

Network = Annotated[str | None, Query(description="The card's network, such as visa")]
NetworkCode = Annotated[str | None, Query(description="The network's own response code, such as 51")]
Advice = Annotated[list[str] | None, Query(description="Advice codes, such as 25", max_length=MOST_ADVICE)]
Country = Annotated[str | None, Query(description="Where the card was issued: ISO 3166, two letters")]
Day = Annotated[str | None, Query(description="By the rules of this UTC day, such as 2026-11-20; default: today")]


@router.get("/unknown")
async def list_unknown(services: ServicesDep, _: Reader, limit: Limit = 50) -> Page[UnknownCode]:
    """Codes of failed attempts that no table had, the most frequent first."""
    async with services.db.read() as session:
        return Page(items=await unknown_codes.seen(session, limit), next_cursor=None)


# A code may hold a slash; whatever it holds, it is only looked up.
@router.get("/{processor}/{code:path}")
async def explain_decline(
    _: Reader,
    processor: str,
    code: str,
    network: Network = None,
    network_code: NetworkCode = None,
    advice: Advice = None,
    country: Country = None,
    at: Day = None,
) -> ExplainedDecline:
    """One decline, explained; a code that no table has is told with ``known`` false."""
    asked = question(processor, code, network=network, network_code=network_code, advice=advice or (), country=country, at=at)
    return ExplainedDecline.of(treat(asked.decline, asked.at))
