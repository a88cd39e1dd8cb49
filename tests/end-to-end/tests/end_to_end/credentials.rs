//! The key pair of a portal, issued by the API and used as a customer uses it: by a real S3 client.

use aws_sdk_s3::Client;
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use end_to_end::{Answer, Portal};
use serde_json::Value;
use std::collections::BTreeSet;

const FILE: &str = "Email,First,Last,Status,Job,Site\nann@x.example,Ann,Lee,1,Cook,\n";

async fn issue(portal: &Portal) -> Answer {
    portal.call("POST", "/feed/credentials", None).await
}

fn s3(portal: &Portal, issued: &Value) -> Client {
    let text = |name: &str| issued[name].as_str().unwrap().to_owned();
    let config = portal
        .stack
        .config_of(&text("access_key_id"), &text("secret_access_key"));
    Client::new(&config)
}

async fn can_put(portal: &Portal, s3: &Client, key: &str) -> bool {
    let bucket = portal.stack.output("FeedBucketName");
    let put = s3.put_object().bucket(bucket).key(key);
    put.body(FILE.as_bytes().to_vec().into())
        .send()
        .await
        .is_ok()
}

#[tokio::test]
async fn the_first_upload_is_made_with_the_key_pair_that_was_issued() {
    let portal = Portal::ready().await;
    let none = portal.call("GET", "/feed/credentials", None).await;
    assert_eq!(none.refused(404).0, "no_credentials");
    let issued = issue(&portal).await.expect(201);
    let bucket = portal.stack.output("FeedBucketName");
    assert_eq!(issued["bucket"], bucket);
    assert_eq!(issued["prefix"], format!("{}/", portal.id));
    assert_eq!(
        issued["bucket_path"],
        format!("s3://{bucket}/{}/", portal.id)
    );
    let key = format!("{}/people.csv", portal.id);
    assert!(can_put(&portal, &s3(&portal, &issued), &key).await);
    let upload = portal.processed(&key, 1).await;
    assert_eq!((upload.status(), upload.rows("created")), ("completed", 1));

    let shown = portal
        .call("GET", "/feed/credentials", None)
        .await
        .expect(200);
    assert_eq!(shown["access_key_id"], issued["access_key_id"]);
    assert_eq!(shown["created_at"], issued["created_at"]);
    assert!(shown.get("secret_access_key").is_none());

    // Regenerated: the old one is refused, and the new one works.
    let again = issue(&portal).await.expect(201);
    assert_ne!(again["access_key_id"], issued["access_key_id"]);
    assert!(!can_put(&portal, &s3(&portal, &issued), &key).await);
    assert!(can_put(&portal, &s3(&portal, &again), &key).await);

    // The portal has taken one of the users that the account may have, and that was counted.
    let counted = |logs: &str| logs.contains("\"iam_users_percent\":");
    portal.stack.logs_with(counted).await;

    // The secret is in its answer and nowhere else.
    let secret = again["secret_access_key"].as_str().unwrap();
    assert!(!portal.stack.logs().await.contains(secret));
    let items = portal
        .stack
        .dynamodb()
        .query()
        .table_name(portal.stack.output("FeedTableName"))
        .key_condition_expression("pk = :pk")
        .expression_attribute_values(
            ":pk",
            aws_sdk_dynamodb::types::AttributeValue::S(portal.id.clone()),
        );
    let items = items.send().await.unwrap();
    assert!(!format!("{:?}", items.items()).contains(secret));
}

