"""Asks the API everything that openapi.yaml allows, and much that it does not, by schemathesis: no answer may be a 5xx,
of a status, a type or a form that the document does not name, and what the document forbids has to be refused.

Started by cloud.py, with the tools on the path, while the stack is up. ASK_EXAMPLES says how many requests by chance
there are about each route, after those that the document itself suggests; ASK_SEED draws others. It asks as an operator
and as the administrator of one portal, which is set up for this, has people, and has files that were processed, held
and rejected: most requests get behind the 404s.
"""

import json
import os
import subprocess
import sys
import time
import urllib.request

import boto3

from cloud import LOCAL, ROOT, STACK, Failure
from deploy import make_accounts

SCHEMATHESIS = ROOT / "local" / "schemathesis.toml"
DOCUMENT = ROOT / "openapi.yaml"
EXAMPLES = "8"
WAIT_SECONDS = 120

SETTINGS = {
    "name": "Asked company",
    "country": "AU",
    "external_id_enabled": True,
    "custom_fields": [{"name": "job", "label": "Job"}],
    "groups": [{"id": 7, "name": "Sales", "learning_ids": [1, 2]}],
}
COLUMNS = {"email": "Email", "first_name": "First", "last_name": "Last", "group": "Group", "job": "Job"}
MAPPING = {
    "columns": list(COLUMNS.values()),
    "fields": [{"field": field, "column": column} for field, column in COLUMNS.items()],
    "auto_disable": True,
}
PEOPLE = [f"p{n}@asked.example,Pat,Number {n},7,Cook" for n in range(8)]
FILES = {
    "everybody.csv": [*PEOPLE, "no address,Pat,Nobody,,"],
    # More than half are missing, so their disables are held.
    "three.csv": PEOPLE[:3],
    "nobody.txt": [],
}


class Portal:
    """The one that is asked about: set up, mapped, and fed with FILES."""

    def __init__(self, stack: dict, nth: int = 0) -> None:
        self.stack = stack
        self.operator = stack["tokens"]["operator"]
        # One of its own each time: schemathesis leaves nothing as it was.
        self.id = str(200_000_000_000 + time.time_ns() // 1_000_000 % 100_000_000_000 + nth)

    def call(self, method: str, path: str, body: object = None) -> dict:
        url = f"{self.stack['outputs']['ApiUrl']}/portals/{self.id}{path}"
        headers = {"Authorization": f"Bearer {self.operator}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read() or b"null")

    def set_up(self) -> None:
        self.call("PUT", "", SETTINGS)
        self.call("PUT", "/feed/authorisation")
        self.call("PUT", "/feed/mapping", MAPPING)
        self.call("POST", "/feed/credentials")
        header = ",".join(MAPPING["columns"])
        for name, rows in FILES.items():
            bytes_ = "\n".join([header, *rows, ""]).encode()
            key = f"{self.id}/{name}"
            boto3.client("s3").put_object(Bucket=self.stack["outputs"]["FeedBucketName"], Key=key, Body=bytes_)
            self.wait_for(name)

    def wait_for(self, name: str) -> None:
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline:
            uploads = self.call("GET", "/uploads")["items"]
            if any(it["file_name"] == name and it.get("finished_at") for it in uploads):
                return
            time.sleep(0.2)
        raise Failure(f"{name} was not processed")

    def uploads(self) -> dict[str, str]:
        return {it["file_name"]: it["upload_id"] for it in self.call("GET", "/uploads")["items"]}

    def users(self) -> list[str]:
        return [user["user_id"] for user in self.call("GET", "/users")["items"]]

    def administrator(self) -> str:
        """The ID token of an administrator of the portal."""
        outputs = self.stack["outputs"]
        account = {"email": f"administrator@{self.id}.example", "custom:portal_id": self.id}
        tokens, _ = make_accounts(outputs["UserPoolId"], outputs["UserPoolClientId"], {"administrator": account})
        return tokens["administrator"]


def main() -> int:
    chance = ["--max-examples", os.environ.get("ASK_EXAMPLES", EXAMPLES)]
    if seed := os.environ.get("ASK_SEED"):
        chance += ["--seed", seed]
    try:
        portal = Portal(json.loads(STACK.read_text()))
        portal.set_up()
        given_up = Portal(portal.stack, 1)
        given_up.call("PUT", "", SETTINGS)
        uploads = portal.uploads()
        user, erased, *_ = portal.users()
        # The administrator first: the operator may set the portal up anew.
        given = {
            "PORTAL_ID": portal.id,
            "UPLOAD_ID": uploads["three.csv"],
            "UPLOAD_WITH_REJECTED_ROWS": uploads["everybody.csv"],
            "USER_ID": user,
            "USER_TO_ERASE": erased,
            "PORTAL_TO_GIVE_UP": given_up.id,
        }
        asked = [
            ("administrator", portal.administrator(), ["--exclude-tag", "Operators"]),
            ("operator", portal.operator, ["--include-tag", "Operators"]),
        ]
        for role, token, which in asked:
            if not ask(portal.stack, role, given | {"TOKEN": token}, [*which, *chance]):
                raise Failure(f"openapi.yaml and what the API does for an {role} differ; a line above says how to repeat it")
    except Failure as failure:
        print(f"error: {failure}", file=sys.stderr)
        return 1
    return 0


def ask(stack: dict, role: str, given: dict[str, str], options: list[str]) -> bool:
    print(f"Asking as an {role}", flush=True)
    command = ["schemathesis", "--config-file", SCHEMATHESIS, "run", DOCUMENT]
    command += ["--url", stack["outputs"]["ApiUrl"], "--no-color", *options]
    # It remembers what it has found; a run is to be the same each time.
    command += ["--generation-database", "none"]
    return subprocess.run(command, cwd=LOCAL, env=os.environ | given).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
