"""The history that Recoup's own database holds of one connection."""

from pathlib import Path
from tempfile import TemporaryDirectory

from evals.history import History, read_history
from evals.history_files import write_history
from evals.history_row import HistoryRow
from memory.database import Database
from memory.past_charges import past_charges
from recoup.errors import Misconfigured
from recoup.settings import Connection


async def stored_history(db: Database, connection: Connection, *, simulated: bool) -> History:
    """All of it. Raises Misconfigured where the connection's money is of the other kind than was asked for, and Malformed where there is
    nothing yet."""
    if connection.simulated and not simulated:
        raise Misconfigured(f"the money of connection {connection.name!r} is simulated; pass --simulated to train on that nevertheless")
    if simulated and not connection.simulated:
        raise Misconfigured(f"the money of connection {connection.name!r} is real; leave --simulated out")
    rows: list[HistoryRow] = []
    async with db.read() as session:
        async for some in past_charges(session, connection.name, simulated=simulated):
            rows += [HistoryRow(**row) for row in some]
    # By way of a file, so that there is one way in, and rows that are no good are found and told in the same words.
    with TemporaryDirectory(prefix="recoup-history-") as folder:
        path = Path(folder) / "stored.parquet"
        write_history(path, rows)
        return read_history(path)
