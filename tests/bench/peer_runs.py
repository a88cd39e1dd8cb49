"""The same work as it is usually done, against the same server in the same run, so that what comes out is a ratio. The
scripts are in `peers/`; they check nothing, report nothing and disable nobody, so they have less to do.
"""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from run import REGION, Cost, Place, Wrong, counts, null_cloud, null_place, peak_bytes
from runs import deliver, measure_size, people_file

PEERS = Path(__file__).resolve().parent / "peers"


def measure(function: Path, tools: Path, work: Path, rows: int, say) -> list[dict]:
    """A line for each way of doing it. The slow ones get fewer rows: what a row costs does not depend on that."""
    npm = ["npm", "ci", "--silent", "--no-audit", "--no-fund"]
    if shutil.which("npm") is None or subprocess.run(npm, cwd=PEERS).returncode != 0:
        raise Wrong("Node and npm are needed for those who work with them")
    python, node = [sys.executable], ["node"]
    few = max(rows // 5, 1)
    loads = [
        ("Python, `csv` and boto3 `batch_writer`", [*python, PEERS / "batch_write.py"], rows),
        ("Python, `csv` and boto3 `update_item` a row", [*python, PEERS / "update_item.py"], few),
        ("Node, `csv-parse` and `BatchWrite`, 8 in flight", [*node, PEERS / "batch-write.mjs"], rows),
        ("Node, `csv-parse` and `UpdateItem` a row, 8 in flight", [*node, PEERS / "update-item.mjs"], few),
    ]
    lines = []
    for case, name, command, of_rows, first in [
        *(("first load", name, command, of_rows, False) for name, command, of_rows in loads),
        ("nothing changed", "Python, the users read first, and compared", [*python, PEERS / "diff.py"], rows, True),
    ]:
        with null_cloud(tools / "null-cloud") as endpoint:
            place = null_place(endpoint)
            deliver(place, people_file(tools, of_rows, None, work))
            if first:
                run_script(command, place)
            counts(endpoint)
            cost = run_script(command, place)
            written = counts(endpoint)["tables"].get(place.users_table, {}).get("written", 0)
        if written != (0 if first else of_rows):
            raise Wrong(f"{name} wrote {written} users of {of_rows}")
        lines.append(line(case, name, of_rows, cost))
        say(f"{name}: {lines[-1]['cpu_us_a_row']:.0f} µs of CPU a row")
    ours = measure_size([function], tools, rows, work, say)[:2]
    lines += [
        {key: run[key] for key in ("case", "rows", "cpu_us_a_row", "peak_bytes")}
        | {"name": "`process-upload`", "rows_a_second": rows / run["wall_seconds"]}
        for run in ours
    ]
    return lines


def line(case: str, name: str, rows: int, cost: Cost) -> dict:
    return {
        "case": case,
        "name": name,
        "rows": rows,
        "cpu_us_a_row": cost.cpu_seconds * 1e6 / rows,
        "rows_a_second": rows / cost.wall_seconds,
        "peak_bytes": cost.peak_bytes,
    }


def run_script(command: list[str | Path], place: Place) -> Cost:
    environment = {"PATH": os.environ["PATH"], "AWS_DEFAULT_REGION": REGION, "NODE_NO_WARNINGS": "1"} | place.environment()
    since = time.monotonic()
    process = subprocess.Popen(command, env=environment)
    peak = 0
    while True:
        # Waited for without being reaped: what it cost is told once, and its memory only while it is there.
        ended = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if ended is not None:
            break
        try:
            peak = max(peak, peak_bytes(process.pid))
        except (OSError, Wrong):
            continue
        time.sleep(0.05)
    wall = time.monotonic() - since
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise Wrong(f"this failed: {' '.join(str(part) for part in command)}")
    return Cost(usage.ru_utime + usage.ru_stime, wall, peak)
