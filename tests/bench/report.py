"""docs/performance.md, and the plots in docs/performance/, from what was measured. What could not be measured is left
out, and said.
"""

from pathlib import Path

import matplotlib

matplotlib.use("svg")
# The same numbers make the same file.
matplotlib.rcParams["svg.hashsalt"] = "bench"
import matplotlib.pyplot as plt  # noqa: E402

import prices  # noqa: E402

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"
MIB = 2**20
CASES = ("first load", "nothing changed", "0.5 % changed")


def write(results: dict) -> None:
    folder = DOCS / "performance"
    folder.mkdir(exist_ok=True)
    sections = [head(results), bars(results)]
    for part, section in (
        ("rows", rows),
        ("runs", lambda measured: runs(measured, folder)),
        ("emulator", emulator),
        ("writes", writes),
        ("reads", reads),
        ("peers", peers),
        ("start", start),
        ("sizes", sizes),
    ):
        if part in results:
            sections.append(section(results[part]["measured"]))
    if "runs" in results:
        sections.append(costs(results["runs"]["measured"]))
    (DOCS / "performance.md").write_text("\n\n".join(sections) + "\n")


def head(results: dict) -> str:
    machine = max((part["machine"] for part in results.values()), key=lambda machine: machine["date"])
    commits = ", ".join(sorted({part["machine"]["commit"] for part in results.values()}))
    busy = ", ".join(f"{part} {of['machine'].get('load', 0):.1f}" for part, of in results.items())
    return f"""# Performance

What the feed costs, measured. This page is made by `make bench`; whoever changes what it says, runs that.

| | |
|---|---|
| machine | {machine["cpus"]} × {machine["processor"]}, {machine["memory_bytes"] / 2**30:.0f} GiB, {machine["system"]} |
| compiler | {machine["rustc"]}; functions as they are deployed: `cargo lambda build --release`, for this machine |
| measured | {machine["date"]}, at {commits}; load before each part: {busy} |

To repeat it, on a clean clone, with what `make test` needs and valgrind:

```
make bench                          # all of it, some 25 minutes on two processors, and as long again where nothing is built
make bench QUICK=1                  # three minutes, once built: no run of a million
make bench PART=rows                # one part: rows, runs, emulator, writes, reads, peers, start or sizes; the others stay as they were
make bench PART=runs ROWS=3000000   # other sizes
make instructions                   # part of `make test`: instructions a row, within 5 % of the committed ones
```

CPU time is that of the function's process alone, user and system, from its start to its end, as the operating system tells it. Servers run in other processes. It grows by a third on a machine that others keep busy; how many processes wanted one of its processors when a part began is said above. Wall time depends on them and on whoever else uses the machine, and is shown for orientation."""


def table(columns: list[str], lines: list[list[str]]) -> str:
    left = ["---"] + ["---:"] * (len(columns) - 1)
    return "\n".join("| " + " | ".join(line) + " |" for line in [columns, left, *lines])


# ---------------------------------------------------------------- The bars


def bars(results: dict) -> str:
    lines = []

    def bar(what: str, limit: str, measured: str, holds: bool) -> None:
        lines.append([what, limit, measured, "yes" if holds else "**no**"])

    if "rows" in results:
        row = results["rows"]["measured"]
        bar("a changed row: read, mapped, checked, fingerprinted", "≤ 1.0 µs", f"{row['scan_ns'] / 1000:.2f} µs", row["scan_ns"] <= 1000)
    if "runs" in results:
        by = {(run["case"], run["rows"]): run for run in results["runs"]["measured"]}
        largest = max(rows for _, rows in by)
        first, same = by[CASES[0], largest], by[CASES[1], largest]
        times = 1e6 / largest
        about = "" if largest == 1_000_000 else f" (from {largest:,} rows)"
        cpu, peak = same["cpu_seconds"] * times, same["peak_bytes"] / MIB
        bar("a million rows that change nothing: CPU", "≤ 4 s", f"{cpu:.1f} s{about}", cpu <= 4)
        bar("… writes to users", "0", f"{same['user_writes']}", same["user_writes"] == 0)
        if not about:
            bar("… peak of memory", "≤ 224 MiB", f"{peak:.0f} MiB", peak <= 224)
        bar("first load: CPU a row", "≤ 15 µs", f"{first['cpu_us_a_row']:.1f} µs", first["cpu_us_a_row"] <= 15)
        bar("… users a request", "≥ 20", f"{first['users_a_request']:.1f}", first["users_a_request"] >= 20)
        worst = max(by.values(), key=lambda run: run["peak_bytes"] / allowed(run))
        bar(
            "memory, at worst", "≤ 64 MiB + 160 bytes a row",
            f"{worst['peak_bytes'] / MIB:.0f} MiB of {allowed(worst) / MIB:.0f} ({worst['case']}, {worst['rows']:,} rows)",
            worst["peak_bytes"] <= allowed(worst),
        )  # fmt: skip
        # The roster's 16 partitions give 3,000 each; the table has grown by then.
        bytes_, reads = 3e6 * same["file_bytes"] / largest, 3e6 / largest * sum(it["read_units"] for it in same["tables"].values())
        waiting = bytes_ / prices.S3_BYTES_A_SECOND + reads / (16 * 3_000)
        seconds = max(3 * cpu * prices.SLOWER, waiting)
        bar("3,000,000 rows read and planned", "≤ 900 s", f"{seconds:.0f} s, by arithmetic", seconds <= 900)
    if "start" in results:
        best = min(results["start"]["measured"]["process-upload"]) / 1000
        bar("start of the process to first question for an event", "≤ 6 ms", f"{best:.1f} ms", best <= 6)
    return "## What is to hold\n\n" + table(["", "bar", "measured", "holds"], lines)


