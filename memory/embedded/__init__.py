"""Our own PostgreSQL, for a machine where nobody has set one up: started on demand, gone with its last client.

``running(home)`` is all that others need. A client holds a shared lock for as long as it lives (lease.py); one supervisor process
owns the server (__main__.py); a kill -9 of any of them is what the locks are for (files.py): the system frees them at once.
"""

from memory.embedded.files import EmbeddedUrls
from memory.embedded.lease import running

__all__ = ["EmbeddedUrls", "running"]
