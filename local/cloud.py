"""The local cloud: `up` starts it, and a fake Xero beside it, and deploys the stack to it, `down` ends both and removes
their traces; `demo`, `demo-xero`, `test`, `ask` and `chaos` run against it, and end it again if they had to start it.
`redrive` is an operator's, and is about a stack on AWS if it is told which.

Needs nothing but Python 3.10 and cargo: the cloud and the tools are installed into virtual environments of their
own below target/local. What needs those tools, building and deploying, is in deploy.py beside this file.
"""

import filecmp
import hashlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
# Everything that make up leaves: make down removes it all but the environments, which are a cache of downloads.
LOCAL = ROOT / "target" / "local"
CLOUD_VENV = LOCAL / "venv-cloud"
TOOLS_VENV = LOCAL / "venv-tools"
TMP = LOCAL / "tmp"
LOG = LOCAL / "cloud.log"
# The fake Xero. It runs from here, by which it is known to be ours, and whatever is built meanwhile.
XERO = LOCAL / "fake-xero"
XERO_LOG = LOCAL / "xero.log"
# The process and the port of the running cloud, and of the fake Xero.
PROCESS = LOCAL / "cloud.json"
STACK = LOCAL / "stack.json"
# The environment of functions that run outside the cloud.
FUNCTIONS_ENV = LOCAL / "functions.env"

STACK_NAME = "go1-user-feed"
REGION = "us-east-1"
START_SECONDS = 60
STOP_SECONDS = 10


class Failure(Exception):
    """Something that the person at the terminal can act on: shown without a traceback."""


def say(text: str, since: float) -> None:
    print(f"[{time.monotonic() - since:4.0f}s] {text}", flush=True)


def main() -> int:
    commands = {
        "up": up, "down": down, "ready": ready, "demo": demo, "demo-xero": demo_xero, "test": test, "ask": ask,
        "chaos": chaos, "redrive": redrive,
    }  # fmt: skip
    if len(sys.argv) != 2 or sys.argv[1] not in commands:
        print(f"usage: {sys.argv[0]} {'|'.join(commands)}", file=sys.stderr)
        return 2
    try:
        return commands[sys.argv[1]]()
    except Failure as failure:
        print(f"error: {failure}", file=sys.stderr)
        return 1


def up() -> int:
    since = time.monotonic()
    LOCAL.mkdir(parents=True, exist_ok=True)
    if install(CLOUD_VENV, HERE / "requirements-cloud.txt", since):
        end_processes()
    install(TOOLS_VENV, HERE / "requirements-tools.txt", since)
    say("Building the fake Xero", since)
    built = build_xero()

    port = running()
    if port is None:
        end_processes()
        port = wanted_port() or free_port()
        say(f"Starting the local cloud on port {port}", since)
        start(port)
    else:
        say(f"The local cloud is up already, on port {port}", since)
    xero = running_xero(built)
    if xero is None:
        xero = start_xero(built)
        say(f"The fake Xero is up, on port {xero}", since)

    deploy = [TOOLS_VENV / "bin" / "python", HERE / "deploy.py", endpoint(port), endpoint(xero), str(since)]
    return subprocess.run(deploy, cwd=ROOT, env=client_environment(port)).returncode


def down() -> int:
    clear()
    print("The local cloud is down")
    return 0


def clear() -> None:
    end_processes()
    if LOCAL.is_dir():
        for entry in LOCAL.iterdir():
            if entry in (CLOUD_VENV, TOOLS_VENV):
                continue
            if entry.is_dir():
                shutil.rmtree(entry)
            else:
                entry.unlink()


def ready() -> int:
    """Says by its exit code alone whether there is a stack to talk to."""
    return 0 if STACK.is_file() and running() is not None else 1


def demo() -> int:
    return visit([[TOOLS_VENV / "bin" / "python", HERE / "demo.py"]])


def demo_xero() -> int:
    return visit([[TOOLS_VENV / "bin" / "python", HERE / "demo_xero.py"]])


def test() -> int:
    samples = [TOOLS_VENV / "bin" / "python", HERE / "samples.py"]
    make = ["make", "--no-print-directory"]
    return visit([["sam", "validate"], samples, ask_api(), [*make, "end-to-end"], [*make, "page-test"]])


def chaos() -> int:
    """The tests that break things, with as many runs as CHAOS_RUNS says, or with many."""
    os.environ.setdefault("CHAOS_RUNS", "200")
    return visit([["cargo", "test", "--workspace", "--locked", "--test", "chaos", "--", "--nocapture"]])


