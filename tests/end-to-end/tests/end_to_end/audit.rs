//! The audit trail: every deed has an entry, what was refused or changed nothing has none, and nobody is named but who
//! acted.

use end_to_end::{Account, Portal};
use serde_json::{Value, json};

/// The whole trail, oldest first, read in pages.
async fn trail(portal: &Portal) -> Vec<Value> {
    let (mut entries, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/audit?limit=3&cursor={cursor}");
        let page = portal.call("GET", &path, None).await.expect(200);
        entries.extend(page["items"].as_array().unwrap().clone());
        match page["cursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => break,
        }
    }
    entries.reverse();
    entries
}

fn actions(entries: &[Value]) -> Vec<&str> {
    entries
        .iter()
        .map(|entry| entry["action"].as_str().unwrap())
        .collect()
}

const FILE: &str = "Email,First,Last,Status,Job,Site\nann@x.example,Ann,Lee,1,Cook,\n";

#[tokio::test]
async fn every_deed_has_an_entry_and_what_changes_nothing_has_none() {
    let portal = Portal::unknown();
    let none = portal.call("GET", "/audit", None).await;
    assert_eq!(none.refused(404).0, "portal_not_found");
    let settings = json!({"name": "A company", "country": "AU", "custom_fields": [
        {"name": "job", "label": "Job"}, {"name": "site", "label": "Site"}]});
    portal
        .call("PUT", "", Some(settings.clone()))
        .await
        .expect(201);
    let renamed =
        json!({"name": "Another", "country": "AU", "custom_fields": settings["custom_fields"]});
    portal
        .call("PUT", "", Some(renamed.clone()))
        .await
        .expect(200);
    // By another operator.
    let other = format!("operator@{}.example", portal.id);
    let operator = Account::made(&portal.stack, other, "operator", &[]).await;
    let path = format!("/portals/{}/feed/authorisation", portal.id);
    operator.call("PUT", &path, None).await.expect(201);
    let call = async |method: &str, path: &str, body: Option<Value>, status: u16| {
        portal.call(method, path, body).await.expect(status)
    };
    let mapping = Some(Portal::mapping());
    call("PUT", "/feed/mapping", mapping.clone(), 201).await;
    call("PUT", "/feed/mapping", mapping, 200).await;
    let limits = json!({"disable_limit_percent": 5});
    call("PUT", "/feed/settings", Some(limits.clone()), 200).await;
    let key = call("POST", "/feed/credentials", None, 201).await;
    let link = json!({"file_name": "a.csv", "rehearsal": true});
    call("POST", "/uploads", Some(link), 201).await;
    let upload = portal.upload("people.csv", FILE).await;
    portal.rests().await;
    let replay = format!("/uploads/{}/replay", upload.id());
    let again = call("POST", &replay, None, 202).await;
    portal.processed(upload.key(), 2).await;
    portal.rests().await;
    let user = portal.users().await["ann@x.example"].clone();
    let path = format!("/users/{}", user.text("user_id"));
    let change = json!({"last_name": "Li", "email": "anna@x.example"});
    call("PATCH", &path, Some(change.clone()), 200).await;
    call("PATCH", &path, Some(json!({"roles": ["Manager"]})), 200).await;
    call("DELETE", "/feed/mapping", None, 204).await;
    call("DELETE", "/feed/authorisation", None, 204).await;
    let before = trail(&portal).await;
    assert_eq!(
        actions(&before),
        [
            "portal_set_up",
            "portal_changed",
            "feed_authorised",
            "mapping_saved",
            "mapping_saved",
            "settings_changed",
            "key_pair_issued",
            "upload_link_given",
            "upload_replayed",
            "user_changed",
            "user_changed",
            "mapping_reset",
            "authorisation_withdrawn",
        ]
    );
    assert_eq!(before[2]["by"], operator.email);
    assert_eq!(before[2]["acting_as"], "operator");
    assert_eq!(before[4]["mapping_version"], 2);
    assert_eq!(before[6]["access_key_id"], key["access_key_id"]);
    assert_eq!(before[7]["file_name"], "a.csv");
    assert_eq!(before[8]["upload_id"], again["upload_id"]);
    assert_eq!(before[8]["replay_of"], upload.id());
    assert_eq!(before[9]["user_id"], user.text("user_id"));
    assert_eq!(before[9]["fields"], json!(["email", "last_name"]));
    let times: Vec<&str> = before.iter().map(|it| it["at"].as_str().unwrap()).collect();
    assert!(times.is_sorted());
    // Who was changed is named by id alone, and no secret is there.
    let text = serde_json::to_string(&before).unwrap();
    let secret = key["secret_access_key"].as_str().unwrap();
    for hidden in ["ann@", "anna@", "Lee", "Li\"", secret] {
        assert!(!text.contains(hidden), "{hidden}");
    }

    // What is so already, and what is refused, leaves the trail alone.
    call("PUT", "", Some(renamed), 200).await;
    call("PUT", "/feed/settings", Some(limits), 200).await;
    call("PATCH", &path, Some(change), 200).await;
    call("DELETE", "/feed/mapping", None, 204).await;
    call("DELETE", "/feed/authorisation", None, 204).await;
    for (method, path, body) in [
        ("PUT", "", json!({"name": "", "country": ""})),
        (
            "PUT",
            "/feed/mapping",
            json!({"fields": [], "identity": "email"}),
        ),
        (
            "PUT",
            "/feed/settings",
            json!({"disable_limit_percent": 101}),
        ),
        ("POST", "/uploads", json!({"file_name": ""})),
        ("PATCH", path.as_str(), json!({"email": "nobody"})),
    ] {
        portal.call(method, path, Some(body)).await.refused(422);
    }
    assert_eq!(trail(&portal).await, before);
}

