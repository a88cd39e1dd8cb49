//! A large file: everybody arrives, and the function's memory stays where it is promised to stay.

use end_to_end::{Portal, Upload};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::time::Duration;

const PEOPLE: u64 = 100_000;

/// 64 MiB, and 160 bytes for each row or user.
const MEMORY_BYTES: u64 = 64 * 1024 * 1024 + 160 * PEOPLE;

/// What the API says of the upload, again and again until it has ended: its status and its progress.
async fn until_it_ends(
    ended: impl Future<Output = Upload>,
    portal: &Portal,
    key: &str,
) -> (Upload, Vec<(String, u64)>) {
    let mut seen = Vec::new();
    let look = async {
        loop {
            let uploads = portal.uploads().await;
            if let Some(upload) = uploads.iter().find(|upload| upload["key"] == key) {
                let status = upload["status"].as_str().unwrap().to_owned();
                seen.push((status, upload["progress_percent"].as_u64().unwrap()));
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    };
    let upload = tokio::select! {
        upload = ended => upload,
        () = look => unreachable!("it looks until the other one ends"),
    };
    (upload, seen)
}

#[tokio::test]
async fn a_hundred_thousand_people_arrive_and_memory_stays_small() {
    let portal = Portal::ready().await;
    let mut file = "Email,First,Last,Status,Job,Site,Department,Location,Notes\n".to_owned();
    for n in 0..PEOPLE {
        writeln!(file, "person.{n}@company.example,First{n},Last{n},1,\"Manager, number {}\",Perth,Operations,Western Australia,{:060}", n % 100, n).unwrap();
    }
    let key = portal.put("large.csv", file).await;
    let patience = Duration::from_secs(600);
    let ended = portal.processed_within(&key, 1, patience);
    let (upload, seen) = until_it_ends(ended, &portal, &key).await;
    assert_eq!(
        (upload.status(), upload.rows("created")),
        ("completed", PEOPLE)
    );
    // Whoever looks meanwhile sees it come forward, through the stages and never back.
    let applying = seen.iter().filter(|(status, _)| status == "applying");
    let percents: BTreeSet<u64> = applying.map(|(_, percent)| *percent).collect();
    assert!(percents.len() > 3, "{seen:?}");
    assert!(seen.is_sorted_by_key(|(_, percent)| *percent), "{seen:?}");

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
