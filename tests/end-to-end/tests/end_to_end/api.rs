//! Who may do what, and what is refused, by real HTTP through the gateway.

use crate::people::sample_json;
use end_to_end::{Portal, Stack};
use serde_json::{Value, json};

fn settings() -> Value {
    json!({"name": "A company", "country": "AU", "custom_fields": [{"name": "job", "label": "Job"}, {"name": "site", "label": "Site"}]})
}

/// Every route, with a body that would do.
pub(crate) fn routes() -> Vec<(&'static str, &'static str, Option<Value>)> {
    vec![
        ("GET", "", None),
        ("PUT", "", Some(settings())),
        ("DELETE", "", None),
        (
            "POST",
            "/administrators",
            Some(json!({"email": "ann@x.example"})),
        ),
        ("PUT", "/feed/authorisation", None),
        ("DELETE", "/feed/authorisation", None),
        ("GET", "/feed/mapping", None),
        ("PUT", "/feed/mapping", Some(Portal::mapping())),
        ("DELETE", "/feed/mapping", None),
        ("GET", "/feed/mapping/versions", None),
        ("POST", "/feed/mapping/inspect", Some(json!("Email"))),
        ("GET", "/feed/fields", None),
        ("GET", "/feed/template.csv", None),
        ("GET", "/audit", None),
        ("GET", "/uploads", None),
        ("POST", "/uploads", Some(json!({"file_name": "a.csv"}))),
        ("GET", "/uploads/01KAPTA7HZ0000000000000000", None),
        ("GET", "/uploads/01KAPTA7HZ0000000000000000/report", None),
        ("GET", "/uploads/01KAPTA7HZ0000000000000000/rejected", None),
        ("POST", "/uploads/01KAPTA7HZ0000000000000000/replay", None),
        (
            "GET",
            "/uploads/01KAPTA7HZ0000000000000000/held-disables",
            None,
        ),
        (
            "POST",
            "/uploads/01KAPTA7HZ0000000000000000/held-disables",
            Some(json!({"decision": "reject"})),
        ),
        ("GET", "/feed/credentials", None),
        ("POST", "/feed/credentials", None),
        ("GET", "/feed/settings", None),
        ("PUT", "/feed/settings", Some(json!({}))),
        ("GET", "/xero", None),
        ("POST", "/xero/connection", None),
        ("DELETE", "/xero/connection", None),
        ("GET", "/xero/organisations", None),
        (
            "PUT",
            "/xero/organisation",
            Some(json!({"tenant_id": "2f1c3a52-9d0e-4b7b-8a61-2e5dc0f47b19"})),
        ),
        ("GET", "/xero/preview", None),
        (
            "POST",
            "/xero/import",
            Some(json!({"assign_courses": true})),
        ),
        ("GET", "/users", None),
        ("GET", "/users/2f1c3a52-9d0e-5b7b-8a61-2e5dc0f47b19", None),
        (
            "PATCH",
            "/users/2f1c3a52-9d0e-5b7b-8a61-2e5dc0f47b19",
            Some(json!({"first_name": "Ann"})),
        ),
        (
            "DELETE",
            "/users/2f1c3a52-9d0e-5b7b-8a61-2e5dc0f47b19",
            None,
        ),
    ]
}

