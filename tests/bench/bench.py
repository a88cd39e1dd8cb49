"""`make bench`: measures, and writes docs/performance.md. `make bench PART=rows` measures one part and keeps what was
measured of the others; ROWS=10000,100000 chooses the sizes of whole runs, QUICK=1 takes three minutes.

Needs what `make test` needs, and valgrind. Everything it makes is below target/bench.
"""

import json
import os
import platform
import subprocess
import sys
import time
from datetime import datetime, timezone
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
WORK = ROOT / "target" / "bench"
VENV = WORK / "venv"
RESULTS = WORK / "results.json"
# Functions as they are deployed (template.yaml), for the machine itself.
FUNCTIONS = WORK / "lambda"
STARTS = 25

sys.path.insert(0, str(ROOT / "local"))
import cloud  # noqa: E402

SINCE = time.monotonic()


def say(text: str) -> None:
    cloud.say(text, SINCE)


def main() -> int:
    quick = bool(os.environ.get("QUICK"))
    sizes = [int(rows) for rows in os.environ.get("ROWS", "10000,100000" if quick else "10000,100000,1000000").split(",")]
    parts = {"rows": rows, "runs": runs, "emulator": emulator, "start": start, "sizes": binary_sizes, "peers": peers, "writes": writes, "reads": reads}
    wanted = [os.environ["PART"]] if os.environ.get("PART") else list(parts)
    if not set(wanted) <= {*parts, "profile"}:
        print(f"error: PART is one of {', '.join(parts)}, profile", file=sys.stderr)
        return 2
    WORK.mkdir(parents=True, exist_ok=True)
    cloud.install(VENV, HERE / "requirements.txt", SINCE)
    if Path(sys.prefix) != VENV:
        os.execv(VENV / "bin" / "python", [VENV / "bin" / "python", __file__])
    from run import Wrong

    try:
        tools = build_tools(with_ways=bool({"writes", "reads"} & {*wanted}))
        build_functions(all_of_them="sizes" in wanted)
        if wanted == ["profile"]:
            profile(tools, sizes, quick)
            return 0
        for part in wanted:
            keep(part, {"machine": machine(), "sizes": sizes, "measured": parts[part](tools, sizes, quick)})
    except (Wrong, cloud.Failure) as wrong:
        print(f"error: {wrong}", file=sys.stderr)
        return 1
    import report

    report.write(kept())
    say("docs/performance.md says what was measured")
    return 0


def kept() -> dict:
    """What was measured last of each part."""
    return json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}


def keep(part: str, measured: dict) -> None:
    # Read anew: measuring takes long, and somebody may have measured another part meanwhile.
    RESULTS.write_text(json.dumps(kept() | {part: measured}, indent=2))


