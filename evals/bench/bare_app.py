"""The yardstick of the webhook door: an endpoint of the same shape on the same server and pool, whose work is one bare INSERT."""

import os
import sys
from typing import Annotated

import uvicorn
import uvloop
from fastapi import APIRouter, Depends, FastAPI, Request
from pydantic import BaseModel

from evals.bench.server import opened
from memory.database import Database
from recoup.ids import new_id

router = APIRouter()


class Kept(BaseModel):
    """The same answer as the webhook door's."""

    event_id: str
    status: str


async def get_database(request: Request) -> Database:
    """The pool, which comes by injection as services do."""
    database: Database = request.app.state.db
    return database


@router.post("/bare/{connection}", status_code=202)
async def keep(request: Request, db: Annotated[Database, Depends(get_database)], connection: str) -> Kept:
    """Keeps the body."""
    body = await request.body()
    event_id = new_id("event")
    async with db.statement() as tx:
        await tx.run("INSERT INTO bench_bodies (id, connection, body) VALUES (%s, %s, %s)", (event_id, connection, body.decode()))
    return Kept(event_id=event_id, status="accepted")


def create_app(db: Database) -> FastAPI:
    """The application over an open pool."""
    app = FastAPI()
    app.state.db = db
    app.include_router(router)
    return app


async def serve(url: str, port: int) -> None:
    """Serves as ``recoup serve`` does, until it is killed."""
    async with opened(url) as db:
        config = uvicorn.Config(create_app(db), port=port, log_config=None, access_log=False, lifespan="off")
        sys.stdout.write(f"listens on :{port}\n")
        sys.stdout.flush()
        await uvicorn.Server(config).serve()


if __name__ == "__main__":
    uvloop.run(serve(os.environ["RECOUP_DATABASE_URL"], int(sys.argv[1])))
