"""What a million rows cost on AWS at list prices, from what was measured. Lambda's duration is not measured, it is
estimated: see `seconds`.
"""

from dataclasses import dataclass

# US dollars, us-east-1, first tier, as published in 2025: aws.amazon.com/lambda/pricing (arm64),
# aws.amazon.com/dynamodb/pricing (on demand, halved in November 2024) and aws.amazon.com/s3/pricing (standard).
LAMBDA_GB_SECOND = 0.0000133334
LAMBDA_REQUEST = 0.20 / 1e6
DYNAMODB_WRITE_UNIT = 0.625 / 1e6
DYNAMODB_READ_UNIT = 0.125 / 1e6
S3_PUT = 0.005 / 1000
S3_GET = 0.0004 / 1000

# `process-upload` in template.yaml: 1,769 MB is one processor.
MEMORY_GB = 1769 / 1024
# One of Lambda's is taken to be so many times slower than the one that was measured on.
SLOWER = 2.5
# What a new table on demand takes, of each kind; and what S3 gives one reader.
WRITES_A_SECOND, READS_A_SECOND, S3_BYTES_A_SECOND = 4_000, 12_000, 75e6


@dataclass
class Price:
    """In dollars; and how long it takes."""

    seconds: float
    lambda_: float
    dynamodb: float
    s3: float

    @property
    def total(self) -> float:
        return self.lambda_ + self.dynamodb + self.s3


def of_a_million(run: dict) -> Price:
    times = 1e6 / run["rows"]
    tables = run["tables"].values()
    reads = sum(table["read_units"] for table in tables) * times
    writes = sum(table["write_units"] for table in tables) * times
    index_writes = sum(table["index_write_units"] for table in tables) * times
    gets = run["s3_requests"].get("GetObject", 0)
    puts = sum(run["s3_requests"].values()) - gets
    duration = seconds(run["cpu_seconds"] * times, gets * run["file_bytes"] * times, reads, writes)
    return Price(
        duration,
        duration * MEMORY_GB * LAMBDA_GB_SECOND + LAMBDA_REQUEST,
        (writes + index_writes) * DYNAMODB_WRITE_UNIT + reads * DYNAMODB_READ_UNIT,
        # A file is got as a whole, however long it is; reports are put in parts.
        gets * S3_GET + puts * max(times, 1) * S3_PUT,
    )


def seconds(cpu: float, bytes_from_s3: float, reads: float, writes: float) -> float:
    """Computing and waiting go on side by side: the longer of the two. What is waited for comes one after the other, as
    the file is read, then the roster, then people are written."""
    waiting = bytes_from_s3 / S3_BYTES_A_SECOND + reads / READS_A_SECOND + writes / WRITES_A_SECOND
    return max(cpu * SLOWER, waiting)