#[tokio::test]
async fn without_a_valid_token_nothing_is_answered() {
    let stack = Stack::running();
    let good = stack.token("administrator");
    // The signature's last letter holds spare bits; one in its middle does not.
    let at = good.len() - 20;
    let other = if good.as_bytes()[at] == b'A' {
        "B"
    } else {
        "A"
    };
    let damaged = format!("{}{other}{}", &good[..at], &good[at + 1..]);
    for (method, path, body) in routes() {
        let path = format!("/portals/{}{path}", stack.administered_portal());
        for token in [None, Some(damaged.as_str()), Some("x")] {
            let answer = stack.call(method, &path, token, body.clone()).await;
            assert_eq!(answer.status, 401, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn an_administrator_may_act_for_the_own_portal_alone() {
    let other = Portal::ready().await;
    let stack = &other.stack;
    let token = stack.token("administrator");
    for portal in [
        other.id.as_str(),
        "0",
        "1*",
        "a",
        &format!("{}0", stack.administered_portal()),
    ] {
        for (method, path, body) in routes() {
            let answer = stack
                .call(
                    method,
                    &format!("/portals/{portal}{path}"),
                    Some(&token),
                    body,
                )
                .await;
            assert_eq!(
                answer.refused(403).0,
                "forbidden",
                "{method} {portal}{path}"
            );
        }
    }
    // Who may is decided before what is asked makes sense.
    let answer = stack
        .call(
            "PUT",
            &format!("/portals/{}/feed/mapping", other.id),
            Some(&token),
            Some(json!({})),
        )
        .await;
    assert_eq!(answer.refused(403).0, "forbidden");
    assert_eq!(
        other.call("GET", "/feed/mapping", None).await.expect(200)["version"],
        1,
        "nothing was changed"
    );

    for (method, path) in [
        ("PATCH", ""),
        ("GET", "/feed/nothing"),
        ("DELETE", "/uploads"),
    ] {
        let answer = stack
            .call(
                method,
                &format!("/portals/{}{path}", other.id),
                Some(&token),
                None,
            )
            .await;
        assert_eq!(answer.refused(403).0, "forbidden", "{method} {path}");
    }
}

#[tokio::test]
async fn an_administrator_runs_the_own_portals_feed_but_does_not_set_it_up() {
    let own = Portal::administered();
    // The portal stays when the tests are run again: files of an earlier run are not taken for this one's.
    let run = Portal::unknown().id;
    own.call("PUT", "", Some(sample_json("people.portal.json")))
        .await;
    let token = own.stack.token("administrator");
    let call = async |method: &str, path: &str, body: Option<Value>| {
        own.stack
            .call(
                method,
                &format!("/portals/{}{path}", own.id),
                Some(&token),
                body,
            )
            .await
    };
    assert_eq!(
        call("PUT", "", Some(sample_json("people.portal.json")))
            .await
            .refused(403)
            .0,
        "forbidden"
    );
    let authorised = call("PUT", "/feed/authorisation", None).await;
    assert!([200, 201].contains(&authorised.status.as_u16()));
    assert_eq!(
        authorised.body["authorised_by"],
        "administrator@customer.example"
    );
    let mapped = call(
        "PUT",
        "/feed/mapping",
        Some(sample_json("people.mapping.json")),
    )
    .await;
    assert!([200, 201].contains(&mapped.status.as_u16()));
    assert_eq!(
        call("GET", "/feed/mapping", None).await.expect(200),
        mapped.body
    );

    let upload = own
        .upload(
            &format!("{run}.csv"),
            "Work E-mail,Given Name,Surname,Employment Status,Employee No,Job Title,Hire Date\nnot an address,A,B,,,,\n",
        )
        .await;
    assert_eq!(
        call("GET", &format!("/uploads/{}", upload.id()), None)
            .await
            .expect(200),
        upload.record
    );
    assert_eq!(
        call("GET", "/uploads?limit=1&cursor=", None)
            .await
            .expect(200)["items"][0],
        upload.record
    );
    for document in ["report", "rejected"] {
        let link = call("GET", &format!("/uploads/{}/{document}", upload.id()), None)
            .await
            .expect(200);
        let (status, bytes) = own.stack.fetch(link["url"].as_str().unwrap()).await;
        assert_eq!(status, 200);
        assert!(String::from_utf8(bytes).unwrap().contains("not an address"));
    }
    own.upload(
        &format!("{run} person.csv"),
        "Work E-mail,Given Name,Surname,Employment Status,Employee No,Job Title,Hire Date\nann@own.example,Ann,Lee,1,,,\n",
    )
    .await;
    own.rests().await;
    let found = call("GET", "/users?email=ann@own.example", None)
        .await
        .expect(200);
    let path = format!("/users/{}", found["items"][0]["user_id"].as_str().unwrap());
    let change = json!({"email": "anna@own.example", "roles": ["Learner", "Administrator"]});
    let changed = call("PATCH", &path, Some(change)).await.expect(200);
    assert_eq!(changed["email"], "anna@own.example");
    assert_eq!(call("GET", &path, None).await.expect(200), changed);
    let back = json!({"email": "ann@own.example"});
    call("PATCH", &path, Some(back)).await.expect(200);
    call("DELETE", "/feed/authorisation", None)
        .await
        .expect(204);
    assert_eq!(
        call("GET", "", None).await.expect(200)["feed"]["authorised"],
        false
    );
}

#[tokio::test]
async fn a_portal_is_set_up_authorised_and_mapped() {
    let portal = Portal::unknown();
    for (method, path, body) in routes()
        .into_iter()
        .filter(|(method, path, _)| (*method, *path) != ("PUT", ""))
    {
        let (code, _) = portal.call(method, path, body).await.refused(404);
        assert!(
            ["portal_not_found", "upload_not_found", "user_not_found"].contains(&code.as_str()),
            "{method} {path}: {code}"
        );
    }
    let made = portal.call("PUT", "", Some(settings())).await.expect(201);
    assert_eq!(
        made["feed"],
        json!({
            "authorised": false, "authorised_by": null, "authorised_at": null, "mapping_version": null,
            "last_applied": null, "expected_by": null, "overdue_since": null, "held": null,
        })
    );
    assert_eq!(
        portal
            .call("GET", "/feed/mapping", None)
            .await
            .refused(404)
            .0,
        "mapping_not_found"
    );

    let authorised = portal
        .call("PUT", "/feed/authorisation", None)
        .await
        .expect(201);
    assert_eq!(authorised["authorised_by"], "operator@go1.example");
    portal
        .call("PUT", "/feed/authorisation", None)
        .await
        .expect(200);
    let stored = portal
        .call("PUT", "/feed/mapping", Some(Portal::mapping()))
        .await
        .expect(201);
    let mut expected = Portal::mapping();
    expected["version"] = json!(1);
    expected["created_at"] = stored["created_at"].clone();
    assert_eq!(
        portal.call("GET", "/feed/mapping", None).await.expect(200),
        expected
    );
    assert_eq!(
        portal
            .call("PUT", "/feed/mapping", Some(Portal::mapping()))
            .await
            .expect(200)["version"],
        2
    );

    // Setting the portal up again leaves the feed alone.
    let again = portal.call("PUT", "", Some(settings())).await.expect(200);
    assert_eq!(
        (
            &again["feed"]["authorised"],
            &again["feed"]["mapping_version"]
        ),
        (&json!(true), &json!(2))
    );
    portal
        .call("DELETE", "/feed/authorisation", None)
        .await
        .expect(204);
    portal
        .call("DELETE", "/feed/authorisation", None)
        .await
        .expect(204);
    assert_eq!(
        portal.call("GET", "", None).await.expect(200)["feed"]["authorised"],
        false
    );
}

#[tokio::test]
async fn a_mapping_that_cannot_work_is_refused_with_everything_that_is_wrong() {
    let portal = Portal::set_up().await;
    let line = |field: &str, column: &str| json!({"field": field, "column": column});
    let required = [
        line("email", "Email"),
        line("first_name", "First"),
        line("last_name", "Last"),
    ];
    for (fields, codes) in [
        (
            vec![required[1].clone(), required[2].clone()],
            vec!["required_field_not_mapped"],
        ),
        (
            [&required[..], &[line("shoe_size", "Job")]].concat(),
            vec!["unknown_field"],
        ),
        (
            [&required[..], &[line("job", "Job"), line("job", "Site")]].concat(),
            vec!["field_mapped_twice"],
        ),
        (
            [&required[..], &[line("job", "Nowhere")]].concat(),
            vec!["unknown_column"],
        ),
        (
            vec![
                line("job", "Job"),
                line("job", "Site"),
                line("x", "Job"),
                required[1].clone(),
            ],
            vec![
                "unknown_field",
                "field_mapped_twice",
                "required_field_not_mapped",
                "required_field_not_mapped",
            ],
        ),
    ] {
        let mut mapping = Portal::mapping();
        mapping["fields"] = Value::Array(fields);
        let (first, all) = portal
            .call("PUT", "/feed/mapping", Some(mapping))
            .await
            .refused(422);
        assert_eq!(
            (
                first.as_str(),
                all.iter().map(String::as_str).collect::<Vec<_>>()
            ),
            (codes[0], codes)
        );
    }
    assert_eq!(
        portal
            .call("GET", "/feed/mapping", None)
            .await
            .refused(404)
            .0,
        "mapping_not_found"
    );
}

#[tokio::test]
async fn what_is_no_portal_id_is_refused() {
    let stack = Stack::running();
    let token = stack.token("operator");
    for portal in ["0", "1*", "a", "01", "1234567890123", "%31%2A", "-1", "1.0"] {
        for (method, path, body) in routes() {
            let answer = stack
                .call(
                    method,
                    &format!("/portals/{portal}{path}"),
                    Some(&token),
                    body,
                )
                .await;
            assert_eq!(
                answer.refused(422).0,
                "invalid_portal_id",
                "{method} {portal}{path}"
            );
        }
    }
}

/// Whatever is encoded into a path: it names the portal that it spells, or none.
#[tokio::test]
async fn an_encoded_path_reaches_no_other_portal() {
    let portal = Portal::set_up().await;
    let token = portal.stack.token("operator");
    for suffix in [
        "%20", "%0A", "%09", "%3Fx", "%23x", "%2Ffeed", "%5Cfeed", "%00",
    ] {
        let path = format!("/portals/{}{suffix}", portal.id);
        let answer = portal.stack.call("GET", &path, Some(&token), None).await;
        assert!(
            [404, 422].contains(&answer.status.as_u16()),
            "{path}: {}",
            answer.body
        );
    }
}

#[tokio::test]
async fn what_is_shown_can_be_sent_back() {
    let portal = Portal::ready().await;
    let shown = portal.call("GET", "", None).await.expect(200);
    portal.call("PUT", "", Some(shown)).await.expect(200);
    let mapping = portal.call("GET", "/feed/mapping", None).await.expect(200);
    assert_eq!(
        portal
            .call("PUT", "/feed/mapping", Some(mapping))
            .await
            .expect(200)["version"],
        2
    );
}

#[tokio::test]
async fn what_could_not_be_stored_is_refused() {
    let portal = Portal::set_up().await;
    let mut mapping = Portal::mapping();
    mapping["columns"] = (0..12_000).map(|n| json!(format!("column {n}"))).collect();
    assert_eq!(
        portal
            .call("PUT", "/feed/mapping", Some(mapping))
            .await
            .refused(422)
            .0,
        "invalid_value"
    );
    let mut mapping = Portal::mapping();
    mapping["fields"] = (0..20_000)
        .map(|n| json!({"field": format!("x{n}"), "column": "y"}))
        .collect();
    assert_eq!(
        portal
            .call("PUT", "/feed/mapping", Some(mapping))
            .await
            .refused(422)
            .1
            .len(),
        1
    );
    let mut large = settings();
    large["groups"] = (1..=1_000)
        .map(|id| json!({"id": id, "name": "é".repeat(200)}))
        .collect();
    assert_eq!(
        portal.call("PUT", "", Some(large)).await.refused(422).0,
        "invalid_value"
    );
    let mut unnamed = settings();
    unnamed["groups"] = (1..=900).map(|id| json!({"id": id, "name": ""})).collect();
    assert_eq!(
        portal
            .call("PUT", "", Some(unnamed))
            .await
            .refused(422)
            .1
            .len(),
        100
    );
}

#[tokio::test]
async fn a_body_that_is_none_is_refused_and_never_breaks_us() {
    let portal = Portal::set_up().await;
    let token = portal.stack.token("operator");
    let put = async |path: &str, body: Vec<u8>| {
        portal
            .stack
            .call_raw(
                "PUT",
                &format!("/portals/{}{path}", portal.id),
                Some(&token),
                Some(body),
            )
            .await
    };
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for body in [
        "",
        "{",
        "[]",
        "null",
        "{\"fields\": 1}",
        "{\"fields\": [], \"more\": 1}",
        "\u{FEFF}{}",
        &deep,
    ] {
        for path in ["", "/feed/mapping"] {
            assert_eq!(
                put(path, body.as_bytes().to_vec()).await.refused(422).0,
                "invalid_request",
                "{path}: {body:.40}"
            );
        }
    }
    assert_eq!(
        put("/feed/mapping", b"\xFF\xFE{}".to_vec())
            .await
            .refused(422)
            .0,
        "invalid_request"
    );
    assert_eq!(
        put("/feed/mapping", vec![b' '; 1_000_001])
            .await
            .refused(413)
            .0,
        "body_too_large"
    );
    let (code, all) = put(
        "",
        b"{\"name\":\"\",\"country\":\"x\",\"groups\":[{\"id\":1,\"name\":\"\"}]}".to_vec(),
    )
    .await
    .refused(422);
    assert_eq!((code.as_str(), all.len()), ("invalid_value", 3));
    assert_eq!(
        portal.call("PATCH", "", None).await.refused(405).0,
        "method_not_allowed"
    );
    assert_eq!(
        portal
            .call("GET", "/feed/nothing", None)
            .await
            .refused(404)
            .0,
        "not_found"
    );
}

#[tokio::test]
async fn a_custom_field_that_the_mapping_uses_cannot_be_taken_away() {
    let portal = Portal::ready().await;
    let mut fewer = settings();
    fewer["custom_fields"] = json!([{"name": "job", "label": "Job"}]);
    let (code, _) = portal.call("PUT", "", Some(fewer)).await.refused(422);
    assert_eq!(code, "field_in_use");
    let shown = portal.call("GET", "", None).await.expect(200);
    assert_eq!(shown["custom_fields"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn the_history_comes_in_pages_newest_first() {
    let portal = Portal::ready().await;
    for n in 0..3 {
        portal
            .upload(
                &format!("{n}.csv"),
                format!("Email,First,Last,Status,Job,Site\na{n}@x.example,A,B,,,\n"),
            )
            .await;
    }
    let mut cursor = String::new();
    let mut names = Vec::new();
    loop {
        let page = portal
            .call("GET", &format!("/uploads?limit=2{cursor}"), None)
            .await
            .expect(200);
        names.extend(
            page["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|upload| upload["file_name"].as_str().unwrap().to_owned()),
        );
        match page["cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(names, ["2.csv", "1.csv", "0.csv"]);
    for (query, problems) in [
        ("limit=0", 1),
        ("limit=101", 1),
        ("limit=x", 1),
        ("limit=0&cursor=x", 2),
        ("cursor=UPLOAD%23", 1),
    ] {
        let (code, all) = portal
            .call("GET", &format!("/uploads?{query}"), None)
            .await
            .refused(422);
        assert_eq!(
            (code.as_str(), all.len()),
            ("invalid_value", problems),
            "{query}"
        );
    }
    // Another portal's upload is not found under this one.
    let other = Portal::ready().await;
    let id = portal.uploads().await[0]["upload_id"]
        .as_str()
        .unwrap()
        .to_owned();
    for path in [
        format!("/uploads/{id}"),
        format!("/uploads/{id}/report"),
        "/uploads/x".to_owned(),
        "/uploads/%25FF".to_owned(),
        "/uploads/%25FF/report".to_owned(),
    ] {
        assert_eq!(
            other.call("GET", &path, None).await.refused(404).0,
            "upload_not_found",
            "{path}"
        );
    }
}
