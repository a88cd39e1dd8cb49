"""What the scripts in Python share: where the file is, and what of a row is stored. Not how: each has its own way."""

import codecs
import csv
import os
from collections.abc import Iterator

import boto3

PORTAL = "1001"
FIELDS = {
    "email": "Work Email",
    "first_name": "First Name",
    "last_name": "Last Name",
    "manager": "Manager Email",
    "employee_id": "Employee ID",
    "job_title": "Job Title",
    "department": "Department",
    "location": "Location",
    "hire_date": "Hire Date",
}

dynamodb = boto3.resource("dynamodb")
table = dynamodb.Table(os.environ["USERS_TABLE"])


def rows() -> Iterator[dict[str, str]]:
    body = boto3.client("s3").get_object(Bucket=os.environ["FEED_BUCKET"], Key=f"{PORTAL}/people.csv")["Body"]
    return csv.DictReader(codecs.getreader("utf-8")(body))


def values(row: dict[str, str]) -> dict[str, str]:
    return {field: row[column].strip() for field, column in FIELDS.items()}


def key(user: dict[str, str]) -> dict[str, str]:
    return {"pk": PORTAL, "sk": user["email"].lower()}
