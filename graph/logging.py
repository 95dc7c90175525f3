"""One JSON object a log line, redacted: nothing that reaches a log may hold a secret or personal data."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import cast

from recoup.masking import redact

# What every LogRecord has; the rest came with ``extra``.
STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message", "taskName"}
QUIET = ("httpx", "httpcore", "stripe", "alembic", "procrastinate", "asyncio", "psycopg.pool", "uvicorn.access")


class JsonFormatter(logging.Formatter):
    """at, level, logger, message, the extras and, where there is one, the error with its traceback."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: value for name, value in vars(record).items() if name not in STANDARD}
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        at = {"at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")}
        return json.dumps(at | cast("dict[str, object]", redact(line)), ensure_ascii=False)


def configure_logging(level: str) -> None:
    """Sends every logger of this process to stderr in that form."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLogger().level))