#[tokio::test]
async fn a_client_with_a_window_finds_the_folder_before_anything_was_put_there() {
    let portal = Portal::ready().await;
    let listed = async |issued: &Value| {
        let list = s3(&portal, issued).list_objects_v2();
        let list = list.bucket(portal.stack.output("FeedBucketName"));
        let list = list.prefix(format!("{}/", portal.id)).delimiter("/");
        let listed = list.send().await.unwrap();
        let found = listed.contents().iter();
        found
            .map(|it| (it.key().unwrap().to_owned(), it.size().unwrap()))
            .collect::<Vec<_>>()
    };
    let folder = [(format!("{}/", portal.id), 0)];
    let issued = issue(&portal).await.expect(201);
    assert_eq!(listed(&issued).await, folder);
    let again = issue(&portal).await.expect(201);
    assert_eq!(listed(&again).await, folder);
    let s3 = portal.stack.s3();
    let versions = s3.list_object_versions().prefix(&folder[0].0);
    let versions = versions.bucket(portal.stack.output("FeedBucketName"));
    let versions = versions.send().await.unwrap();
    assert_eq!(versions.versions().len(), 1, "made once");
    // And it is no file.
    portal
        .upload("a.csv", "Email,First,Last,Status,Job,Site\n")
        .await;
    let uploads = portal.call("GET", "/uploads", None).await.expect(200);
    assert_eq!(uploads["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_key_pair_puts_and_lists_under_its_own_path_and_does_nothing_else() {
    let (portal, neighbour) = (Portal::ready().await, Portal::ready().await);
    let issued = issue(&portal).await.expect(201);
    let s3 = s3(&portal, &issued);
    let bucket = portal.stack.output("FeedBucketName");
    let own = format!("{}/in-parts.csv", portal.id);

    // In parts, as large files come; one is finished, one aborted.
    let begin = async || {
        let begun = s3.create_multipart_upload().bucket(&bucket).key(&own);
        begun.send().await.unwrap().upload_id.unwrap()
    };
    let upload = begin().await;
    let part = s3
        .upload_part()
        .bucket(&bucket)
        .key(&own)
        .upload_id(&upload)
        .part_number(1)
        .body(FILE.as_bytes().to_vec().into())
        .send()
        .await
        .unwrap();
    let part = CompletedPart::builder()
        .part_number(1)
        .set_e_tag(part.e_tag)
        .build();
    s3.complete_multipart_upload()
        .bucket(&bucket)
        .key(&own)
        .upload_id(&upload)
        .multipart_upload(CompletedMultipartUpload::builder().parts(part).build())
        .send()
        .await
        .unwrap();
    let upload = begin().await;
    let abort = s3.abort_multipart_upload().bucket(&bucket).key(&own);
    abort.upload_id(&upload).send().await.unwrap();
    let list = |prefix: String| s3.list_objects_v2().bucket(&bucket).prefix(prefix).send();
    let listed = list(format!("{}/", portal.id)).await.unwrap();
    let keys: Vec<_> = listed.contents().iter().filter_map(|it| it.key()).collect();
    assert_eq!(keys, [&format!("{}/", portal.id), &own]);

    for key in [
        format!("{}/a.csv", neighbour.id),
        format!("{}0/a.csv", portal.id),
        "a.csv".to_owned(),
    ] {
        assert!(!can_put(&portal, &s3, &key).await, "{key}");
    }
    for prefix in [
        String::new(),
        format!("{}/", neighbour.id),
        portal.id.clone(),
    ] {
        assert!(list(prefix.clone()).await.is_err(), "{prefix}");
    }
    let refused = |code: Option<&str>| assert_eq!(code, Some("AccessDenied"));
    let read = s3.get_object().bucket(&bucket).key(&own).send().await;
    refused(read.unwrap_err().code());
    let delete = s3.delete_object().bucket(&bucket).key(&own).send().await;
    refused(delete.unwrap_err().code());
    let reports = portal.stack.output("ReportsBucketName");
    let put = s3.put_object().bucket(reports).key(&own).send().await;
    refused(put.unwrap_err().code());

    let text = |name: &str| issued[name].as_str().unwrap().to_owned();
    let config = portal
        .stack
        .config_of(&text("access_key_id"), &text("secret_access_key"));
    let table = portal.stack.output("UsersTableName");
    let dynamodb = aws_sdk_dynamodb::Client::new(&config);
    assert!(dynamodb.scan().table_name(table).send().await.is_err());
}

#[tokio::test]
async fn of_ten_who_regenerate_at_once_each_is_told_and_one_key_is_left() {
    let portal = Portal::ready().await;
    let answers = futures_util::future::join_all((0..10).map(|_| issue(&portal))).await;
    let mut issued = Vec::new();
    for answer in answers {
        match answer.status.as_u16() {
            201 => issued.push(answer.expect(201)),
            _ => assert_eq!(answer.refused(409).0, "regeneration_in_progress"),
        }
    }
    assert!(!issued.is_empty());
    let shown = portal
        .call("GET", "/feed/credentials", None)
        .await
        .expect(200);
    let key = format!("{}/a.csv", portal.id);
    let mut working = BTreeSet::new();
    for issued in &issued {
        if can_put(&portal, &s3(&portal, issued), &key).await {
            working.insert(issued["access_key_id"].as_str().unwrap());
        }
    }
    assert_eq!(
        working,
        BTreeSet::from([shown["access_key_id"].as_str().unwrap()])
    );
}
