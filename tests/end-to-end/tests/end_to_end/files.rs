//! Files that must be refused are, as a whole and before any write, with code and place in the record and
//! the report. Files that real systems write work.

use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use end_to_end::Portal;
use serde_json::json;

const HEADER: &str = "Email,First,Last,Status,Job,Site\n";

fn rows(count: usize) -> String {
    (0..count)
        .map(|n| format!("p{n}@x.example,Pat{n},Lee,1,Cook,Perth\n"))
        .collect()
}

fn utf16(text: &str) -> Vec<u8> {
    format!("\u{FEFF}{text}")
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect()
}

/// The upload is rejected with this code, row and byte; the report says the same; nobody was written.
async fn assert_refused(
    portal: &Portal,
    name: &str,
    bytes: Vec<u8>,
    code: &str,
    row: Option<u64>,
    byte: Option<u64>,
) {
    let upload = portal.upload(name, bytes).await;
    assert_eq!(upload.status(), "rejected", "{name}");
    let problem = &upload.record["problems"][0];
    assert_eq!(problem["code"], code, "{name}: {problem}");
    assert_eq!(
        (problem["row"].as_u64(), problem["byte"].as_u64()),
        (row, byte),
        "{name}"
    );
    assert_eq!(problem["severity"], "file");
    let report = portal.report(&upload).await;
    assert_eq!(
        report.len(),
        upload.record["problems"].as_array().unwrap().len(),
        "{name}"
    );
    let place = row.map(|row| row.to_string()).unwrap_or_default();
    assert_eq!(
        (
            report[0]["outcome"].as_str(),
            report[0]["code"].as_str(),
            &report[0]["row"]
        ),
        ("rejected", code, &place),
        "{name}"
    );
    assert!(!report[0]["message"].is_empty());
    assert_eq!(
        (upload.rows("total"), &upload.record["progress_percent"]),
        (0, &json!(100))
    );
    portal
        .call("GET", &format!("/uploads/{}/rejected", upload.id()), None)
        .await
        .refused(404);
}

#[tokio::test]
async fn a_file_that_is_wrong_as_a_whole_is_refused_before_any_write() {
    let portal = Portal::ready().await;
    let good = format!("{HEADER}{}", rows(150));
    let middle = good.len() / 2;
    let row_in_the_middle = good[..middle].lines().count() as u64;
    let broken = [
        &good.as_bytes()[..middle],
        b"\xFF",
        &good.as_bytes()[middle..],
    ]
    .concat();
    let unclosed = good.replacen("\np99@", "\n\"p99@", 1);
    let after_quote = good.replacen(",Pat99,", ",\"Pat\"99,", 1);
    for (name, bytes, code, row, byte) in [
        (
            "invalid.csv",
            broken,
            "invalid_utf8",
            Some(row_in_the_middle),
            Some(middle as u64),
        ),
        ("utf16.csv", utf16(&good), "utf16", Some(1), Some(0)),
        (
            "semicolons.csv",
            good.replace(',', ";").into_bytes(),
            "wrong_delimiter",
            Some(1),
            None,
        ),
        (
            "unclosed.csv",
            unclosed.into_bytes(),
            "unclosed_quote",
            Some(101),
            None,
        ),
        (
            "after-quote.csv",
            after_quote.into_bytes(),
            "text_after_quote",
            Some(101),
            None,
        ),
        (
            "missing.csv",
            good.replacen("First", "Given", 1).into_bytes(),
            "missing_header",
            Some(1),
            None,
        ),
        (
            "duplicate.csv",
            good.replacen("Site", "email", 1).into_bytes(),
            "duplicate_header",
            Some(1),
            None,
        ),
        ("header-only.csv", HEADER.into(), "header_only", None, None),
        ("empty.csv", Vec::new(), "empty_file", None, None),
        (
            "people.xlsx",
            good.clone().into_bytes(),
            "not_csv",
            None,
            None,
        ),
    ] {
        assert_refused(&portal, name, bytes, code, row, byte).await;
    }
    assert!(portal.users().await.is_empty());

    let upload = portal.upload("good.CSV", good).await;
    assert_eq!(
        (upload.status(), upload.rows("created")),
        ("completed", 150)
    );
}

#[tokio::test]
async fn a_portal_that_is_not_ready_takes_no_file() {
    let file = format!("{HEADER}{}", rows(3)).into_bytes();
    let portal = Portal::set_up().await;
    portal
        .call("PUT", "/feed/mapping", Some(Portal::mapping()))
        .await
        .expect(201);
    assert_refused(
        &portal,
        "not-authorised.csv",
        file.clone(),
        "feed_not_authorised",
        None,
        None,
    )
    .await;

    let portal = Portal::set_up().await;
    portal
        .call("PUT", "/feed/authorisation", None)
        .await
        .expect(201);
    assert_refused(
        &portal,
        "not-mapped.csv",
        file.clone(),
        "no_mapping",
        None,
        None,
    )
    .await;

    let portal = Portal::ready().await;
    portal
        .call("DELETE", "/feed/authorisation", None)
        .await
        .expect(204);
    assert_refused(
        &portal,
        "withdrawn.csv",
        file.clone(),
        "feed_not_authorised",
        None,
        None,
    )
    .await;
    portal
        .call("PUT", "/feed/authorisation", None)
        .await
        .expect(201);
    assert_eq!(portal.upload("again.csv", file).await.rows("created"), 3);
}

