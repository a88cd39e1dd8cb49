"""Gives process-upload the events once more that Lambda gave up: the messages of a stack's on-failure queue.

Started by cloud.py, with the Python that has boto3: `redrive.py <stack>`. Which cloud the stack is in, and
who asks, follows from the environment, as for every AWS client. docs/runbook.md says when to do it.

A message goes only after Lambda has accepted its event, so nothing is lost if this is broken off; at worst an
event comes twice, and process-upload recognises what was done. What is in a message is never printed: it
names a customer's files.
"""

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from email.utils import parsedate_to_datetime

import boto3
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError

from cloud import Failure

# The most that SQS hands out in one go.
BATCH = 10
# Asking with a wait asks all of SQS's servers; without, an answer may be empty though there are messages.
WAIT_SECONDS = 2
# Nobody else gets a message for so long; ten events are repeated in much less.
HIDDEN_SECONDS = 300
# A queue that fills as fast as it is read would otherwise never come to an end.
FRUITLESS_BATCHES = 3


def main() -> int:
    if len(sys.argv) != 2:
        print(f"usage: {sys.argv[0]} <stack>", file=sys.stderr)
        return 2
    try:
        redrive(sys.argv[1])
    except Failure as failure:
        print(f"error: {failure}", file=sys.stderr)
        return 1
    except (BotoCoreError, ClientError) as error:
        print(f"error: {in_words(error)}", file=sys.stderr)
        return 1
    return 0


def redrive(stack: str) -> None:
    # The AWS CLI and the other SDKs go by AWS_REGION, boto3 does not.
    session = boto3.Session(region_name=os.environ.get("AWS_REGION"))
    queue, function = find(session, stack)
    functions = session.client("lambda")
    messages = Messages(session.client("sqs"), queue)
    repeated, no_records, at_end = 0, [], False
    try:
        for message in messages.sent_before():
            event = original_event(message["Body"])
            if event is None:
                no_records.append(message["MessageId"])
                continue
            answer = functions.invoke(
                FunctionName=function,
                InvocationType="Event",
                Payload=json.dumps(event, separators=(",", ":")),
            )
            if answer["StatusCode"] != 202:
                raise Failure(f"Lambda answered {answer['StatusCode']} to an event, not 202")
            messages.delete(message)
            repeated += 1
        at_end = True
    finally:
        # After a failure too: some may have been repeated, and the others are to be seen again at once.
        print(f"Repeated {counted(repeated, 'event')}.")
        if at_end:
            tell_what_is_left(messages, no_records)
        else:
            print("Then it was broken off. What it did not come to is still in the queue.", flush=True)
        messages.give_back()


def tell_what_is_left(messages: "Messages", no_records: list[str]) -> None:
    print(f"Left {counted(len(messages.held), 'message')} in the queue.")
    for message_id in no_records:
        print(f"  Not a record of a failed event: message {message_id}")
    if newer := len(messages.held.keys() - set(no_records)):
        print(f"  Came after this command had begun: {newer}")
    if messages.with_others:
        print(f"Somebody else had received about {counted(messages.with_others, 'message')} when this began.")


class Messages:
    """The messages of a queue as they were when this began."""

    def __init__(self, sqs, queue: str) -> None:
        self.sqs, self.queue = sqs, queue
        answer = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["ApproximateNumberOfMessagesNotVisible"])
        self.with_others = int(answer["Attributes"]["ApproximateNumberOfMessagesNotVisible"])
        # By the queue's clock, which says only seconds. What this brings about comes after that.
        self.begun = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"]).timestamp() + 1
        time.sleep(1)
        # What was received and not deleted, with the receipts for giving it back.
        self.held: dict[str, str] = {}

    def sent_before(self) -> Iterator[dict]:
        """Each message once that was sent before this began. An event that fails again comes as a new one."""
        seen, fruitless = set(), 0
        while fruitless < FRUITLESS_BATCHES:
            batch = self.receive()
            if not batch:
                return
            self.held |= {message["MessageId"]: message["ReceiptHandle"] for message in batch}
            wanted = [
                message
                for message in batch
                if message["MessageId"] not in seen
                and int(message["Attributes"]["SentTimestamp"]) < self.begun * 1000
            ]
            fruitless = 0 if wanted else fruitless + 1
            seen.update(message["MessageId"] for message in wanted)
            yield from wanted

    def receive(self) -> list[dict]:
        answer = self.sqs.receive_message(
            QueueUrl=self.queue,
            MaxNumberOfMessages=BATCH,
            VisibilityTimeout=HIDDEN_SECONDS,
            WaitTimeSeconds=WAIT_SECONDS,
            MessageSystemAttributeNames=["SentTimestamp"],
        )
        return answer.get("Messages", [])

    def delete(self, message: dict) -> None:
        self.sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
        del self.held[message["MessageId"]]

    def give_back(self) -> None:
        for receipt in self.held.values():
            # If it cannot be given back now, it will be there again by itself.
            with suppress(BotoCoreError, ClientError):
                self.sqs.change_message_visibility(QueueUrl=self.queue, ReceiptHandle=receipt, VisibilityTimeout=0)


def original_event(body: str) -> object:
    """What the function was invoked with, by Lambda's record of a failed asynchronous invocation; or None.

    What the function answered is not in every record: an event that waited for too long never reached it.
    """
    try:
        record = json.loads(body)
    except ValueError:
        return None
    if isinstance(record, dict) and isinstance(record.get("requestContext"), dict):
        return record.get("requestPayload")
    return None


def find(session: boto3.Session, stack: str) -> tuple[str, str]:
    """The stack's queue and function. Says where they are before anything is done to them."""
    cloudformation = session.client("cloudformation")
    region = cloudformation.meta.region_name
    try:
        found = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationError":
            raise
        raise Failure(f"there is no stack {stack} in {region} of this account") from None
    outputs = {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}
    try:
        queue, function = outputs["OnFailureQueueUrl"], outputs["ProcessUploadFunctionName"]
    except KeyError as missing:
        raise Failure(f"the stack {stack} has no output {missing.args[0]}: it is not a stack of this project") from None
    account = found["StackId"].split(":")[4]
    print(f"The on-failure queue of the stack {stack}, in {region} of account {account}:", flush=True)
    return queue, function


def in_words(error: BotoCoreError | ClientError) -> str:
    if isinstance(error, NoCredentialsError):
        return "there are no AWS credentials; choose them as for the AWS CLI, by AWS_PROFILE for example"
    if isinstance(error, NoRegionError):
        return "no AWS region is chosen; choose it as for the AWS CLI, by AWS_REGION for example"
    if isinstance(error, ClientError):
        refusal = error.response["Error"]
        return f"AWS refused {error.operation_name}: {refusal.get('Code')}: {refusal.get('Message')}"
    return str(error)


def counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


if __name__ == "__main__":
    sys.exit(main())
