"""Runs a campaign in a new process, whose imports are its own and which has no threads.

Programs that compute with torch or numba cannot be forked from a process in which these have
started threads, as other tests may have made them do. ``python -m tests.fuzz.apart SUBJECT FOLDER``
prints the faults as JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"
)


def faults_apart(subject: str, scratch: Path) -> list[str]:
    """Return what ``tests.fuzz.campaign.faults`` finds of a subject of ``tests.fuzz.inputs``."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.apart", subject, str(scratch)],
        env=os.environ | ONE_THREAD,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        return [f"the campaign itself failed: {done.stderr[-2000:]}"]
    found: list[str] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Run one campaign."""
    from tests.fuzz import inputs
    from tests.fuzz.campaign import faults

    name, scratch = sys.argv[1:]
    with inputs.subject(name, Path(scratch)) as subject:
        print(json.dumps(faults(subject, Path(scratch))))


if __name__ == "__main__":
    main()
