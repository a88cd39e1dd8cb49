//! What the functions print: one metrics line for each file and request, and never an address, a name, a
//! value, a key or a token.

use aws_sdk_lambda::primitives::Blob;
use end_to_end::Portal;
use serde_json::{Value, json};

/// In every address, name, value and file name of these tests, and nowhere else.
const NEEDLE: &str = "Nadelheim";

#[tokio::test]
async fn logs_of_a_whole_run_errors_included_hold_nothing_personal() {
    let portal = Portal::ready().await;
    let told = json!({"notify_emails": [format!("{NEEDLE}@boss.example")]});
    portal
        .call("PUT", "/feed/settings", Some(told))
        .await
        .expect(200);
    let header = "Email,First,Last,Status,Job,Site\n";
    let row = |n| format!("{NEEDLE}.{n}@x.example,{NEEDLE},{NEEDLE},1,{NEEDLE},{NEEDLE}\n");
    let file = format!(
        "{header}{}{}{NEEDLE},{NEEDLE},,5\n{}",
        row(1),
        row(1),
        row(2).replace("1,", "9,")
    );
    let upload = portal.upload(&format!("{NEEDLE}.csv"), file.clone()).await;
    assert_eq!(upload.status(), "completed_with_problems");
    portal
        .upload(&format!("{NEEDLE}-broken.csv"), format!("{file}\"{NEEDLE}"))
        .await;
    portal.upload(&format!("{NEEDLE}.xlsx"), file.clone()).await;
    portal
        .upload(&format!("{NEEDLE}-again.csv"), file.replace(",1,", ",0,"))
        .await;

    // Requests that fail, with the needle wherever a caller can put it.
    let body = json!({"fields": [{"field": NEEDLE, "column": NEEDLE}], "columns": [NEEDLE]});
    portal
        .call("PUT", "/feed/mapping", Some(body))
        .await
        .refused(422);
    portal
        .call("PUT", "", Some(json!({"name": NEEDLE, "country": NEEDLE})))
        .await
        .refused(422);
    portal
        .call("GET", &format!("/uploads/{NEEDLE}?cursor={NEEDLE}"), None)
        .await
        .refused(404);
    portal
        .stack
        .call(
            "GET",
            &format!("/portals/{NEEDLE}"),
            Some(&portal.stack.token("operator")),
            None,
        )
        .await
        .refused(422);

    let sample = format!("Email,{NEEDLE}\n{NEEDLE}@x.example,\"{NEEDLE}\n");
    let token = portal.stack.token("operator");
    let inspect = format!("/portals/{}/feed/mapping/inspect", portal.id);
    portal
        .stack
        .call_raw("POST", &inspect, Some(&token), Some(sample.into_bytes()))
        .await
        .expect(200);

    portal.rests().await;
    let users = portal.users().await;
    let user = users.values().next().unwrap().text("user_id");
    let found = format!("/users?name={NEEDLE}&email={NEEDLE}.1@x.example");
    portal.call("GET", &found, None).await.expect(200);
    let moved =
        json!({"first_name": format!("{NEEDLE} X"), "email": format!("{NEEDLE}@y.example")});
    portal
        .call("PATCH", &format!("/users/{user}"), Some(moved))
        .await
        .expect(200);
    let wrong =
        json!({"email": NEEDLE, "roles": [NEEDLE], "status": NEEDLE, "manager_ids": [NEEDLE]});
    portal
        .call("PATCH", &format!("/users/{user}"), Some(wrong))
        .await
        .refused(422);
    portal
        .call("PATCH", &format!("/users/{user}"), Some(json!({NEEDLE: 1})))
        .await
        .refused(422);
    portal
        .call("GET", &format!("/users/{NEEDLE}"), None)
        .await
        .refused(404);

    // Events that are broken: we fail, and say why without saying whom it concerns.
    let function = portal.stack.output("ProcessUploadFunctionName");
    let path = format!(
        "{}/../../events/process-upload.json",
        env!("CARGO_MANIFEST_DIR")
    );
    let sample: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let mut elsewhere = sample.clone();
    elsewhere["Records"][0]["s3"]["bucket"]["name"] = NEEDLE.into();
    let mut no_utf8 = sample.clone();
    no_utf8["Records"][0]["s3"]["object"]["key"] = format!("{}/{NEEDLE}%FF.csv", portal.id).into();
    for event in [elsewhere, no_utf8, json!({"Records": [{"key": NEEDLE}]})] {
        let request = portal
            .stack
            .lambda()
            .invoke()
            .function_name(&function)
            .payload(Blob::new(event.to_string()));
        assert!(
            request.send().await.unwrap().function_error.is_some(),
            "{event}"
        );
    }

    let mine = format!("\"portal_id\":\"{}\"", portal.id);
    let refused = [
        r#""service":"configure-feed","status":422"#,
        r#""service":"upload-history","status":404"#,
        r#""service":"manage-users","status":404"#,
    ];
    let all_there = |logs: &str| {
        let api = refused.iter().all(|line| logs.contains(line));
        let of_file = |line: &&str| line.contains(&mine) && line.contains("\"rejected\":");
        logs.lines().filter(of_file).count() >= 4 && logs.contains("MalformedEvent") && api
    };
    let logs = portal.stack.logs_with(all_there).await;
    for (place, word) in [
        ("a value", NEEDLE),
        ("a role's address", "operator@go1"),
        ("a role's address", "administrator@"),
    ] {
        let at = logs
            .find(word)
            .map(|at| &logs[at.saturating_sub(200)..(at + 100).min(logs.len())]);
        assert_eq!(at, None, "{place} is in the logs");
    }
    for role in ["operator", "administrator"] {
        let token = portal.stack.token(role);
        let signature = token.rsplit('.').next().unwrap();
        assert!(
            !logs.contains(signature),
            "the token of the {role} is in the logs"
        );
    }

    // One line for each file, from which CloudWatch makes metrics.
    let lines: Vec<Value> = logs
        .lines()
        .filter(|line| line.contains(&mine))
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|line: &Value| line["service"] == "process-upload")
        .collect();
    assert_eq!(lines.len(), 4);
    assert!(
        lines
            .iter()
            .all(|line| line["cpu_ms"].is_u64() && line["peak_memory_bytes"].as_u64() > Some(0))
    );
    let of_upload: Vec<&Value> = lines
        .iter()
        .filter(|line| line["upload_id"] == upload.id())
        .collect();
    assert_eq!(of_upload.len(), 1);
    for outcome in ["total", "created", "not_processed"] {
        assert_eq!(
            of_upload[0][format!("rows_{outcome}")],
            upload.rows(outcome)
        );
    }
}
