"""One file through the real function: the binary that is deployed, an event, and a cloud in another process.

The function's Lambda is here: a Runtime API that hands over one event. What a run cost is told by the operating system,
of the function's process alone.
"""

import json
import os
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

REGION = "us-east-1"
# As long as an invocation may last.
TIMEOUT_SECONDS = 900
FUNCTION_NAME = "bench-process-upload"


# A call of DynamoDB: operation and request.
Ask = Callable[[str, dict], dict]


class Wrong(Exception):
    """What was measured is not what was to be measured: shown without a traceback."""


@dataclass
class Place:
    """Where a portal's tables and buckets are, and how they are called."""

    endpoint: str
    portal: str
    users_table: str
    feed_table: str
    feed_bucket: str
    reports_bucket: str

    def environment(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_EC2_METADATA_DISABLED": "true",
            "FEED_BUCKET": self.feed_bucket,
            "REPORTS_BUCKET": self.reports_bucket,
            "USERS_TABLE": self.users_table,
            "FEED_TABLE": self.feed_table,
            "MAX_FILE_BYTES": str(2 * 1024**3),
        }


@dataclass
class Cost:
    """Of a process, from its start to its end; wall time from the event to the answer."""

    cpu_seconds: float
    wall_seconds: float
    peak_bytes: int


# ---------------------------------------------------------------- The null cloud


@contextmanager
def null_cloud(binary: Path) -> Iterator[str]:
    """Its endpoint."""
    process = subprocess.Popen([binary], stdout=subprocess.PIPE, text=True)
    try:
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
    finally:
        process.kill()
        process.wait()


def request(method: str, url: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> bytes:
    asked = urllib.request.Request(url, data=body, method=method, headers=headers or {})
    with urllib.request.urlopen(asked, timeout=60) as answer:
        return answer.read()


def asker(place: Place) -> Ask:
    """For the null cloud, which looks at no signatures."""

    def ask(operation: str, body: dict) -> dict:
        headers = {"x-amz-target": f"DynamoDB_20120810.{operation}", "content-type": "application/x-amz-json-1.0"}
        return json.loads(request("POST", place.endpoint, json.dumps(body).encode(), headers))

    return ask


def counts(endpoint: str) -> dict:
    """What the null cloud was asked since the last time."""
    return json.loads(request("GET", f"{endpoint}/_bench/counts"))


def null_place(endpoint: str) -> Place:
    """In the null cloud, where every name is good."""
    return Place(endpoint, "1001", "users", "feed", "feed-bucket", "reports-bucket")


def set_up(place: Place, mapping: dict, ask: Ask | None = None) -> None:
    """A portal that is authorised and mapped: its items as `configure-feed` writes them."""
    ask = ask or asker(place)
    now = stamp()

    def put(sk: str, item: dict) -> None:
        item = typed({"pk": place.portal, "sk": sk} | item)["M"]
        ask("PutItem", {"TableName": place.feed_table, "Item": item})

    standard = {"email", "first_name", "last_name", "manager"}
    custom = [field["field"] for field in mapping["fields"] if field["field"] not in standard]
    put("PORTAL", {
        "name": "A company",
        "country": "AU",
        "external_id_enabled": False,
        "custom_fields": [{"name": name, "label": name} for name in custom],
        "groups": [],
        "authorised_by": "administrator@customer.example.com",
        "authorised_at": now,
        "last_mapping_version": 1,
        "revision": 2,
    })  # fmt: skip
    for key in ("MAPPING", "MAPPING#1"):
        put(key, mapping | {"version": 1, "created_at": now})


def typed(value: object) -> dict:
    match value:
        case bool():
            return {"BOOL": value}
        case int():
            return {"N": str(value)}
        case str():
            return {"S": value}
        case list():
            return {"L": [typed(part) for part in value]}
        case dict():
            return {"M": {name: typed(part) for name, part in value.items()}}
    raise TypeError(type(value))


def stamp() -> str:
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


# ---------------------------------------------------------------- A run


def put_event(place: Place, key: str, size: int, version: str | None = None, etag: str = "0") -> dict:
    """The event of an object that was put just now, as S3 sends it. A version of its own, unless one is named."""
    nanoseconds = time.time_ns()
    return {"Records": [{
        "eventVersion": "2.6",
        "eventSource": "aws:s3",
        "awsRegion": REGION,
        "eventTime": stamp(),
        "eventName": "ObjectCreated:Put",
        "userIdentity": {"principalId": "EXAMPLE"},
        "requestParameters": {"sourceIPAddress": "127.0.0.1"},
        "responseElements": {},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "bench",
            "bucket": {"name": place.feed_bucket, "ownerIdentity": {"principalId": "EXAMPLE"}, "arn": "arn:aws:s3:::bench"},
            "object": {
                "key": f"{place.portal}/{key}",
                "size": size,
                "eTag": etag,
                "versionId": version or f"v{nanoseconds}",
                "sequencer": f"{nanoseconds:018X}",
            },
        },
    }]}  # fmt: skip


