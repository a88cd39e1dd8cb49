"""Every function under `cargo lambda watch`, invoked with its sample event: what README promises of one function.

Started by cloud.py, with the tools on the path, while the stack is up. The events are those of events/; the
functions talk to the running local cloud by target/local/functions.env.
"""

import json
import socket
import subprocess
import sys
import time

from cloud import FUNCTIONS_ENV, LOCAL, ROOT, Failure, free_port

LOG = LOCAL / "watch.log"
START_SECONDS = 300
EXPECTED = {
    "configure-feed": lambda answer: is_of_portal(answer),
    "upload-history": lambda answer: is_of_portal(answer),
    "regenerate-credentials": lambda answer: is_of_portal(answer) or code_of(answer) == "no_credentials",
    "manage-users": lambda answer: is_of_portal(answer),
    "import-xero": lambda answer: is_of_portal(answer),
    "serve-portal": lambda answer: answer["statusCode"] == 200 and "/portal/\" />" in answer["body"],
    # Nothing of portal 1001 is to be erased.
    "erase-data": lambda answer: answer is None,
    # The sample's object does not exist, so the upload is rejected, for one reason or another: the function works.
    "process-upload": lambda answer: answer is None,
}


def main() -> int:
    port = free_port()
    with LOG.open("wb") as log:
        watch = subprocess.Popen(
            ["cargo", "lambda", "watch", "--ignore-changes", "--env-file", FUNCTIONS_ENV, "--invoke-port", str(port)],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_for(port, watch)
        for function, is_expected in EXPECTED.items():
            answer = invoke(function, port)
            if not is_expected(answer):
                raise Failure(f"{function} answered its sample event with {json.dumps(answer)[:400]}")
            print(f"cargo lambda invoke {function}: as expected")
    except Failure as failure:
        print(f"error: {failure}; see {LOG.relative_to(ROOT)}", file=sys.stderr)
        return 1
    finally:
        watch.terminate()
        try:
            watch.wait(10)
        except subprocess.TimeoutExpired:
            watch.kill()
            watch.wait()
    return 0


def is_of_portal(answer: dict) -> bool:
    """Portal 1001 may be set up or not by the time; both are answers of a function that works."""
    return answer["statusCode"] == 200 or code_of(answer) == "portal_not_found"


def code_of(answer: dict) -> str | None:
    return json.loads(answer["body"]).get("code")


def wait_for(port: int, watch: subprocess.Popen) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and watch.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    raise Failure("cargo lambda watch did not start")


def invoke(function: str, port: int) -> object:
    command = ["cargo", "lambda", "invoke", function, "--data-file", f"events/{function}.json", "--invoke-port", str(port)]
    try:
        outcome = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=START_SECONDS)
    except subprocess.TimeoutExpired:
        raise Failure(f"{function} did not answer") from None
    if outcome.returncode != 0:
        raise Failure(f"{function} failed: {outcome.stderr.strip()[:400]}")
    return json.loads(outcome.stdout) if outcome.stdout.strip() else None


if __name__ == "__main__":
    sys.exit(main())