def allowed(run: dict) -> float:
    return 64 * MIB + 160 * run["rows"]


# ---------------------------------------------------------------- Sections


def rows(row: dict) -> str:
    lines = [
        ["read, mapped, checked, fingerprinted", f"{row['scan_ns']:.0f}", f"{row['scan_instructions']:,}"],
        ["split by the `csv` crate alone, into one record that is used again", f"{row['split_ns']:.0f}", f"{row['split_instructions']:,}"],
        ["the one by the other", f"{row['scan_ns'] / row['split_ns']:.2f}", f"{row['scan_instructions'] / row['split_instructions']:.2f}"],
    ]
    return f"""## A row

{row["rows"]:,} rows of {row["bytes_a_row"]:.0f} bytes: 16 columns as HR systems have them, 9 of them mapped, 46 of 100 rows with a cell in quotation marks (`tests/bench/src/people.rs`). The least of several times, in one thread; instructions by callgrind.

{table(["a row", "ns", "instructions"], lines)}"""


def runs(measured: list[dict], folder: Path) -> str:
    lines = [
        [
            run["case"], f"{run['rows']:,}", f"{run['cpu_seconds']:.2f}", f"{run['cpu_us_a_row']:.2f}", f"{run['wall_seconds']:.1f}",
            f"{run['peak_bytes'] / MIB:.0f}", f"{run['dynamodb_requests']:,}", f"{run['dynamodb_requests'] / run['rows']:.4f}",
            f"{units(run, 'read_units'):.4f}", f"{units(run, 'write_units', 'index_write_units'):.4f}", f"{run['user_writes']:,}",
        ]
        for run in measured
    ]  # fmt: skip
    columns = [
        "", "rows", "CPU s", "CPU µs a row", "wall s", "peak MiB", "requests", "requests a row", "read units a row",
        "write units a row", "users written",
    ]  # fmt: skip
    plots = {
        "cpu": ("CPU seconds", lambda run: run["cpu_seconds"]),
        "memory": ("peak of memory, MiB", lambda run: run["peak_bytes"] / MIB),
        "requests": ("requests to DynamoDB", lambda run: run["dynamodb_requests"]),
    }
    for name, (label, value) in plots.items():
        plot(measured, label, value, folder / f"{name}.svg")
    pictures = "\n\n".join(f"![{label} by rows](performance/{name}.svg)" for name, (label, _) in plots.items())
    return f"""## Whole runs

The `process-upload` that is deployed takes one event, reads the file, the roster and whatever it asks for, writes users, plan and report, and ends the upload; that it ended as completed, with exactly the rows that were to be created, updated and unchanged, is checked each time. DynamoDB and S3 are a program of our own (`tests/bench/src/bin/null-cloud`), which answers at once: what is left is what we cost ourselves. Units are computed from the sizes of items by DynamoDB's rules, of tables and indexes together.

{table(columns, lines)}

{pictures}"""


def units(run: dict, *kinds: str) -> float:
    return sum(of[kind] for of in run["tables"].values() for kind in kinds) / run["rows"]


def plot(measured: list[dict], label: str, value, path: Path) -> None:
    figure, axes = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
    for case, marker in zip(CASES, "os^", strict=True):
        points = [(run["rows"], value(run)) for run in measured if run["case"] == case]
        axes.plot(*zip(*points, strict=True), marker=marker, label=case)
    axes.set(xscale="log", yscale="log", xlabel="rows", ylabel=label)
    sizes = sorted({run["rows"] for run in measured})
    axes.set_xticks(sizes, labels=[f"{rows:,}" for rows in sizes])
    axes.set_xticks([], minor=True)
    axes.yaxis.set_major_formatter("{x:g}")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def emulator(measured: list[dict]) -> str:
    lines = [[run["case"], f"{run['rows']:,}", f"{run['cpu_us_a_row']:.2f}", f"{run['wall_seconds']:.1f}"] for run in measured]
    return f"""### Against the local cloud

The same runs, with DynamoDB and S3 of the local cloud instead of the null cloud, as a check on the latter: they end with the same counts. Its answers are slower and come in other pieces, which costs the function a little more.

{table(["", "rows", "CPU µs a row", "wall s"], lines)}"""


