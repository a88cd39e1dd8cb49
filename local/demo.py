"""The story of one portal on the local cloud: set up, mapped, a file dropped, watched, reported, dropped again,
and dropped once more with a joiner, a change and a leaver.

Started by cloud.py, with the Python that has boto3. What happens, happens through the API with tokens and
through an S3 client; only for the summary are the users counted in their table.
"""

import csv
import io
import json
import sys
import time
import urllib.error
import urllib.request

import boto3

from cloud import ROOT, STACK, Failure

EVENTS = ROOT / "events"
FILE = EVENTS / "people.csv"
WAIT_SECONDS = 120
FINAL = {"completed", "completed_with_problems", "rejected", "failed"}


def main() -> int:
    try:
        tell(json.loads(STACK.read_text()))
    except Failure as failure:
        print(f"error: {failure}", file=sys.stderr)
        return 1
    return 0


def tell(stack: dict) -> None:
    portal = stack["portal_id"]
    api = Api(stack)

    heading(f"An operator sets portal {portal} up; its administrator authorises the feed and maps the columns")
    settings = json.loads((EVENTS / "people.portal.json").read_text())
    api.call("PUT", "", "operator", settings)
    authorisation = api.call("PUT", "/feed/authorisation", "administrator")
    mapping = api.call("PUT", "/feed/mapping", "administrator", json.loads((EVENTS / "people.mapping.json").read_text()))
    print(f"  {settings['name']}, authorised at {authorisation['authorised_at']}, mapping version {mapping['version']}:")
    for line in mapping["fields"]:
        print(f"    {line['column']:<20} -> {line['field']}")

    before = count_users(stack)
    people = FILE.read_bytes()
    first = drop(stack, api, "people.csv", people)
    show_counts(first)
    show_problems(first)
    show_report(api, first)
    users, created = count_users(stack), first["rows"]["created"]
    print(f"\n  {users} users are in the table {stack['outputs']['UsersTableName']}, partitions {portal}#0 to {portal}#f.")
    if users != before + created:
        raise Failure(f"{created} users were counted as created, and there were {before} before")

    again = drop(stack, api, "people-next-night.csv", people)
    show_counts(again)
    rows = again["rows"]
    if rows["created"] or rows["updated"] or first["rows"]["total"] != rows["total"]:
        raise Failure("the same file again should have changed nobody")
    print("\n  The same file again changed nobody.")

    third = drop(stack, api, "people-third-night.csv", one_night_later(people))
    show_counts(third)
    show_report(api, third, ["created", "updated", "disabled"])
    print("\nThat was the whole story. `make up` starts a local cloud that stays; `make demo` then leaves this portal in it.")


def one_night_later(people: bytes) -> bytes:
    """The sample file, where somebody has joined, one has another job, and one has left."""
    rows = list(csv.reader(io.StringIO(people.decode("utf-8-sig"), newline="")))
    header, staff = rows[0], [row for row in rows[1:] if any(row)]
    email, surname = header.index("Work E-mail"), header.index("Surname")
    title, status = header.index("Job Title"), header.index("Employment Status")
    active = [row for row in staff if len(row) == len(header) and row[status] == "1" and "@" in row[email]]
    active[1][title] = "Head of " + (active[1][title] or "everything")
    active[2][status] = "0"
    joiner = list(active[0])
    joiner[email], joiner[surname] = "new.joiner@northwind.example", "Joiner"
    text = io.StringIO(newline="")
    csv.writer(text).writerows([header, *staff, joiner])
    return text.getvalue().encode()


def drop(stack: dict, api: "Api", name: str, people: bytes) -> dict:
    """Uploads a file as a customer would, and watches the history until it is processed."""
    bucket, key = stack["outputs"]["FeedBucketName"], f"{stack['portal_id']}/{name}"
    heading(f"The HR system drops a file at s3://{bucket}/{key}")
    seen = {upload["upload_id"] for upload in api.call("GET", "/uploads", "administrator")["items"]}
    client(stack, "s3").upload_fileobj(io.BytesIO(people), bucket, key)
    deadline, shown = time.monotonic() + WAIT_SECONDS, ""
    while time.monotonic() < deadline:
        uploads = api.call("GET", "/uploads", "administrator")["items"]
        upload = next((upload for upload in uploads if upload["upload_id"] not in seen), None)
        if upload:
            progress = f"  {upload['progress_percent']:3} %  {upload['status']}"
            if progress != shown:
                print(progress, flush=True)
                shown = progress
            if upload["status"] in FINAL:
                return upload
        time.sleep(0.05)
    raise Failure(f"the file was not processed within {WAIT_SECONDS} seconds; see target/local/cloud.log")


def show_counts(upload: dict) -> None:
    rows = upload["rows"]
    print(f"\n  {rows['total']} rows: " + ", ".join(
        f"{count} {outcome.replace('_', ' ')}" for outcome, count in rows.items() if outcome != "total"
    ))


def show_problems(upload: dict) -> None:
    print("\n  What was wrong, in plain words:")
    for problem in upload["problems"]:
        print(f"    [{problem['code']}] {problem['message'][:150]}")


def show_report(api: "Api", upload: dict, outcomes: list[str] | None = None) -> None:
    """The report's first lines, or those with these outcomes."""
    link = api.call("GET", f"/uploads/{upload['upload_id']}/report", "administrator")
    with urllib.request.urlopen(link["url"]) as answer:
        lines = list(csv.reader(io.TextIOWrapper(answer, "utf-8", newline="")))
    shown = lines[:6] if outcomes is None else [line for line in lines if line[2] in outcomes]
    print(f"\n  The report has {len(lines) - 1} lines, one for everything that happened; {'it begins' if outcomes is None else 'among them'}:")
    for line in shown:
        print("    " + ",".join(line))
    print(f"  A link to it works until {link['expires_at']}.")


def count_users(stack: dict) -> int:
    query = client(stack, "dynamodb").get_paginator("query")
    count = 0
    for shard in "0123456789abcdef":
        pages = query.paginate(
            TableName=stack["outputs"]["UsersTableName"],
            Select="COUNT",
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": f"{stack['portal_id']}#{shard}"}},
        )
        count += sum(page["Count"] for page in pages)
    return count


def heading(text: str) -> None:
    print(f"\n== {text}", flush=True)


def client(stack: dict, service: str):
    return boto3.client(service, endpoint_url=stack["endpoint"], region_name=stack["region"],
                        aws_access_key_id=stack["access_key_id"], aws_secret_access_key=stack["secret_access_key"])  # fmt: skip


class Api:
    """The API of the stack, for one portal."""

    def __init__(self, stack: dict):
        self.base = f"{stack['outputs']['ApiUrl']}/portals/{stack['portal_id']}"
        self.tokens = stack["tokens"]

    def call(self, method: str, path: str, role: str, body: object = None) -> dict:
        request = urllib.request.Request(self.base + path, method=method)
        request.add_header("Authorization", f"Bearer {self.tokens[role]}")
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, data) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as refusal:
            raise Failure(f"{method} {path or '/'} was answered {refusal.code}: {refusal.read().decode()}") from None


if __name__ == "__main__":
    sys.exit(main())
