//! An import in the portal's history: its record and its reports, beside those of files; who is told of its end; and what
//! is left of the connection. And the product's seven steps of managing the integration, one after the other.

use end_to_end::{Account, Company, Listener, Portal, Upload, employee, employee_id};
use fake_xero::wire::{Person, Route, Scripted};
use serde_json::{Value, json};
use std::time::Duration;

/// In every address and name of these tests' people, and nowhere else.
const NEEDLE: &str = "Xaverheim";

fn named(n: u32) -> Person {
    let email = format!("{NEEDLE}.{n}@x.example");
    Person::named(&format!("{NEEDLE}{n}"), NEEDLE, &email).with("id", employee_id(n))
}

/// A domain of the portal's own, for those who are told.
fn domain(portal: &Portal) -> String {
    format!("boss-{}.example", portal.id)
}

async fn tell_the_boss(portal: &Portal) {
    let emails = json!([format!("ann@{}", domain(portal))]);
    portal
        .call(
            "PUT",
            "/feed/settings",
            Some(json!({"notify_emails": emails})),
        )
        .await
        .expect(200);
}

/// What the event of an import's end has to say.
fn detail(upload: &Upload, codes: &[&str]) -> Value {
    let record = &upload.record;
    json!({
        "notice_id": format!("{}.1", upload.id()),
        "portal_id": record["portal_id"], "upload_id": record["upload_id"], "kind": "xero",
        "status": record["status"], "rehearsal": false, "rows": record["rows"],
        "others": record["others"], "warnings": 0, "held": record["held"],
        "problem_codes": codes, "received_at": record["received_at"],
        "finished_at": record["finished_at"],
    })
}

