"""Instructions a row, counted by callgrind, beside those that are committed: a slow-down is seen where time cannot be
measured. `UPDATE_BASELINE=1` accepts what is counted now.

Needs valgrind. Counts depend on the compiler, which rust-toolchain.toml pins, and on the processor's kind, for each of
which there is a line.
"""

import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BASELINE = HERE / "instructions.json"
# Not where functions are built for deployment: cargo-lambda chooses the processor, and each would undo the other's work.
TARGET = ROOT / "target" / "bench" / "build"
# A difference that is taken for chance.
TOLERANCE = 0.05
# What is done once a file, not once a row, falls out of the difference between the two.
FEW, MANY = 2_000, 12_000
WHAT = {"scan": "read, mapped, checked and fingerprinted", "split": "split by the csv crate"}


def main() -> int:
    counted = count(build(), ROOT / "target" / "bench")
    machine = platform.machine()
    known = json.loads(BASELINE.read_text()) if BASELINE.is_file() else {}
    if os.environ.get("UPDATE_BASELINE"):
        BASELINE.write_text(json.dumps(known | {machine: counted}, indent=2, sort_keys=True) + "\n")
        print(f"{BASELINE.relative_to(ROOT)} says what is counted now: {counted}")
        return 0
    if machine not in known:
        print(f"no instructions were ever counted on {machine}: not compared")
        return 0
    worse = False
    for what, now in counted.items():
        before = known[machine][what]
        change = now / before - 1
        print(f"a row {WHAT[what]}: {now:,} instructions, {change:+.1%} of {before:,}")
        worse |= abs(change) > TOLERANCE
    if worse:
        print(
            "error: that is another cost than the committed one. If it is meant to be: UPDATE_BASELINE=1 make instructions",
            file=sys.stderr,
        )
    return int(worse)


def build() -> Path:
    """Where `rows` and `people` are, built as functions are."""
    names = ["people", "rows"]
    command = ["cargo", "build", "--release", "--locked", "--package", "bench", "--no-default-features"]
    command += ["--target-dir", TARGET, *(part for name in names for part in ("--bin", name))]
    built = subprocess.run(
        [*command, "--message-format", "json-render-diagnostics"], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    )
    messages = [json.loads(line) for line in built.stdout.splitlines()]
    return next(Path(message["executable"]).parent for message in messages if message.get("executable"))


def count(tools: Path, work: Path) -> dict[str, int]:
    work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=work) as folder:
        files = {}
        for rows in (FEW, MANY):
            files[rows] = Path(folder) / f"{rows}.csv"
            with files[rows].open("wb") as file:
                subprocess.run([tools / "people", str(rows)], check=True, stdout=file)
        of = {what: {rows: instructions([tools / "rows", what, file]) for rows, file in files.items()} for what in WHAT}
    return {what: round((by[MANY] - by[FEW]) / (MANY - FEW)) for what, by in of.items()}


def instructions(command: list[str | Path]) -> int:
    valgrind = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    ran = subprocess.run([*valgrind, *command], stderr=subprocess.PIPE, text=True)
    collected = re.search(r"Collected : (\d+)", ran.stderr)
    if ran.returncode != 0 or not collected:
        sys.exit(f"error: valgrind did not count:\n{ran.stderr}")
    return int(collected[1])


if __name__ == "__main__":
    sys.exit(main())
