//! The tokens of a connection: refreshed by one at a time, stored before they are used, and never tried again and again.

use crate::on_xero::{CompanyOnXero, GONE, NOT_SOON, ann, until};
use aws_sdk_dynamodb::types::AttributeValue;
use fake_xero::wire::{Route, Scripted};
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::collections::HashMap;

/// A refresh token that nobody uses is dead after 60 days.
const A_DAY_MORE: u32 = 61 * 24 * 60 * 60;

async fn stored(company: &CompanyOnXero) -> HashMap<String, AttributeValue> {
    company.portal.item("XERO").await.unwrap()
}

fn version(stored: &HashMap<String, AttributeValue>) -> &str {
    stored["tokens_version"].as_n().unwrap()
}

/// What is known here says that the access token has expired.
async fn expire(company: &CompanyOnXero) {
    let portal = &company.portal;
    portal.set_text("XERO", "access_expires_at", GONE).await;
}

/// As Xero refuses a token that has expired.
fn expired() -> Scripted {
    let detail = "TokenExpired: token expired at 11/22/2026 10:00:00";
    Scripted::status(401).body(json!({"Title": "Unauthorized", "Status": 401, "Detail": detail}))
}

async fn preview(company: &CompanyOnXero) -> Value {
    company.call("GET", "/preview", None).await.expect(200)
}

#[tokio::test]
async fn an_access_token_that_has_expired_is_refreshed_once() {
    let company = CompanyOnXero::chosen(ann()).await;
    let before = stored(&company).await;
    let shown = preview(&company).await;
    assert_eq!(
        (version(&before), company.count(Route::Token).await),
        ("1", 1)
    );
    expire(&company).await;
    assert_eq!(preview(&company).await, shown);
    let after = stored(&company).await;
    assert_eq!(
        (version(&after), company.count(Route::Token).await),
        ("2", 2)
    );
    for token in ["access_token", "refresh_token", "access_expires_at"] {
        assert_ne!(after[token], before[token], "{token}");
    }
    assert!(!after.contains_key("refreshing_by"));
    for kept in ["consent", "chosen", "connected_at", "due_at", "xero_user"] {
        assert_eq!(after[kept], before[kept], "{kept}");
    }
    let at_xero = company.at_xero().await;
    assert_eq!(
        (at_xero.refresh_tokens, at_xero.refresh_tokens_in_grace),
        (1, 1)
    );
    // It is good for half an hour.
    assert_eq!(preview(&company).await, shown);
    assert_eq!(stored(&company).await, after);
    assert_eq!(company.count(Route::Token).await, 2);
}

/// Requirement 1 of docs/xero.md: who dies after a refresh has not lost the refresh token.
#[tokio::test]
async fn new_tokens_are_stored_before_they_are_used() {
    let company = CompanyOnXero::chosen(ann()).await;
    expire(&company).await;
    let begun = company.count(Route::Connections).await;
    company
        .script(Route::Connections, vec![Scripted::delay_ms(3_000)])
        .await;
    let look = async {
        until("asked", async || {
            company.count(Route::Connections).await > begun
        })
        .await;
        version(&stored(&company).await).to_owned()
    };
    let asked = preview(&company);
    tokio::pin!(asked);
    let version = tokio::select! {
        version = look => version,
        _ = &mut asked => panic!("nobody had the time to look"),
    };
    assert_eq!(version, "2");
    asked.await;
}

/// Requirement 2 of docs/xero.md: a refresh token is used by one at a time.
#[tokio::test]
async fn of_three_who_find_the_token_expired_one_refreshes_it() {
    let company = CompanyOnXero::chosen(ann()).await;
    for delay in [0, 1_500] {
        let before = company.count(Route::Token).await;
        company
            .script(Route::Token, vec![Scripted::delay_ms(delay)])
            .await;
        expire(&company).await;
        let previews = join_all((0..3).map(|_| preview(&company))).await;
        assert_eq!(previews[0]["to_import"][0]["email"], "ann@x.example");
        assert!(previews.iter().all(|it| *it == previews[0]));
        assert_eq!(company.count(Route::Token).await, before + 1);
    }
    assert_eq!(version(&stored(&company).await), "3");
    let most = company.xero.calls_about(company.tenant).await.most_at_once;
    assert_eq!(most[&company.tenant], 1, "one call at a time");
}