def peers(measured: list[dict]) -> str:
    text = ["## What people write otherwise", "", "The same file into the same null cloud, in the same run (`tests/bench/peers`). The scripts have less to do: they check nothing, report nothing, resolve no managers, make nobody inactive, and overwrite whatever was changed elsewhere. Start of interpreter and process included."]
    for case in dict.fromkeys(line["case"] for line in measured):
        of_case = [line for line in measured if line["case"] == case]
        ours = next(line for line in of_case if line["name"] == "`process-upload`")
        lines = [
            [
                line["name"], f"{line['rows']:,}", f"{line['rows_a_second']:,.0f}", f"{line['cpu_us_a_row']:.1f}",
                f"{line['cpu_us_a_row'] / ours['cpu_us_a_row']:.0f} ×" if line is not ours else "1",
            ]
            for line in of_case
        ]  # fmt: skip
        text += ["", table([case, "rows", "rows a second", "CPU µs a row", "CPU, ours = 1"], lines)]
    return "\n".join(text)


def start(measured: dict) -> str:
    lines = [
        [f"`{name}`" if name != "minimal" else "the least that `lambda_runtime` allows (`tests/bench/src/bin/minimal-function.rs`)",
         f"{min(times) / 1000:.2f}", f"{sorted(times)[len(times) // 2] / 1000:.2f}"]
        for name, times in measured.items()
    ]  # fmt: skip
    return f"""## Start

From the start of the process to its first question for an event, {len(measured["minimal"])} times.

{table(["", "least ms", "median ms"], lines)}"""


def sizes(measured: dict) -> str:
    lines = [[f"`{name}`" if name != "minimal" else "the least", f"{size / 1e6:.1f}"] for name, size in measured.items()]
    return f"## Sizes of the binaries\n\n{table(['', 'MB'], lines)}"


WRITES = {
    "statements": "`BatchExecuteStatement`, 25 conditional statements",
    "puts": "`PutItem` with a condition, 200 in flight",
    "updates": "`UpdateItem` with a condition, 200 in flight",
    "unconditional": "`BatchWriteItem`, 25 items, which knows no conditions",
}


def writes(measured: list[dict]) -> str:
    lines = [
        [WRITES[way["way"]], f"{way['cpu_us'] / way['rows']:.1f}", f"{way['requests'] / way['rows']:.2f}",
         f"{(way['counted']['write_units'] + way['counted']['index_write_units']) / way['rows']:.1f}"]
        for way in measured
    ]  # fmt: skip
    return f"""## Ways to write

{measured[0]["rows"]:,} new users of 20 attributes, written in each way by the same SDK (`tests/bench/src/bin/ways.rs`); where users come from is not part of it.

{table(["", "CPU µs a row", "requests a row", "write units a row"], lines)}"""


def reads(measured: list[dict]) -> str:
    lines = [
        [way["way"], f"{way['cpu_us'] / way['rows']:.1f}", f"{way['requests']:,}", f"{way['wall_us'] / 1e6:.2f}"]
        for way in measured
    ]  # fmt: skip
    return f"""## Ways to read

{measured[0]["rows"]:,} users of 16 partitions, by `Query`. What is not said is as the feed has it: what the roster needs, pages as large as DynamoDB makes them, 4 partitions at a time. The null cloud has one thread and no distance; in wall time, less is gained from reading partitions at the same time than over a network.

{table(["", "CPU µs a row", "requests", "wall s"], lines)}"""


def costs(measured: list[dict]) -> str:
    largest = max(run["rows"] for run in measured)
    lines = []
    for run in measured:
        if run["rows"] == largest:
            price = prices.of_a_million(run)
            parts = (price.lambda_, price.dynamodb, price.s3, price.total)
            lines.append([run["case"], f"{price.seconds:.0f}", *(f"{part:.4f}" for part in parts)])
    return f"""## Dollars a million rows

Computed from the runs of {largest:,} rows, at list prices of 2025 in us-east-1 (`tests/bench/prices.py`): Lambda on arm64 with 1,769 MB, tables on demand, S3 standard. Storage, logs and traffic within the region are left out.

{table(["", "Lambda's seconds", "Lambda $", "DynamoDB $", "S3 $", "together $"], lines)}

Lambda's seconds are estimated: the longer of our CPU time × {prices.SLOWER} (one of Lambda's processors is slower than the one above) and of waiting for S3 at {prices.S3_BYTES_A_SECOND / 1e6:.0f} MB a second, and for DynamoDB at what a new table on demand takes, {prices.READS_A_SECOND:,} reads and {prices.WRITES_A_SECOND:,} writes a second. A table that has taken more before takes more, and the run is shorter; what DynamoDB is paid does not depend on it."""
