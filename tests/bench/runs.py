"""Whole runs: first load, a nightly file that changes nothing, one in which 1 of 200 people has changed; at each size."""

import json
import subprocess
from pathlib import Path

from run import Cost, Place, Wrong, check, counts, null_cloud, null_place, put_event, request, run, set_up

# Of so many people one has changed.
NTH = 200
CASES = ("first load", "nothing changed", "0.5 % changed")


# How the function is started.
Command = list[str | Path]


def measure(function: Command, tools: Path, sizes: list[int], work: Path, say) -> list[dict]:
    """A line for each case and size."""
    return [line for rows in sizes for line in measure_size(function, tools, rows, work, say)]


def measure_size(function: Command, tools: Path, rows: int, work: Path, say) -> list[dict]:
    lines = []
    with null_cloud(tools / "null-cloud") as endpoint:
        place = null_place(endpoint)
        set_up(place, people_mapping(tools))
        for case, file, expected in cases(tools, rows, work):
            event = deliver(place, file)
            counts(endpoint)
            cost = run(function, place, event, work / "process-upload.log")
            counted = counts(endpoint)
            check(place, expected)
            line = told(case, rows, file.stat().st_size, cost, counted, place)
            if line["user_writes"] != rows - expected.get("unchanged", 0):
                raise Wrong(f"{line['user_writes']} writes to users of {expected}")
            lines.append(line)
            say(f"{case}, {rows:,} rows: {line['cpu_us_a_row']:.2f} µs of CPU a row, {cost.peak_bytes / 2**20:.0f} MiB")
    return lines


def cases(tools: Path, rows: int, work: Path) -> list[tuple[str, Path, dict[str, int]]]:
    """Each a name, a file, and what is to become of its rows. One follows the other."""
    same, changed = people_file(tools, rows, None, work), people_file(tools, rows, NTH, work)
    changes = -(-rows // NTH)
    return [
        (CASES[0], same, {"created": rows}),
        (CASES[1], same, {"unchanged": rows}),
        (CASES[2], changed, {"updated": changes, "unchanged": rows - changes}),
    ]


def deliver(place: Place, file: Path) -> dict:
    """Puts the file where the portal's customer would."""
    request("PUT", f"{place.endpoint}/{place.feed_bucket}/{place.portal}/people.csv", file.read_bytes())
    return put_event(place, "people.csv", file.stat().st_size)


def told(case: str, rows: int, file_bytes: int, cost: Cost, counted: dict, place: Place) -> dict:
    users = counted["tables"].get(place.users_table, {})
    requests = counted["requests"]
    s3 = ("GetObject", "PutObject", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload")
    batches = requests.get("BatchExecuteStatement", 0)
    writes = users.get("written", 0)
    return {
        "case": case,
        "rows": rows,
        "file_bytes": file_bytes,
        "cpu_seconds": cost.cpu_seconds,
        "cpu_us_a_row": cost.cpu_seconds * 1e6 / rows,
        "wall_seconds": cost.wall_seconds,
        "peak_bytes": cost.peak_bytes,
        "requests": requests,
        "dynamodb_requests": sum(count for name, count in requests.items() if name not in s3),
        "s3_requests": {name: requests[name] for name in s3 if name in requests},
        "tables": counted["tables"],
        "user_writes": writes,
        "users_a_request": writes / batches if batches else None,
    }


def people_mapping(tools: Path) -> dict:
    return json.loads(subprocess.run([tools / "people", "mapping"], check=True, capture_output=True).stdout)


def people_file(tools: Path, rows: int, nth: int | None, work: Path) -> Path:
    path = work / f"people-{rows}-{nth or 'same'}.csv"
    with path.open("wb") as file:
        subprocess.run([tools / "people", str(rows), *([str(nth)] if nth else [])], check=True, stdout=file)
    return path
