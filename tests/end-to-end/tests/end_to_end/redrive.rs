//! `make redrive`: what Lambda gave up is given to the function again, by an operator. Other tests run
//! meanwhile and have the same queue, so only messages of this test's own are looked at.

use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;
use end_to_end::{Portal, Stack};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Lambda repeats after one and two seconds here, and a machine may be busy.
const PATIENCE: Duration = Duration::from_secs(60);

const PEOPLE: &str = "Email,First,Last,Status,Job,Site\n\
                      ann@x.example,Ann,Lee,1,Cook,Perth\n\
                      bob@x.example,Bob,Lee,1,Cook,Perth\n";

/// One test, because two would take each other's messages.
#[tokio::test]
async fn events_that_lambda_gave_up_are_repeated_and_everything_else_stays_in_the_queue() {
    let portal = Portal::ready().await;
    let stack = &portal.stack;

    // An event that fails however often it is repeated.
    let mut elsewhere: Value =
        serde_json::from_str(include_str!("../../../../events/process-upload.json")).unwrap();
    elsewhere["Records"][0]["s3"]["bucket"]["name"] = "somebody-elses".into();
    elsewhere["Records"][0]["s3"]["object"]["key"] = format!("{}/elsewhere.csv", portal.id).into();
    stack
        .lambda()
        .invoke()
        .function_name(stack.output("ProcessUploadFunctionName"))
        .invocation_type(InvocationType::Event)
        .payload(Blob::new(elsewhere.to_string()))
        .send()
        .await
        .unwrap();

    // An event that failed before anything of its file was stored.
    let lost = portal.upload("people.csv", PEOPLE).await;
    assert_eq!(lost.rows("created"), 2);
    let event = portal.put_event(lost.key()).await;
    for user in portal.users().await.values() {
        portal.forget(user).await;
    }
    portal.forget_uploads().await;
    assert_eq!(
        (portal.uploads().await, portal.users().await.len()),
        (vec![], 0)
    );
    let given_up = send(stack, &record_of(stack, &event)).await;

    // And what is no such record, with an address as anything might have.
    let foreign = send(stack, &format!("{}: ann@x.example", portal.id)).await;

    let failed = message_about(&portal, &elsewhere, None).await;
    let body: Value = serde_json::from_str(&queue(stack).await[&failed]).unwrap();
    assert_eq!(body["requestPayload"], elsewhere);
    assert_eq!(body["requestContext"]["condition"], "RetriesExhausted");
    assert_eq!(body["requestContext"]["approximateInvokeCount"], 3);

    let (went_well, shown) = stack.redrive(&stack_name(stack));
    assert!(went_well, "{shown}");
    assert!(shown.contains("Repeated "), "{shown}");
    assert!(
        shown.contains(&format!(
            "Not a record of a failed event: message {foreign}\n"
        )),
        "{shown}"
    );
    for never in ["x.example", "people.csv", "elsewhere", portal.id.as_str()] {
        assert!(!shown.contains(never), "{never} in {shown}");
    }

    let left = queue(stack).await;
    assert!(!left.contains_key(&given_up), "its event was repeated");
    assert!(!left.contains_key(&failed), "its event was repeated");
    assert!(left.contains_key(&foreign), "it says nothing to repeat");

    let upload = portal.processed(lost.key(), 1).await;
    assert_eq!((upload.status(), upload.rows("created")), ("completed", 2));
    assert_eq!(portal.users().await.len(), 2);

    // What fails again is there again, once, as a message of its own; the next redrive is for that one.
    let again = message_about(&portal, &elsewhere, Some(&failed)).await;
    assert_eq!(about(&portal, &elsewhere).await, [again.as_str()]);

    // The same file's event once more, as when the command was broken off before the message was gone.
    send(stack, &record_of(stack, &event)).await;
    let (went_well, shown) = stack.redrive(&stack_name(stack));
    assert!(went_well, "{shown}");
    let twice = message_about(&portal, &elsewhere, Some(&again)).await;
    assert_eq!(portal.uploads().await, [upload.record]);

    for id in [foreign, twice] {
        delete(stack, &id).await;
    }
}