#[tokio::test]
async fn whatever_real_systems_write_works() {
    let two = "a@x.example,Ann,Lee,1,Cook,Perth\nb@x.example,Bo,Li,1,Cook,Perth\n";
    let plain = format!("{HEADER}{two}");
    for (name, file) in [
        ("bom.csv", format!("\u{FEFF}{plain}")),
        ("crlf.csv", plain.replace('\n', "\r\n")),
        ("cr-only.csv", plain.replace('\n', "\r")),
        ("no-last-line-end.csv", plain.trim_end().to_owned()),
        ("blank-lines.csv", format!("\n{}\n\n,,,,,\n   \n", plain.replacen('\n', "\n\n", 2))),
        ("quoted.csv", plain.replace("Cook", "\"Cook, \"\"first\"\"\nand only\"")),
        ("headers.csv", plain.replacen(HEADER, "EMAIL, first ,\"Last\",status,JOB,Site\n", 1)),
        ("order.csv", "Site,Job,Last,First,Email,Status\nPerth,Cook,Lee,Ann,a@x.example,1\nPerth,Cook,Li,Bo,b@x.example,1\n".into()),
        ("extra.csv", plain.lines().map(|line| format!("x,{line},y,y\n")).collect()),
        ("trailing.csv", plain.lines().map(|line| format!("{line},,\n")).collect()),
        ("spaces and ünïcode + (1)%20.csv", plain.clone()),
        ("2026/11/22/nested.csv", plain.clone()),
    ] {
        let portal = Portal::ready().await;
        let upload = portal.upload(name, file).await;
        assert_eq!(upload.status(), "completed", "{name}: {}", upload.record);
        assert_eq!((upload.rows("total"), upload.rows("created")), (2, 2), "{name}");
        assert_eq!(upload.record["key"], format!("{}/{name}", portal.id));
        assert_eq!(upload.record["file_name"], name.rsplit('/').next().unwrap());
        let users = portal.users().await;
        let names: Vec<_> = users.iter().map(|(email, user)| (email.as_str(), user.text("first_name"), user.text("last_name"))).collect();
        assert_eq!(names, [("a@x.example", "Ann", "Lee"), ("b@x.example", "Bo", "Li")], "{name}");
        let cook = if name == "quoted.csv" { "Cook, \"first\"\nand only" } else { "Cook" };
        assert!(users.values().all(|user| user.custom("job") == Some(cook)), "{name}");
    }
}

#[tokio::test]
async fn a_file_that_is_uploaded_in_parts_is_one_file() {
    let portal = Portal::ready().await;
    let (s3, bucket) = (portal.stack.s3(), portal.stack.output("FeedBucketName"));
    let key = format!("{}/parts.csv", portal.id);
    // The first part must have 5 MiB; the notes are not mapped.
    let note = "x".repeat(60_000);
    let file: String = std::iter::once("Email,First,Last,Status,Job,Site,Notes\n".to_owned())
        .chain((0..100).map(|n| format!("p{n}@x.example,Pat{n},Lee,1,Cook,Perth,{note}\n")))
        .collect();
    let id = s3
        .create_multipart_upload()
        .bucket(&bucket)
        .key(&key)
        .send()
        .await
        .unwrap()
        .upload_id
        .unwrap();
    let mut parts = CompletedMultipartUpload::builder();
    for (number, part) in (1..).zip(file.as_bytes().chunks(5 * 1024 * 1024 + 1)) {
        let request = s3
            .upload_part()
            .bucket(&bucket)
            .key(&key)
            .upload_id(&id)
            .part_number(number);
        let e_tag = request
            .body(part.to_vec().into())
            .send()
            .await
            .unwrap()
            .e_tag;
        parts = parts.parts(
            CompletedPart::builder()
                .part_number(number)
                .set_e_tag(e_tag)
                .build(),
        );
    }
    let request = s3
        .complete_multipart_upload()
        .bucket(&bucket)
        .key(&key)
        .upload_id(id);
    request
        .multipart_upload(parts.build())
        .send()
        .await
        .unwrap();

    let upload = portal.processed(&key, 1).await;
    assert_eq!(
        (upload.status(), upload.rows("created")),
        ("completed", 100)
    );
    assert_eq!(upload.record["size_bytes"], file.len());
    assert_eq!(portal.users().await.len(), 100);
}

#[tokio::test]
async fn folders_and_files_under_no_portal_are_passed_over() {
    let portal = Portal::ready().await;
    for key in [
        format!("{}/", portal.id),
        format!("{}/archive/", portal.id),
        "stray.csv".to_owned(),
        "0/stray.csv".to_owned(),
    ] {
        portal.put_at(&key, "").await;
        // Delivered once more by hand, and waited for: it works, and leaves nothing behind.
        assert_eq!(portal.deliver(&key).await, None, "{key}");
    }
    assert_eq!(portal.uploads().await, Vec::<serde_json::Value>::new());
}

#[tokio::test]
async fn every_version_of_a_key_is_an_upload_of_its_own() {
    let portal = Portal::ready().await;
    portal
        .upload("people.csv", format!("{HEADER}{}", rows(1)))
        .await;
    portal
        .put("people.csv", format!("{HEADER}{}", rows(2)))
        .await;
    let second = portal
        .processed(&format!("{}/people.csv", portal.id), 2)
        .await;
    assert_eq!((second.rows("created"), second.rows("unchanged")), (1, 1));
}