class RuntimeApi:
    """Lambda's Runtime API, for one process and one event. Asking for another event means that it is done."""

    def __init__(self, event: dict) -> None:
        self.event = json.dumps(event).encode()
        self.delivered_at: float | None = None
        self.answered_at: float | None = None
        self.error: str | None = None
        self.done = threading.Event()
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                if api.delivered_at is not None:
                    api.done.set()
                    threading.Event().wait(TIMEOUT_SECONDS)
                    return
                deadline = int((time.time() + TIMEOUT_SECONDS) * 1000)
                self.answer(200, api.event, {
                    "Lambda-Runtime-Aws-Request-Id": "00000000-0000-4000-8000-000000000000",
                    "Lambda-Runtime-Deadline-Ms": str(deadline),
                    "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:000000000000:function:bench",
                    "Lambda-Runtime-Trace-Id": "Root=1-00000000-000000000000000000000000;Sampled=0",
                })  # fmt: skip
                api.delivered_at = time.monotonic()

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                api.answered_at = time.monotonic()
                if self.path.endswith("/error"):
                    api.error = body.decode(errors="replace")
                self.answer(202, b'{"status":"OK"}', {})

            def answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
                self.send_response(status)
                for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server.server_address[1]}"


def run(command: list[str | Path], place: Place, event: dict, log: Path) -> Cost:
    """Gives the event to a process of its own, which ends when it asks for another."""
    api = RuntimeApi(event)
    environment = {"PATH": os.environ["PATH"]} | place.environment() | {
        "AWS_LAMBDA_RUNTIME_API": api.address,
        "AWS_LAMBDA_FUNCTION_NAME": FUNCTION_NAME,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1769",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_LOG_GROUP_NAME": "bench",
        "AWS_LAMBDA_LOG_STREAM_NAME": "bench",
    }  # fmt: skip
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)
    try:
        while not api.done.wait(0.05):
            if process.poll() is not None:
                raise Wrong(f"the function ended by itself; see {log}")
        peak = peak_bytes(process.pid)
    finally:
        api.server.shutdown()
        if process.returncode is None:
            process.terminate()
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
    if api.error is not None:
        raise Wrong(f"the function failed: {api.error}; see {log}")
    return Cost(usage.ru_utime + usage.ru_stime, api.answered_at - api.delivered_at, peak)


def peak_bytes(pid: int) -> int:
    # Not `ru_maxrss`, which begins with what the process had before it became another program: Python's own.
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise Wrong("this system does not tell the peak of a process's memory")


def newest_upload(place: Place, ask: Ask) -> dict:
    """The upload record that was written last."""
    answer = ask("Query", {
        "TableName": place.feed_table,
        "ConsistentRead": True,
        "KeyConditionExpression": "#pk = :pk AND begins_with(#sk, :prefix)",
        "ExpressionAttributeNames": {"#pk": "pk", "#sk": "sk"},
        "ExpressionAttributeValues": {":pk": {"S": place.portal}, ":prefix": {"S": "UPLOAD#"}},
    })  # fmt: skip
    return plain({"M": max(answer["Items"], key=lambda item: item["sk"]["S"])})


def plain(value: dict) -> object:
    [(kind, inner)] = value.items()
    match kind:
        case "M":
            return {name: plain(part) for name, part in inner.items()}
        case "L":
            return [plain(part) for part in inner]
        case "N":
            return float(inner) if "." in inner else int(inner)
    return inner


def check(place: Place, expected: dict[str, int], ask: Ask | None = None) -> None:
    """The record of the newest upload, which must have ended well and with these rows and no others."""
    record = newest_upload(place, ask or asker(place))
    rows = {name: count for name, count in record["rows"].items() if count}
    if record["status"] != "completed" or rows != expected | {"total": sum(expected.values())}:
        raise Wrong(f"the upload ended as {record['status']} with {rows}, not with {expected}: {record['problems'][:2]}")