#[tokio::test]
async fn whoever_names_no_stack_of_ours_is_told_so() {
    let stack = Stack::running();
    let (went_well, shown) = stack.redrive("nobodys-stack");
    assert!(!went_well);
    assert_eq!(
        shown,
        "error: there is no stack nobodys-stack in us-east-1 of this account\n"
    );
}

/// The dashboard is named after the stack.
fn stack_name(stack: &Stack) -> String {
    stack.output("DashboardName")
}

/// What Lambda puts into the queue (AWS Lambda Developer Guide, "Capturing records of Lambda asynchronous
/// invocations").
fn record_of(stack: &Stack, event: &Value) -> String {
    let function = stack.output("ProcessUploadFunctionName");
    json!({
        "version": "1.0",
        "timestamp": "2026-11-22T18:20:00.000Z",
        "requestContext": {
            "requestId": "e4b46cbf-b738-4c8a-a0d5-1d9b7ccf0f5b",
            "functionArn": format!("arn:aws:lambda:us-east-1:000000000000:function:{function}:$LATEST"),
            "condition": "RetriesExhausted",
            "approximateInvokeCount": 3,
        },
        "requestPayload": event,
        "responseContext": {
            "statusCode": 200,
            "executedVersion": "$LATEST",
            "functionError": "Unhandled",
        },
        "responsePayload": {"errorType": "CallFailed", "errorMessage": "could not claim the upload"},
    })
    .to_string()
}

/// Puts a message into the on-failure queue; its id.
async fn send(stack: &Stack, body: &str) -> String {
    let request = stack
        .sqs()
        .send_message()
        .queue_url(stack.output("OnFailureQueueUrl"))
        .message_body(body);
    request.send().await.unwrap().message_id.unwrap()
}

/// Every message in the on-failure queue by its id; they stay where they are.
async fn queue(stack: &Stack) -> BTreeMap<String, String> {
    let received = receive_all(stack).await;
    received
        .into_iter()
        .map(|(id, (_, body))| (id, body))
        .collect()
}

async fn delete(stack: &Stack, id: &str) {
    let (receipt, _) = receive_all(stack).await.remove(id).unwrap();
    let request = stack
        .sqs()
        .delete_message()
        .queue_url(stack.output("OnFailureQueueUrl"));
    request.receipt_handle(receipt).send().await.unwrap();
}

/// Receipt and body of every message by its id. All are visible again at the end.
async fn receive_all(stack: &Stack) -> BTreeMap<String, (String, String)> {
    let (sqs, url) = (stack.sqs(), stack.output("OnFailureQueueUrl"));
    let mut all = BTreeMap::new();
    loop {
        let request = sqs.receive_message().queue_url(&url);
        let answer = request
            .max_number_of_messages(10)
            .visibility_timeout(30)
            .send()
            .await
            .unwrap();
        let messages = answer.messages.unwrap_or_default();
        if messages.is_empty() {
            break;
        }
        for message in messages {
            all.insert(
                message.message_id.unwrap(),
                (message.receipt_handle.unwrap(), message.body.unwrap()),
            );
        }
    }
    for (receipt, _) in all.values() {
        sqs.change_message_visibility()
            .queue_url(&url)
            .receipt_handle(receipt)
            .visibility_timeout(0)
            .send()
            .await
            .unwrap();
    }
    all
}

/// The messages whose event this is.
async fn about(portal: &Portal, event: &Value) -> Vec<String> {
    let messages = queue(&portal.stack).await;
    messages
        .into_iter()
        .filter(|(_, body)| {
            serde_json::from_str(body).is_ok_and(|record: Value| record["requestPayload"] == *event)
        })
        .map(|(id, _)| id)
        .collect()
}

/// Waits for a message whose event this is, other than the one that was there before.
async fn message_about(portal: &Portal, event: &Value, before: Option<&str>) -> String {
    let begun = Instant::now();
    loop {
        let messages = about(portal, event).await;
        if let Some(id) = messages.into_iter().find(|id| before != Some(id)) {
            return id;
        }
        assert!(begun.elapsed() < PATIENCE, "the event is not in the queue");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
