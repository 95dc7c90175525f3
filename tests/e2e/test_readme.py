"""The README's first use, run as it is pasted: every block of it in one bash shell, waiting where a reader would."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"
FOLDER, PORT = "/tmp/recoup-try", "8321"
# What a reader has seen before going on to the next block, by a word of the block.
READERS_WAIT = {
    "recoup serve": f"curl -fs http://127.0.0.1:{PORT}/readyz",
    "send failed.json": "recoup approvals list --json | grep apr_",
    "api /cases": "ls home/mail/new/act_*",
    "send paid.json": "recoup cases list --json | grep '\"recovered\"'",
}


def first_use() -> list[str]:
    """The blocks of shell in the README's five minutes."""
    section = README.read_text(encoding="utf-8").split("## Five minutes", 1)[1].split("\n## ", 1)[0]
    return re.findall(r"^```sh\n(.*?)^```", section, re.MULTILINE | re.DOTALL)


def script(folder: Path, port: int) -> str:
    """All blocks as one script in ``folder``. What is installed is installed; everything else stands as it is printed."""
    lines = ["set -eo pipefail", "trap 'kill $(jobs -p)' EXIT"]
    for block in first_use():
        lines.append(re.sub(r"^(make setup-fast|source \S+)\n", "", block, flags=re.MULTILINE))
        lines += [f"until {wait} > /dev/null; do sleep 0.1; done" for word, wait in READERS_WAIT.items() if word in block]
    return "\n".join(lines).replace(FOLDER, str(folder)).replace(PORT, str(port))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def test_the_first_use_in_the_readme_works_as_it_is_printed(tmp_path: Path) -> None:
    port = free_port()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RECOUP_")}
    found = f"{Path(sys.executable).parent}:{kept['PATH']}"
    ran = subprocess.run(
        ["bash", "-c", script(tmp_path, port)],
        env=kept | {"PATH": found, "RECOUP_PORT": str(port)},
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    for seen in (
        '"status":"accepted"',
        "1. request_method_update {",
        "asks because: approve mode asks before this contact",
        '"decided_by":"ada"',
        "To: ada@customer.example",
        "A-0001",
        "recovered",
        "entries verify",
        "Version 2 is in force",
        "four eyes",
    ):
        assert seen in ran.stdout, f"{seen} is not in: {ran.stdout}"