def ask() -> int:
    """The API, by schemathesis, with as many examples as ASK_EXAMPLES says, or with many."""
    os.environ.setdefault("ASK_EXAMPLES", "200")
    return visit([ask_api()])


def ask_api() -> list[str | Path]:
    return [TOOLS_VENV / "bin" / "python", HERE / "ask.py"]


def redrive() -> int:
    """Of the local cloud of this folder; with STACK, of the stack of that name that the caller's AWS is set up for."""
    stack = os.environ.get("STACK")
    if stack is None:
        port = running()
        if port is None or not STACK.is_file():
            raise Failure("the local cloud is not up; `make redrive STACK=<name>` is about a stack on AWS")
        stack, environment = STACK_NAME, client_environment(port)
    elif stack.strip():
        LOCAL.mkdir(parents=True, exist_ok=True)
        install(TOOLS_VENV, HERE / "requirements-tools.txt", time.monotonic())
        environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    else:
        raise Failure("STACK is empty: `make redrive STACK=<name>` is about a stack on AWS")
    command = [TOOLS_VENV / "bin" / "python", HERE / "redrive.py", stack]
    return subprocess.run(command, cwd=ROOT, env=environment).returncode


def visit(commands: list[list[str | Path]]) -> int:
    """Runs the commands, until one fails, against the stack as it is in this folder now."""
    was_up = running() is not None
    outcome = 1
    try:
        if up() != 0:
            return outcome
        port = (read_process() or {}).get("port")
        if port is None:
            raise Failure("the local cloud is gone")
        for command in commands:
            if subprocess.run(command, cwd=ROOT, env=client_environment(port)).returncode != 0:
                return outcome
        outcome = 0
        return outcome
    finally:
        if not was_up:
            # After a failure the logs are what somebody wants to see.
            clear() if outcome == 0 else end_processes()


# ---------------------------------------------------------------- Virtual environments


