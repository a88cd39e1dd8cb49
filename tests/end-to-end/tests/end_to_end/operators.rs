//! What operators do beside setting portals up: seeing how every feed does, and letting administrators in.

use end_to_end::{Answer, Portal, Stack};
use serde_json::{Value, json};

const HEAD: &str = "Email,First,Last,Status,Job,Site";

async fn list(stack: &Stack, query: &str) -> Answer {
    let token = stack.token("operator");
    let path = format!("/portals?{query}");
    stack.call("GET", &path, Some(&token), None).await
}

/// The portal's line, found by the cursor of the number before.
pub(crate) async fn listed(portal: &Portal) -> Value {
    let before = portal.id.parse::<u64>().unwrap() - 1;
    let page = list(&portal.stack, &format!("limit=100&cursor={before}")).await;
    let page = page.expect(200);
    let lines = page["items"].as_array().unwrap().iter();
    let mut lines = lines.filter(|line| line["portal_id"] == portal.id);
    lines.next().unwrap().clone()
}

#[tokio::test]
async fn operators_see_every_portal_with_the_health_of_its_feed() {
    let (new, fed) = (Portal::set_up().await, Portal::ready().await);
    assert_eq!(
        listed(&new).await,
        json!({
            "portal_id": new.id, "name": "A company", "country": "AU", "authorised": false,
            "mapping_version": null, "last_file": null, "held": null, "overdue_since": null,
            "off_boarding_since": null,
        })
    );

    let people = |n: u32, status: u32| -> String {
        let rows = (0..n).map(|n| format!("p{n}@x.example,P,Q{n},{status},,\n"));
        format!("{HEAD}\n{}", rows.collect::<String>())
    };
    fed.upload("a.csv", people(4, 1)).await;
    let held = fed.upload("b.csv", people(4, 0)).await;
    assert_eq!(held.status(), "held");
    // A rehearsal is nobody's last file.
    fed.upload("rehearsal/c.csv", people(4, 1)).await;
    let line = listed(&fed).await;
    assert_eq!(
        (&line["authorised"], &line["mapping_version"]),
        (&json!(true), &json!(1))
    );
    assert_eq!(
        line["last_file"],
        json!({
            "upload_id": held.id(), "file_name": "b.csv", "status": "held",
            "received_at": held.record["received_at"],
        })
    );
    assert_eq!(line["held"]["upload_id"], held.id());
    assert_eq!(
        (
            &line["held"]["disables"],
            &line["held"]["creates"],
            &line["held"]["reason"]
        ),
        (&json!(4), &json!(0), &json!("too_many_disables"))
    );
    // A hold that is not the last file's is still the portal's.
    fed.upload("d.csv", "x").await;
    let line = listed(&fed).await;
    assert_eq!(line["last_file"]["status"], "rejected");
    assert_eq!(line["held"]["disables"], 4);
    // The portal's own administrators see the same.
    let portal = fed.call("GET", "", None).await.expect(200);
    assert_eq!(portal["feed"]["held"], line["held"]);
    let decision = json!({"decision": "reject"});
    let path = format!("/uploads/{}/held-disables", held.id());
    fed.call("POST", &path, Some(decision)).await.expect(200);
    let portal = fed.call("GET", "", None).await.expect(200);
    assert_eq!(portal["feed"]["held"], json!(null));
}

/// When the portal's feed was last applied.
async fn last_applied(portal: &Portal) -> Value {
    let portal = portal.call("GET", "", None).await.expect(200);
    portal["feed"]["last_applied"].clone()
}

#[tokio::test]
async fn a_portal_says_when_a_file_of_it_was_last_applied() {
    let portal = Portal::ready().await;
    let row = "p@x.example,P,Q,1,,\n";
    let refused = portal.upload("refused.csv", "x").await;
    assert_eq!(refused.status(), "rejected");
    let nobody = format!("{HEAD}\nno address,P,Q,1,,\n");
    portal.upload("nobody.csv", nobody).await;
    portal
        .upload("rehearsal/a.csv", format!("{HEAD}\n{row}"))
        .await;
    assert_eq!(last_applied(&portal).await, Value::Null);

    let applied = portal.upload("a.csv", format!("{HEAD}\n{row}")).await;
    assert_eq!(last_applied(&portal).await, applied.record["finished_at"]);
    portal
        .upload("rehearsal/b.csv", format!("{HEAD}\n{row}"))
        .await;
    assert_eq!(last_applied(&portal).await, applied.record["finished_at"]);
    // What is not held of a file is applied, and what was held once it is approved.
    let rows: String = (0..3)
        .map(|n| format!("p{n}@x.example,P,Q,1,,\n"))
        .collect();
    portal.upload("c.csv", format!("{HEAD}\n{rows}")).await;
    let held = portal
        .upload("d.csv", format!("{HEAD}\n{}", rows.replace(",1,", ",0,")))
        .await;
    assert_eq!(held.status(), "held");
    assert_eq!(last_applied(&portal).await, held.record["finished_at"]);
}

#[tokio::test]
async fn the_list_of_portals_comes_in_pages_and_names_each_once() {
    let portals = [
        Portal::set_up().await,
        Portal::set_up().await,
        Portal::set_up().await,
    ];
    let stack = &portals[0].stack;
    let mut cursor = (portals[0].id.parse::<u64>().unwrap() - 1).to_string();
    let mut seen: Vec<String> = Vec::new();
    while seen.last().is_none_or(|last| *last < portals[2].id) {
        let page = list(stack, &format!("limit=2&cursor={cursor}"))
            .await
            .expect(200);
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= 2);
        seen.extend(
            items
                .iter()
                .map(|it| it["portal_id"].as_str().unwrap().to_owned()),
        );
        match page["cursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => break,
        }
    }
    for portal in &portals {
        assert_eq!(seen.iter().filter(|id| **id == portal.id).count(), 1);
    }
    for query in ["limit=0", "limit=101", "cursor=x", "cursor=01"] {
        assert_eq!(
            list(stack, query).await.refused(422).0,
            "invalid_value",
            "{query}"
        );
    }
    let administrator = stack.token("administrator");
    let refused = stack
        .call("GET", "/portals", Some(&administrator), None)
        .await;
    assert_eq!(refused.refused(403).0, "forbidden");
    assert_eq!(stack.call("GET", "/portals", None, None).await.status, 401);
}

