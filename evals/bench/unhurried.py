"""``python -m evals.bench.unhurried ARGUMENTS``: ``recoup ARGUMENTS`` without the vendors' limits, for a server of our own that has none.

Its last line on stdout says how much memory the process took at its most.
"""

import atexit
import json
import resource
import runpy
import sys

from tools import http
from tools.http_limits import Limits

KIB_PER_MEGABYTE = 1000_000 / 1024
WITHOUT_LIMITS = Limits(requests=1_000_000, window_seconds=1, endpoint_requests=None, in_flight=16)


def main() -> None:
    """Runs the command in this process, as it runs by itself."""
    http.limits_for = lambda *_, **__: WITHOUT_LIMITS  # pyright: ignore[reportUnknownLambdaType] - whatever is asked
    atexit.register(_tell)
    sys.argv[0] = "recoup"
    # By its name: this layer does not import the doors.
    runpy.run_module("api.cli", run_name="__main__", alter_sys=True)


def _tell() -> None:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / KIB_PER_MEGABYTE
    sys.stdout.write(json.dumps({"peak_megabytes": round(peak, 1)}) + "\n")


if __name__ == "__main__":
    main()