#[tokio::test]
async fn an_import_is_in_the_history_with_its_counts_problems_and_reports() {
    let people = vec![
        named(1),
        // In a spreadsheet this would be a formula.
        named(2).with("first_name", "=1+1").without("email"),
        named(3),
        named(4).with("email", format!("{NEEDLE}.1@X.EXAMPLE")),
    ];
    let company = Company::employing(people).await;
    let portal = &company.portal;
    let file = "Email,First,Last,Status,Job,Site\nbo@x.example,Bo,Lee,1,,\n";
    let fed = portal.upload("a.csv", file).await;
    let first = company.import(json!({"employee_ids": [employee_id(3)], "assign_courses": false}));
    assert_eq!(first.await.status(), "completed");
    company.given_back().await;
    company.connect().await;
    let upload = company.import_all().await;
    let record = &upload.record;
    for (field, expected) in [
        ("kind", json!("xero")),
        ("status", json!("completed_with_problems")),
        ("key", json!("")),
        ("file_name", json!("")),
        ("rehearsal", json!(false)),
        ("report_ready", json!(true)),
        ("progress_percent", json!(100)),
        ("warnings", json!(0)),
        ("portal_id", json!(portal.id)),
    ] {
        assert_eq!(record[field], expected, "{field}");
    }
    let counts = ["total", "created", "updated", "unchanged", "not_processed"];
    assert_eq!(counts.map(|count| upload.rows(count)), [4, 1, 0, 1, 2]);
    let time = |field: &str| record[field].as_str().unwrap();
    assert!(time("received_at") <= time("started_at") && time("started_at") < time("finished_at"));
    let problems: Vec<String> = upload.problems().into_iter().map(|it| it.0).collect();
    assert_eq!(problems, ["missing_value", "duplicate_employee"]);

    // Beside the file's, newest first.
    let all = portal.uploads().await;
    let kinds: Vec<_> = all.iter().map(|it| it["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["xero", "xero", "feed"]);
    assert_eq!(all[0], *record);
    assert_eq!(all[2]["upload_id"], fed.id());

    // By the history's links, of which a table of the browser's is made.
    let report = String::from_utf8(portal.download(&upload, "report").await).unwrap();
    let lines: Vec<&str> = report.lines().collect();
    assert_eq!(
        lines,
        [
            "row,identity,outcome,code,field,value,message",
            &format!(",{NEEDLE}.1@x.example,created,,,,Created."),
            &format!(
                ",'=1+1 {NEEDLE},not_processed,missing_value,email,,\"Email: empty, and required.\""
            ),
            &format!(
                ",{NEEDLE}.1@X.EXAMPLE,not_processed,duplicate_employee,email,{NEEDLE}.1@X.EXAMPLE,\
                 Email: the same address as {NEEDLE}1 {NEEDLE}."
            ),
        ]
    );
    let rejected = String::from_utf8(portal.download(&upload, "rejected").await).unwrap();
    let lines: Vec<&str> = rejected.lines().collect();
    assert_eq!(
        lines[0],
        "employee_id,first_name,last_name,email,feed_problem"
    );
    assert_eq!(
        lines[1],
        format!(
            "{},'=1+1,{NEEDLE},,\"missing_value: Email: empty, and required.\"",
            employee_id(2)
        )
    );
    assert_eq!(lines.len(), 3);

    // There is no file to replay, and nothing is held.
    let path = |what: &str| format!("/uploads/{}/{what}", upload.id());
    let replay = portal.call("POST", &path("replay"), None).await;
    assert_eq!(replay.refused(409).0, "file_gone");
    let held = portal.call("GET", &path("held-disables"), None).await;
    assert_eq!(held.expect(200)["items"], json!([]));
    let decision = Some(json!({"decision": "approve"}));
    let held = portal.call("POST", &path("held-disables"), decision).await;
    assert_eq!(held.refused(409).0, "nothing_held");
    assert_eq!(company.upload(&upload.id()).await.record, *record);
}

#[tokio::test]
async fn every_end_is_an_event_and_who_has_to_act_has_a_mail() {
    let company = Company::employing(vec![named(1), named(2).without("email")]).await;
    let portal = &company.portal;
    tell_the_boss(portal).await;
    let mut listener = Listener::to(portal).await;
    let denied = || vec![Scripted::status(403)];
    company.script(Route::Employees, denied()).await;
    let rejected = company.import_all().await;
    assert_eq!(rejected.status(), "rejected");
    company
        .script(
            Route::Employees,
            vec![Scripted::status(429).header("Retry-After", "40")],
        )
        .await;
    let failed = company.import_all().await;
    assert_eq!(failed.status(), "failed");
    company.after_the_limit().await;
    let completed = company.import_all().await;
    assert_eq!(completed.status(), "completed_with_problems");

    let events = listener.events(3).await;
    let mails = listener.all_mails(&domain(portal)).await;
    for (event, upload, codes) in [
        (&events[0], &rejected, &["xero_payroll_unavailable"][..]),
        (&events[1], &failed, &["xero_busy"]),
        (&events[2], &completed, &["missing_value"]),
    ] {
        assert_eq!(event["source"], "go1.user-feed");
        assert_eq!(event["detail-type"], "UploadFinished");
        assert_eq!(event["detail"], detail(upload, codes));
        assert!(!event.to_string().contains(NEEDLE), "{event}");
    }
    // Of what came to a good end, whatever is wrong with single people, nobody has a mail.
    let told = |upload: &Upload| {
        mails
            .iter()
            .filter(|it| it.text.contains(&upload.id()))
            .count()
    };
    assert_eq!([&rejected, &failed, &completed].map(told), [1, 1, 0]);
    for mail in &mails {
        assert!(mail.text.contains("A company"), "{}", mail.text);
        assert!(
            !mail.text.contains(NEEDLE) && !mail.text.contains('@'),
            "{}",
            mail.text
        );
    }
    assert_eq!(mails.len(), 2);
}

#[tokio::test]
async fn the_logs_name_nobody_who_was_imported_or_could_not_be() {
    let people = vec![
        named(1),
        named(2).without("email"),
        named(3).with("email", "Xaverheim at x"),
    ];
    let company = Company::employing(people).await;
    company.preview().await;
    company
        .script(Route::Employees, vec![Scripted::malformed()])
        .await;
    company.call("GET", "/preview", None).await;
    let upload = company.import_all().await;
    assert_eq!(upload.rows("created"), 1);
    company.given_back().await;
    let logs = company.printed_with(&upload).await;
    assert!(!logs.contains("Xaverheim at x") && !logs.contains(&format!("{NEEDLE}.1@")));
}

/// An import that has come to an end gives the connection back; one that has not leaves it, so that somebody can put
/// right what is wrong and import again.
#[tokio::test]
async fn the_connection_is_given_back_by_a_completed_import_and_by_no_other() {
    let company = Company::employing(vec![employee(1)]).await;
    let connected = company.xero.state(company.owner.user_id).await;
    assert_eq!(
        (connected.connections.len(), connected.refresh_tokens),
        (1, 1)
    );
    company
        .script(Route::Employees, vec![Scripted::status(404)])
        .await;
    let rejected = company.import_all().await;
    assert_eq!(rejected.status(), "rejected");
    let report = company.portal.report(&rejected).await;
    assert_eq!(report[0]["code"], "xero_payroll_unavailable");
    assert_eq!(company.xero.state(company.owner.user_id).await, connected);
    let overview = company.overview().await;
    assert_eq!(overview["state"], "connected");
    assert_eq!(overview["last_import"]["status"], "rejected");
    assert_eq!(
        overview["organisation"]["tenant_id"],
        company.tenant.to_string()
    );

    let completed = company.import_all().await;
    assert_eq!(completed.status(), "completed");
    company.given_back().await;
    let overview = company.overview().await;
    assert_eq!(overview["state"], "not_connected");
    for gone in ["organisation", "connected_at", "connected_until"] {
        assert_eq!(overview[gone], Value::Null, "{gone}");
    }
    assert_eq!(overview["giving_back"], false);
    assert_eq!(overview["places_left"], 199);
    assert_eq!(overview["last_import"]["upload_id"], completed.id());
    assert_eq!(
        overview["last_import"]["finished_at"],
        completed.record["finished_at"]
    );
    for (method, path, body) in [
        ("GET", "/preview", None),
        ("GET", "/organisations", None),
        ("POST", "/import", Some(json!({"assign_courses": true}))),
    ] {
        let answer = company.call(method, path, body).await;
        assert_eq!(answer.refused(409).0, "xero_not_connected", "{path}");
    }
    let trail = company.portal.call("GET", "/audit", None).await.expect(200);
    let trail = trail["items"].as_array().unwrap().iter();
    let begun = trail.filter(|it| it["action"] == "xero_import_begun");
    let begun: Vec<_> = begun.map(|it| it["upload_id"].as_str().unwrap()).collect();
    assert_eq!(begun, [completed.id(), rejected.id()]);
}

/// "Manage the GO1, Xero Integration", as the product's FAQ has it, by an administrator.
#[tokio::test]
async fn an_administrator_manages_the_integration_in_the_seven_steps_of_the_faq() {
    let mut people = vec![employee(1), employee(2), employee(3).with("email", "")];
    let company = Company::employing(people.clone()).await;
    let stack = &company.portal.stack;
    // 1. Login to your GO1 portal, and 2. configure the Xero addon.
    let administrator = Account::administrator(stack, &company.portal.id).await;
    let base = format!("/portals/{}", company.portal.id);
    let call = async |method: &str, path: &str, body: Option<Value>, status: u16| {
        let answer = administrator
            .call(method, &format!("{base}{path}"), body)
            .await;
        answer.expect(status)
    };
    // 3. View information about the integration.
    let overview = call("GET", "/xero", None, 200).await;
    assert_eq!(overview["state"], "connected");
    assert_eq!(overview["courses"].as_array().unwrap().len(), 5);
    // 4. How it is used, and disconnect it; and connect it again.
    assert_eq!(overview["organisation"]["name"], "Harbour Café");
    assert!(overview["connected_until"].as_str() > overview["connected_at"].as_str());
    call("DELETE", "/xero/connection", None, 204).await;
    company.given_back().await;
    assert_eq!(
        call("GET", "/xero", None, 200).await["state"],
        "not_connected"
    );
    company.connect().await;
    // 5. An overview of your current users.
    assert_eq!(call("GET", "/users", None, 200).await["items"], json!([]));
    // 6. Who will be imported, highlighting those who cannot as they have no e-mail address.
    let preview = call("GET", "/xero/preview", None, 200).await;
    let emails = |list: &str| -> Vec<String> {
        let people = preview[list].as_array().unwrap().iter();
        people
            .map(|it| it["email"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(emails("to_import"), ["p1@x.example", "p2@x.example"]);
    let cannot = &preview["cannot_import"][0];
    assert_eq!(
        (&cannot["first_name"], &cannot["email"]),
        (&json!("P3"), &json!(""))
    );
    assert_eq!(cannot["problems"][0]["code"], "missing_value");
    let import = async || {
        let everybody = Some(json!({"assign_courses": true}));
        let begun = call("POST", "/xero/import", everybody, 202).await;
        company.ended(begun["upload_id"].as_str().unwrap()).await
    };
    let first = import().await;
    assert_eq!((first.rows("created"), first.rows("not_processed")), (2, 1));
    let users = call("GET", "/users", None, 200).await;
    assert_eq!(users["items"].as_array().unwrap().len(), 2);
    // 7. Come back and redo this as you add more users into Xero.
    company.given_back().await;
    people[2] = employee(3);
    people.push(employee(4));
    company.employ(people).await;
    company.connect().await;
    let second = import().await;
    assert_eq!((second.rows("created"), second.rows("unchanged")), (2, 2));
    company.given_back().await;
    let overview = call("GET", "/xero", None, 200).await;
    assert_eq!(
        (&overview["imported"], &overview["places_left"]),
        (&json!(4), &json!(196))
    );
    assert_eq!(company.portal.assignments().await.len(), 20);
}

#[tokio::test]
async fn the_history_shows_how_far_an_import_has_come() {
    let company = Company::employing((1..=80).map(employee).collect()).await;
    let slow = vec![Scripted::delay_ms(300)];
    company.script(Route::Employees, slow).await;
    let id = company.begin(json!({"assign_courses": true})).await;
    let mut seen = Vec::new();
    let watch = async {
        loop {
            let upload = company.upload(&id).await;
            let percent = upload.record["progress_percent"].as_u64().unwrap();
            seen.push((upload.status().to_owned(), percent));
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    };
    let upload = tokio::select! {
        upload = company.ended(&id) => upload,
        () = watch => unreachable!("it watches until the other one ends"),
    };
    assert_eq!(upload.rows("created"), 80);
    let stages = ["queued", "scanning", "planning", "applying", "completed"];
    let stage = |status: &str| stages.iter().position(|it| *it == status).unwrap();
    for pair in seen.windows(2) {
        let ((earlier, before), (later, after)) = (&pair[0], &pair[1]);
        assert!(stage(earlier) <= stage(later), "{earlier} {later}");
        assert!(before <= after && *after <= 100, "{before} {after}");
    }
    let between = seen
        .iter()
        .filter(|(_, percent)| (41..100).contains(percent));
    assert!(between.count() > 0, "{seen:?}");
}