def install(venv: Path, requirements: Path, since: float) -> bool:
    """Makes the environment anew, and says so, unless it holds exactly these requirements, for this Python."""
    wanted = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()
    stamp = venv / "installed"
    if stamp.is_file() and stamp.read_text() == wanted:
        return False
    say(f"Installing {requirements.relative_to(ROOT)}", since)
    run([sys.executable, "-m", "venv", "--clear", venv])
    run([venv / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check", "-r", requirements])
    stamp.write_text(wanted)
    return True


def run(command: list[str | Path]) -> None:
    if subprocess.run(command, cwd=ROOT).returncode != 0:
        raise Failure(f"this failed: {' '.join(str(part) for part in command)}")


# ---------------------------------------------------------------- The process


def endpoint(port: int) -> str:
    # An address, not a name: clients then name the bucket in the path instead of the host.
    return f"http://127.0.0.1:{port}"


def wanted_port() -> int | None:
    wanted = os.environ.get("PORT", "")
    if not wanted:
        return None
    if not (wanted.isascii() and wanted.isdecimal() and 1 <= int(wanted) <= 65535):
        raise Failure(f"PORT is {wanted}: not a port")
    if is_taken(int(wanted)):
        raise Failure(f"port {wanted} is taken; choose another by PORT, or leave it out")
    return int(wanted)


def is_taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(port: int) -> None:
    TMP.mkdir(exist_ok=True)
    environment = plain_environment() | {
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "127.0.0.1",
        "MINISTACK_REGION": REGION,
        # Signatures and IAM policies are checked as on AWS.
        "AUTH": "true",
        # A listener of its own, on a port of its own, for a service that is not in use here.
        "IOT_MTLS_ENABLED": "0",
        # Functions inherit this, and so find their way back.
        "AWS_ENDPOINT_URL": endpoint(port),
        # It makes these directories even when it keeps nothing.
        "STATE_DIR": str(TMP / "state"),
        "S3_DATA_DIR": str(TMP / "s3"),
        "TMPDIR": str(TMP),
    }
    with LOG.open("wb") as log:
        # A session of its own: it outlives this command, and it ends together with its functions.
        process = subprocess.Popen(
            [CLOUD_VENV / "bin" / "ministack"],
            cwd=LOCAL,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    PROCESS.write_text(json.dumps({"pid": process.pid, "port": port}))
    deadline = time.monotonic() + START_SECONDS
    while not healthy(port, "/_ministack/health"):
        if process.poll() is not None or time.monotonic() > deadline:
            raise Failure(f"the local cloud did not start; see {LOG.relative_to(ROOT)}")
        time.sleep(0.1)


def running() -> int | None:
    """The port of the cloud that this project started, if it is up and well."""
    process = read_process()
    if process and group_is_ours(process["pid"]) and healthy(process["port"], "/_ministack/health"):
        return process["port"]
    return None


def build_xero() -> Path:
    """The executable; where cargo puts it is told by cargo."""
    command = ["cargo", "build", "--workspace", "--bin", "fake-xero", "--locked", "--message-format", "json-render-diagnostics"]
    built = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if built.returncode != 0:
        raise Failure(f"this failed: {' '.join(command)}")
    messages = [json.loads(line) for line in built.stdout.splitlines()]
    return next(Path(message["executable"]) for message in messages if message.get("executable"))


def running_xero(built: Path) -> int | None:
    """The port of the fake Xero that this project started, if it is up, well, and what was built last."""
    process = read_process() or {}
    if "xero_pid" not in process or not group_is_ours(process["xero_pid"]):
        return None
    if not healthy(process["xero_port"], "/fake/health") or not filecmp.cmp(built, XERO, shallow=False):
        return None
    return process["xero_port"]


def start_xero(built: Path) -> int:
    """In the place of one that runs already, if there is one. Whom that one knew is forgotten."""
    process = read_process() or {}
    if "xero_pid" in process:
        end_groups([process["xero_pid"]])
    # Where it was, if it was: the stack knows that address.
    port = process.get("xero_port")
    if port is None or is_taken(port):
        port = free_port()
    XERO.unlink(missing_ok=True)
    shutil.copy2(built, XERO)
    with XERO_LOG.open("wb") as log:
        # A session of its own, as the cloud has.
        fake = subprocess.Popen(
            [XERO, str(port)],
            cwd=LOCAL,
            env=plain_environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    PROCESS.write_text(json.dumps(process | {"xero_pid": fake.pid, "xero_port": port}))
    deadline = time.monotonic() + START_SECONDS
    while not healthy(port, "/fake/health"):
        if fake.poll() is not None or time.monotonic() > deadline:
            raise Failure(f"the fake Xero did not start; see {XERO_LOG.relative_to(ROOT)}")
        time.sleep(0.1)
    return port


def read_process() -> dict[str, int] | None:
    try:
        return json.loads(PROCESS.read_text())
    except FileNotFoundError:
        return None


def healthy(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def end_processes() -> None:
    """Ends the cloud and its functions, which are one process group, and the fake Xero. The stack is gone with them."""
    process = read_process() or {}
    end_groups([process[group] for group in ("pid", "xero_pid") if group in process])
    PROCESS.unlink(missing_ok=True)
    STACK.unlink(missing_ok=True)


def end_groups(groups: list[int]) -> None:
    for ending in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + STOP_SECONDS
        for group in groups:
            if group_is_ours(group):
                os.killpg(group, ending)
        while any(group_is_ours(group) for group in groups) and time.monotonic() < deadline:
            time.sleep(0.1)


def group_is_ours(group: int) -> bool:
    """Whether the group runs what lies in target/local: its number may long belong to somebody else."""
    return any(of == group and str(LOCAL) in command for of, command in processes())


def processes() -> Iterator[tuple[int, str]]:
    """Group and command of every process; by /proc where there is one, since not every Linux has `ps`."""
    proc = Path("/proc")
    if (proc / "self" / "cmdline").is_file():
        for entry in proc.iterdir():
            try:
                if entry.name.isdecimal():
                    yield os.getpgid(int(entry.name)), (entry / "cmdline").read_bytes().decode(errors="replace")
            except (OSError, ValueError):
                continue  # It ended meanwhile.
        return
    listing = subprocess.run(["ps", "-A", "-ww", "-o", "pgid=", "-o", "args="], capture_output=True, text=True, check=True)
    for line in listing.stdout.splitlines():
        group, _, command = line.strip().partition(" ")
        yield int(group), command


# ---------------------------------------------------------------- Environments


def plain_environment() -> dict[str, str]:
    """This environment without anything that points an AWS client at a real account, or through a proxy."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return environment | {
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
    }


def client_environment(port: int) -> dict[str, str]:
    return plain_environment() | {
        "AWS_ENDPOINT_URL": endpoint(port),
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        # The local cloud's root key, which may do everything.
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "PATH": f"{TOOLS_VENV / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "SAM_CLI_TELEMETRY": "0",
        "SAM_CLI_CHECK_VERSION": "0",
    }


if __name__ == "__main__":
    sys.exit(main())
