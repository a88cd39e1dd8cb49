"""The whole runs once more against the local cloud, few rows: a check on the null cloud. Tables and buckets are of their
own there, and no function is deployed: the one that is measured runs here.
"""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
import cloud

from run import REGION, Place, check, put_event, run, set_up
from runs import cases, people_mapping


def measure(function: Path, tools: Path, rows: int, work: Path, say) -> list[dict]:
    """A line for each case."""
    lines = []
    with local_cloud() as endpoint:
        clients = {"endpoint_url": endpoint, "region_name": REGION, "aws_access_key_id": "test", "aws_secret_access_key": "test"}
        s3, dynamodb = boto3.client("s3", **clients), boto3.client("dynamodb", **clients)
        place = make_place(endpoint, s3, dynamodb)
        ask = lambda operation, body: {"Query": dynamodb.query, "PutItem": dynamodb.put_item}[operation](**body)  # noqa: E731
        set_up(place, people_mapping(tools), ask)
        for case, file, expected in cases(tools, rows, work):
            s3.put_object(Bucket=place.feed_bucket, Key=f"{place.portal}/people.csv", Body=file.read_bytes())
            head = s3.head_object(Bucket=place.feed_bucket, Key=f"{place.portal}/people.csv")
            event = put_event(place, "people.csv", file.stat().st_size, head.get("VersionId"), head["ETag"].strip('"'))
            cost = run([function], place, event, work / "process-upload.log")
            check(place, expected, ask)
            lines.append({
                "case": case,
                "rows": rows,
                "cpu_us_a_row": cost.cpu_seconds * 1e6 / rows,
                "wall_seconds": cost.wall_seconds,
            })  # fmt: skip
            say(f"{case}, local cloud, {rows:,} rows: {lines[-1]['cpu_us_a_row']:.2f} µs of CPU a row")
    return lines


@contextmanager
def local_cloud() -> Iterator[str]:
    """Its endpoint. It is ended again if it had to be started."""
    port, was_up = cloud.running(), True
    if port is None:
        was_up = False
        cloud.LOCAL.mkdir(parents=True, exist_ok=True)
        cloud.install(cloud.CLOUD_VENV, cloud.HERE / "requirements-cloud.txt", 0)
        port = cloud.free_port()
        cloud.start(port)
    try:
        yield cloud.endpoint(port)
    finally:
        if not was_up:
            cloud.end_processes()


def make_place(endpoint: str, s3, dynamodb) -> Place:
    """As template.yaml has it, as far as a run sees."""
    name = f"bench-{uuid.uuid4().hex[:8]}"
    place = Place(endpoint, "1001", f"{name}-users", f"{name}-feed", f"{name}-files", f"{name}-reports")
    for table, index, keys in (
        (place.users_table, "by_email", ("email_key", "portal_id")),
        (place.feed_table, "work", ("work_shard", "due_at")),
    ):
        dynamodb.create_table(
            TableName=table,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in ("pk", "sk", *keys)],
            KeySchema=schema("pk", "sk"),
            GlobalSecondaryIndexes=[
                {"IndexName": index, "KeySchema": schema(*keys), "Projection": {"ProjectionType": "KEYS_ONLY"}}
            ],
        )
    for bucket in (place.feed_bucket, place.reports_bucket):
        s3.create_bucket(Bucket=bucket)
    s3.put_bucket_versioning(Bucket=place.feed_bucket, VersioningConfiguration={"Status": "Enabled"})
    return place


def schema(partition: str, sort: str) -> list[dict]:
    return [{"AttributeName": partition, "KeyType": "HASH"}, {"AttributeName": sort, "KeyType": "RANGE"}]