#[tokio::test]
async fn a_token_that_xero_says_has_expired_is_refreshed_and_the_call_made_once_more() {
    let company = CompanyOnXero::chosen(ann()).await;
    // Before the first call, and between two of them.
    let connections = company.count(Route::Connections).await;
    company.xero.expire_access(company.user.user_id).await;
    let shown = preview(&company).await;
    assert_eq!(company.count(Route::Token).await, 2);
    assert_eq!(company.count(Route::Connections).await, connections + 2);
    let employees = company.count(Route::Employees).await;
    company.script(Route::Employees, vec![expired()]).await;
    assert_eq!(preview(&company).await, shown);
    assert_eq!(company.count(Route::Token).await, 3);
    assert_eq!(company.count(Route::Employees).await, employees + 2);

    // Who says so twice is not asked a third time.
    let twice = vec![expired(), expired()];
    company.script(Route::Employees, twice).await;
    let refused = company.call("GET", "/preview", None).await.refused(409).0;
    assert_eq!(refused, "xero_reconnect_needed");
    assert_eq!(company.count(Route::Token).await, 4);
    assert_eq!(company.count(Route::Employees).await, employees + 4);
    assert_eq!(preview(&company).await, shown);
    assert_eq!(company.count(Route::Token).await, 4);
}

/// Requirement 1 of docs/xero.md: tokens that Xero takes no more are not tried again and again.
#[tokio::test]
async fn a_refresh_token_that_is_dead_means_connecting_again() {
    let mut company = CompanyOnXero::chosen(ann()).await;
    company.xero.advance(company.user.user_id, A_DAY_MORE).await;
    let refused = company.call("GET", "/preview", None).await.refused(409).0;
    assert_eq!(refused, "xero_reconnect_needed");
    assert_eq!(company.count(Route::Token).await, 2);
    let calls = company.xero.calls_of(company.user.user_id).await.calls;
    let import = json!({"assign_courses": true});
    let tenant = json!({"tenant_id": company.tenant.to_string()});
    for (method, path, body) in [
        ("GET", "/preview", None),
        ("GET", "/organisations", None),
        ("PUT", "/organisation", Some(tenant)),
        ("POST", "/import", Some(import)),
    ] {
        let refused = company.call(method, path, body).await.refused(409).0;
        assert_eq!(refused, "xero_reconnect_needed", "{method} {path}");
    }
    assert_eq!(company.state().await, "reconnect_needed");
    assert_eq!(company.deeds().await.len(), 3, "no import was begun");
    let after = company.xero.calls_of(company.user.user_id).await.calls;
    assert_eq!(after.len(), calls.len(), "Xero was not asked again");

    company.connect().await;
    company.choose(company.tenant).await.expect(200);
    assert_eq!(
        preview(&company).await["to_import"][0]["email"],
        "ann@x.example"
    );
    // With the dead ones nothing can be given back, so that is over.
    company.given_back().await;
    assert_eq!(company.state().await, "connected");
}

/// Requirement 1 of docs/xero.md: before tokens are given up it is looked whether they are others by now.
#[tokio::test]
async fn a_refusal_of_tokens_that_somebody_has_replaced_meanwhile_is_no_matter() {
    let company = CompanyOnXero::chosen(ann()).await;
    expire(&company).await;
    let stale = Scripted {
        delay_ms: Some(2_000),
        ..Scripted::status(400).body(json!({"error": "invalid_grant"}))
    };
    company.script(Route::Token, vec![stale]).await;
    let replace = async {
        until("asked", async || company.count(Route::Token).await == 2).await;
        let request = company.portal.stack.dynamodb().update_item();
        let request = request
            .table_name(company.portal.stack.output("FeedTableName"))
            .key("pk", AttributeValue::S(company.portal.id.clone()))
            .key("sk", AttributeValue::S("XERO".to_owned()))
            .update_expression("SET access_expires_at = :later ADD tokens_version :one")
            .expression_attribute_values(":later", AttributeValue::S(NOT_SOON.to_owned()))
            .expression_attribute_values(":one", AttributeValue::N("1".to_owned()));
        request.send().await.unwrap();
    };
    let (shown, ()) = tokio::join!(preview(&company), replace);
    assert_eq!(shown["to_import"][0]["email"], "ann@x.example");
    assert_eq!(company.count(Route::Token).await, 2);
    assert_eq!(company.state().await, "connected");
}

#[tokio::test]
async fn a_refresh_that_xero_does_not_answer_is_made_again_by_whoever_comes_next() {
    let company = CompanyOnXero::chosen(ann()).await;
    for trouble in [
        Scripted::status(503),
        Scripted::reset(),
        Scripted::malformed(),
        // Xero has made new tokens, which never came; it takes the old ones for half an hour.
        Scripted::lost(),
    ] {
        expire(&company).await;
        let before = stored(&company).await;
        let tokens = company.count(Route::Token).await;
        company.script(Route::Token, vec![trouble]).await;
        let refused = company.call("GET", "/preview", None).await.refused(503).0;
        assert_eq!(refused, "xero_unavailable");
        assert_eq!(stored(&company).await, before);
        // Nor does the overview say that it is over.
        company
            .script(Route::Token, vec![Scripted::status(500)])
            .await;
        let overview = company.overview().await;
        assert_eq!(
            (&overview["state"], &overview["xero_answers"]),
            (&json!("connected"), &json!(false))
        );
        preview(&company).await;
        assert_eq!(company.count(Route::Token).await, tokens + 3);
    }
}
