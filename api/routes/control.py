"""The kill switch, and in sandbox mode the clock."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from api.auth import Admin, Operator, Reader, ServicesDep
from api.jobs.tick import fire_timers
from memory import cases, switches
from memory.switches import StoredClock
from recoup.errors import NotFound

router = APIRouter(tags=["control"])

KILL_SWITCH_RULE = "kill-switch"
LONGEST_STEP_SECONDS = 366 * 24 * 3600


class KillSwitch(BaseModel):
    """While it is on, nothing leaves: no charge, no message, no account action."""

    on: bool


class Advance(BaseModel):
    """How far the domain's clock moves, in seconds."""

    seconds: Annotated[float, Field(gt=0, le=LONGEST_STEP_SECONDS)]


class Now(BaseModel):
    """The domain's time."""

    now: datetime


@router.get("/kill-switch")
async def get_kill_switch(services: ServicesDep, _: Reader) -> KillSwitch:
    """Whether it is on."""
    async with services.db.read() as session:
        return KillSwitch(on=await switches.kill_switch_is_on(session))


@router.put("/kill-switch")
async def set_kill_switch(services: ServicesDep, person: Admin, wanted: KillSwitch) -> KillSwitch:
    """Turns it on or off; what is already on the wire cannot be called back."""
    now = await services.clock.now()
    async with services.db.write() as tx:
        await switches.set_kill_switch(tx, wanted.on, by=person.name, at=now)
        if not wanted.on:
            await cases.want_decisions_denied_by(tx, KILL_SWITCH_RULE, "the kill switch is off")
    return wanted


@router.get("/clock")
async def get_clock(services: ServicesDep, _: Reader) -> Now:
    """The domain's time: wall time, or the sandbox's."""
    return Now(now=await services.clock.now())


def sandbox_clock(services: ServicesDep) -> StoredClock:
    """The clock that can be moved; raises NotFound outside sandbox mode, whoever asks."""
    if not services.settings.sandbox or not isinstance(services.clock, StoredClock):
        raise NotFound("the clock can only be advanced in sandbox mode (RECOUP_SANDBOX=1)")
    return services.clock


@router.post("/clock/advance", dependencies=[Depends(sandbox_clock)])
async def advance_clock(services: ServicesDep, clock: Annotated[StoredClock, Depends(sandbox_clock)], _: Operator, wanted: Advance) -> Now:
    """Moves the sandbox's clock forward and fires what falls due; there is no such address outside sandbox mode."""
    now = await clock.advance(wanted.seconds)
    # At once rather than at a worker's next tick: whoever drives the clock waits for what is due.
    await fire_timers(services, now)
    return Now(now=now)
