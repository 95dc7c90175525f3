"""A fresh migrated database for every program, and its end."""

import os
import secrets
from dataclasses import dataclass

from tests.conftest import APP_ROLE, database_url_of, execute


@dataclass(frozen=True)
class Databases:
    """Clones of a template on a test server."""

    server_url: str
    template: str

    def create(self) -> str:
        """The application role's URL of a new clone."""
        name = f"recoup_disorder_{os.getpid()}_{secrets.token_hex(4)}"
        execute(self.server_url, "CREATE DATABASE {} TEMPLATE {}", name, self.template)
        return database_url_of(self.server_url, name, APP_ROLE)

    def drop(self, url: str) -> None:
        """Ends the clone, whoever is still connected."""
        name = url.rpartition("/")[2].partition("?")[0]
        execute(self.server_url, "DROP DATABASE {} WITH (FORCE)", name)