async fn invite(portal: &Portal, email: &str) -> Answer {
    portal
        .call("POST", "/administrators", Some(json!({"email": email})))
        .await
}

/// The ID token of an account whose owner has chosen a password.
async fn sign_in(stack: &Stack, email: &str) -> String {
    let (cognito, pool) = (stack.cognito(), stack.output("UserPoolId"));
    let password = "Correct-horse-7-battery";
    let chosen = cognito
        .admin_set_user_password()
        .user_pool_id(&pool)
        .username(email);
    chosen
        .password(password)
        .permanent(true)
        .send()
        .await
        .unwrap();
    let signed_in = cognito
        .admin_initiate_auth()
        .user_pool_id(&pool)
        .client_id(stack.output("UserPoolClientId"))
        .auth_flow(aws_sdk_cognitoidentityprovider::types::AuthFlowType::AdminUserPasswordAuth)
        .auth_parameters("USERNAME", email)
        .auth_parameters("PASSWORD", password)
        .send()
        .await
        .unwrap();
    let tokens = signed_in.authentication_result.unwrap();
    tokens.id_token.unwrap()
}

#[tokio::test]
async fn an_administrator_is_given_an_account_and_acts_for_that_portal_alone() {
    let (portal, other) = (Portal::set_up().await, Portal::set_up().await);
    let email = format!("ann@{}.example", portal.id);
    let made = invite(&portal, &format!(" {} ", email.to_uppercase()))
        .await
        .expect(201);
    assert_eq!(
        (&made["portal_id"], &made["email"]),
        (&json!(portal.id), &json!(email))
    );
    assert_eq!(made["status"], "invited");
    assert_eq!(made.as_object().unwrap().len(), 4, "no password: {made}");
    // Asked again, in another spelling: the same account.
    let again = invite(&portal, &email).await.expect(200);
    assert_eq!(again["account_id"], made["account_id"]);

    let token = sign_in(&portal.stack, &email).await;
    let call = async |portal: &Portal, method: &str, path: &str| {
        let path = format!("/portals/{}{path}", portal.id);
        portal.stack.call(method, &path, Some(&token), None).await
    };
    let authorised = call(&portal, "PUT", "/feed/authorisation")
        .await
        .expect(201);
    assert_eq!(authorised["authorised_by"], email);
    assert_eq!(call(&other, "GET", "").await.refused(403).0, "forbidden");
    assert_eq!(
        call(&portal, "DELETE", "").await.refused(403).0,
        "forbidden"
    );
    let body = Some(json!({"email": "bo@x.example"}));
    let path = format!("/portals/{}/administrators", portal.id);
    let refused = portal.stack.call("POST", &path, Some(&token), body).await;
    assert_eq!(refused.refused(403).0, "forbidden");
    assert_eq!(
        invite(&portal, &email).await.expect(200)["status"],
        "active"
    );

    // One account, one portal; and operators are none of them.
    assert_eq!(invite(&other, &email).await.refused(409).0, "account_taken");
    let operator = invite(&portal, "operator@go1.example").await;
    assert_eq!(operator.refused(409).0, "account_taken");
    assert_eq!(call(&other, "GET", "").await.refused(403).0, "forbidden");
}

#[tokio::test]
async fn an_account_that_was_made_by_half_is_brought_to_its_end() {
    let portal = Portal::set_up().await;
    let email = format!("half@{}.example", portal.id);
    // As a crash leaves it: with the portal's number, in no group, and not remembered.
    let attribute = |name: &str, value: &str| {
        let attribute = aws_sdk_cognitoidentityprovider::types::AttributeType::builder();
        attribute.name(name).value(value).build().unwrap()
    };
    portal
        .stack
        .cognito()
        .admin_create_user()
        .user_pool_id(portal.stack.output("UserPoolId"))
        .username(&email)
        .user_attributes(attribute("email", &email))
        .user_attributes(attribute("custom:portal_id", &portal.id))
        .send()
        .await
        .unwrap();
    let own = async |token: &str| {
        let path = format!("/portals/{}", portal.id);
        portal.stack.call("GET", &path, Some(token), None).await
    };
    let token = sign_in(&portal.stack, &email).await;
    assert_eq!(own(&token).await.refused(403).0, "forbidden");
    invite(&portal, &email).await.expect(200);
    let token = sign_in(&portal.stack, &email).await;
    own(&token).await.expect(200);
}

#[tokio::test]
async fn what_is_no_address_or_no_portal_gets_no_account() {
    let portal = Portal::set_up().await;
    for body in [
        json!({}),
        json!({"email": 7}),
        json!({"email": "a@x.example", "name": "A"}),
    ] {
        let refused = portal.call("POST", "/administrators", Some(body)).await;
        assert_eq!(refused.refused(422).0, "invalid_request");
    }
    for email in ["", "ann", "ann@company", "a@x.example, b@x.example"] {
        assert_eq!(
            invite(&portal, email).await.refused(422).0,
            "invalid_value",
            "{email}"
        );
    }
    let unknown = invite(&Portal::unknown(), "ann@x.example").await;
    assert_eq!(unknown.refused(404).0, "portal_not_found");
}