#[tokio::test]
async fn who_decided_what_was_held_who_invited_and_who_erased_is_there_too() {
    let portal = Portal::ready().await;
    let call = async |method: &str, path: &str, body: Option<Value>, status: u16| {
        portal.call(method, path, body).await.expect(status)
    };
    let everybody = async |name: &str, status: u32| {
        let rows = (0..4).map(|n| format!("p{n}@x.example,P,Q{n},{status},,\n"));
        let head = "Email,First,Last,Status,Job,Site\n";
        let file = format!("{head}{}", rows.collect::<String>());
        let upload = portal.upload(name, file).await;
        portal.rests().await;
        upload.id()
    };
    everybody("1.csv", 1).await;
    let rejected = everybody("2.csv", 0).await;
    let approved = everybody("3.csv", 0).await;
    let path = |upload: &str| format!("/uploads/{upload}/held-disables");
    // The older one has ended with the newer one, which is nobody's deed.
    let late = path(&rejected);
    let late = portal.call("POST", &late, Some(json!({"decision": "reject"})));
    assert_eq!(late.await.refused(409).0, "hold_superseded");
    let reject = Some(json!({"decision": "reject"}));
    call("POST", &path(&approved), reject.clone(), 200).await;
    let rejected = approved;
    let approved = everybody("4.csv", 0).await;
    let approve = Some(json!({"decision": "approve"}));
    call("POST", &path(&approved), approve.clone(), 202).await;
    portal.rests().await;
    let invited = json!({"email": format!("ann@{}.example", portal.id)});
    let account = call("POST", "/administrators", Some(invited), 201).await;
    let user = portal.users().await["p0@x.example"]
        .text("user_id")
        .to_owned();
    let erase = format!("/users/{user}");
    portal.call("DELETE", &erase, None).await.expect(204);
    let again = portal.call("POST", &path(&approved), approve).await;
    assert_eq!(again.refused(409).0, "nothing_held");

    let told = trail(&portal).await.split_off(3);
    assert_eq!(
        actions(&told),
        [
            "hold_rejected",
            "hold_approved",
            "administrator_made",
            "user_erased"
        ]
    );
    assert_eq!(told[0]["upload_id"], rejected);
    assert_eq!(told[1]["upload_id"], approved);
    assert_eq!(told[2]["account_id"], account["account_id"]);
    assert_eq!(told[3]["user_id"], user);
    assert!(
        told.iter()
            .all(|entry| entry["by"] == "operator@go1.example")
    );
}
