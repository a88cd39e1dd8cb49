//! A large file: everybody arrives, and the function's memory stays where it is promised to stay.

use end_to_end::Portal;
use serde_json::Value;
use std::fmt::Write;
use std::time::Duration;

const PEOPLE: u64 = 100_000;

/// 64 MiB, and 160 bytes for each row or user.
const MEMORY_BYTES: u64 = 64 * 1024 * 1024 + 160 * PEOPLE;

#[tokio::test]
async fn a_hundred_thousand_people_arrive_and_memory_stays_small() {
    let portal = Portal::ready().await;
    let mut file = "Email,First,Last,Status,Job,Site,Department,Location,Notes\n".to_owned();
    for n in 0..PEOPLE {
        writeln!(file, "person.{n}@company.example,First{n},Last{n},1,\"Manager, number {}\",Perth,Operations,Western Australia,{:060}", n % 100, n).unwrap();
    }
    let key = portal.put("large.csv", file).await;
    let upload = portal
        .processed_within(&key, 1, Duration::from_secs(600))
        .await;
    assert_eq!(
        (upload.status(), upload.rows("created")),
        ("completed", PEOPLE)
    );

    let mine = format!("\"portal_id\":\"{}\"", portal.id);
    let logs = portal.stack.logs_with(|logs| logs.contains(&mine)).await;
    let line = logs.lines().find(|line| line.contains(&mine)).unwrap();
    let line: Value = serde_json::from_str(line).unwrap();
    let peak = line["peak_memory_bytes"].as_u64().unwrap();
    assert!(
        peak <= MEMORY_BYTES,
        "{peak} bytes are more than {MEMORY_BYTES}"
    );
}