def machine() -> dict:
    """What it was measured on, and what."""
    model = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")),
        platform.processor(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    git = lambda *what: subprocess.run(["git", *what], cwd=ROOT, capture_output=True, text=True).stdout.strip()  # noqa: E731
    return {
        "processor": model,
        "cpus": os.cpu_count(),
        "memory_bytes": memory,
        "system": f"{platform.system()} {platform.release()}",
        "rustc": subprocess.run(["rustc", "--version"], cwd=ROOT, capture_output=True, text=True).stdout.strip(),
        "python": platform.python_version(),
        # As it was before: who else was at work, of whom CPU time suffers too.
        "load": os.getloadavg()[0],
        "date": datetime.now(timezone.utc).date().isoformat(),
        "commit": git("rev-parse", "--short=12", "HEAD") + ("+" if git("status", "--porcelain", "--", ":!docs") else ""),
    }


# ---------------------------------------------------------------- Building


def build_tools(with_ways: bool) -> Path:
    """The programs of this folder, built as the functions are; where they lie."""
    say("Building the benchmarks")
    import instructions

    # The SDK is built for minutes: only where it is measured.
    features = ["--features", "ways"] if with_ways else []
    run_or_fail(["cargo", "build", "--release", "--locked", "--package", "bench", *features, "--target-dir", instructions.TARGET])
    host = subprocess.run(["rustc", "-vV"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    triple = next(line.split()[1] for line in host.splitlines() if line.startswith("host:"))
    return instructions.TARGET / triple / "release"


def build_functions(all_of_them: bool) -> None:
    """As they are deployed: what SAM runs is this, for the machine that the functions are to run on."""
    say("Building the functions")
    cloud.install(cloud.TOOLS_VENV, cloud.HERE / "requirements-tools.txt", SINCE)
    # By name: the tests have binaries too.
    names = sorted(path.name for path in (ROOT / "functions").iterdir()) if all_of_them else ["process-upload"]
    only = [part for name in names for part in ("--bin", name)]
    lambda_ = cloud.TOOLS_VENV / "bin" / "cargo-lambda"
    run_or_fail([lambda_, "lambda", "build", "--release", "--locked", "--compiler", "cargo", "--lambda-dir", FUNCTIONS, *only])


def run_or_fail(command: list[str | Path]) -> None:
    if subprocess.run(command, cwd=ROOT).returncode != 0:
        raise cloud.Failure(f"this failed: {' '.join(str(part) for part in command)}")


def function(name: str) -> Path:
    return FUNCTIONS / name / "bootstrap"


# ---------------------------------------------------------------- Parts


def rows(tools: Path, _sizes: list[int], quick: bool) -> dict:
    import instructions
    from runs import people_file

    file = people_file(tools, 100_000, None, WORK)
    command = [tools / "rows", "time", file, "5" if quick else "15"]
    timed = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    counted = instructions.count(tools, WORK)
    say(f"a row: {timed['scan_ns']:.0f} ns, {counted['scan']:,} instructions")
    return timed | {f"{what}_instructions": count for what, count in counted.items()}


def runs(tools: Path, sizes: list[int], _quick: bool) -> list[dict]:
    from runs import measure

    return measure([function("process-upload")], tools, sizes, WORK, say)


def writes(tools: Path, _sizes: list[int], quick: bool) -> list[dict]:
    return ways(tools, "writes", 10_000 if quick else 50_000)


def reads(tools: Path, _sizes: list[int], quick: bool) -> list[dict]:
    return ways(tools, "reads", 20_000 if quick else 100_000)


def ways(tools: Path, what: str, rows: int) -> list[dict]:
    from run import REGION, counts, null_cloud, null_place

    with null_cloud(tools / "null-cloud") as endpoint:
        environment = null_place(endpoint).environment() | {"AWS_DEFAULT_REGION": REGION}
        asked = subprocess.run([tools / "ways", what, str(rows)], env=environment, check=True, capture_output=True, timeout=600)
        tables = counts(endpoint)["tables"]
    measured = [way | {"counted": tables.get(way["way"], {})} for way in json.loads(asked.stdout)]
    for way in measured:
        say(f"{way['way']}: {way['cpu_us'] / rows:.1f} µs of CPU a row, {way['requests']:,} requests")
    return measured


def profile(tools: Path, sizes: list[int], _quick: bool) -> None:
    from runs import measure

    for path in WORK.glob("callgrind.*"):
        path.unlink()
    # One file for each run, in their order.
    command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={WORK}/callgrind.%p", function("process-upload")]
    measure(command, tools, sizes[:1], WORK, say)
    for path in sorted(WORK.glob("callgrind.*"), key=lambda path: path.stat().st_mtime):
        say(f"callgrind_annotate {path.relative_to(ROOT)}")


def emulator(tools: Path, sizes: list[int], _quick: bool) -> list[dict]:
    from emulator import measure

    return measure(function("process-upload"), tools, min(sizes), WORK, say)


def start(tools: Path, _sizes: list[int], _quick: bool) -> dict:
    from run import null_place

    # Nobody is called before the first event.
    environment = null_place("http://127.0.0.1:9").environment() | {"AWS_LAMBDA_FUNCTION_NAME": "bench", "AWS_LAMBDA_FUNCTION_VERSION": "1"}
    environment |= {"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1769", "AWS_LAMBDA_LOG_GROUP_NAME": "b", "AWS_LAMBDA_LOG_STREAM_NAME": "b"}
    measured = {}
    for name, binary in {"process-upload": function("process-upload"), "minimal": tools / "minimal-function"}.items():
        command = [tools / "start", str(STARTS), binary]
        started = subprocess.run(command, env=environment, check=True, capture_output=True, timeout=60)
        measured[name] = json.loads(started.stdout)
        say(f"{name} asks for its first event after {min(measured[name]) / 1000:.2f} ms at best")
    return measured


def binary_sizes(tools: Path, _sizes: list[int], _quick: bool) -> dict:
    measured = {folder.name: (folder / "bootstrap").stat().st_size for folder in sorted(FUNCTIONS.iterdir())}
    return measured | {"minimal": (tools / "minimal-function").stat().st_size}


def peers(tools: Path, sizes: list[int], quick: bool) -> list[dict]:
    from peer_runs import measure

    return measure(function("process-upload"), tools, WORK, 10_000 if quick else min(max(sizes), 100_000), say)


if __name__ == "__main__":
    sys.exit(main())
