//! A connection is given back to Xero: the right one, completely, and nothing that somebody else needs; when Xero does
//! not answer, later, by tokens that are kept for that alone.

use crate::on_xero::{CompanyOnXero, GONE, ann, until};
use aws_sdk_dynamodb::types::AttributeValue;
use fake_xero::wire::{Route, Scripted};
use serde_json::{Value, json};

/// Nothing of the user's is left at Xero.
async fn nothing_is_left(company: &CompanyOnXero) {
    let left = company.at_xero().await;
    assert_eq!(left.connections, []);
    let tokens = left.refresh_tokens + left.refresh_tokens_in_grace + left.access_tokens;
    assert_eq!(tokens, 0);
}

/// The items of the portal that there were before it had heard of Xero, the audit trail apart.
async fn no_item_is_left(company: &CompanyOnXero) {
    let keys = company.keys("").await.into_iter();
    let keys: Vec<String> = keys.filter(|sk| !sk.starts_with("AUDIT#")).collect();
    assert_eq!(keys, ["PORTAL"]);
    assert_eq!(portals_of(company).await, Vec::<String>::new());
}

/// The portals of which it is known that they have tokens of the company's Xero user.
async fn portals_of(company: &CompanyOnXero) -> Vec<String> {
    let partition = format!("XERO_USER#{}", company.user.user_id);
    let request = company
        .portal
        .stack
        .dynamodb()
        .query()
        .table_name(company.portal.stack.output("FeedTableName"))
        .key_condition_expression("pk = :pk")
        .expression_attribute_values(":pk", AttributeValue::S(partition));
    let found = request.consistent_read(true).send().await.unwrap();
    let items = found.items().iter();
    items
        .map(|item| item["sk"].as_s().unwrap().clone())
        .collect()
}

async fn preview_works(company: &CompanyOnXero) {
    let preview = company.call("GET", "/preview", None).await.expect(200);
    assert_eq!(preview["to_import"][0]["email"], "ann@x.example");
}

/// Requirements 4 and 6 of docs/xero.md: the connection's own id, and not one of the two others.
#[tokio::test]
async fn disconnecting_deletes_the_connection_by_its_id_revokes_and_forgets() {
    let company = CompanyOnXero::chosen(ann()).await;
    preview_works(&company).await;
    let [live] = company.at_xero().await.connections.try_into().unwrap();
    for call in company.xero.calls_about(company.tenant).await.calls {
        let named = call.headers["xero-tenant-id"].clone();
        assert_eq!(named, live.tenant_id.to_string(), "{call:?}");
    }
    assert_eq!(portals_of(&company).await, [company.portal.id.as_str()]);
    company.disconnect().await;
    assert_eq!(company.state().await, "not_connected");
    company.given_back().await;
    nothing_is_left(&company).await;
    no_item_is_left(&company).await;
    let deleted = company.calls_to(Route::DeleteConnection).await;
    let paths: Vec<&str> = deleted.iter().map(|call| call.path.as_str()).collect();
    assert_eq!(paths, [format!("/connections/{}", live.id)]);
    assert_eq!(company.count(Route::Revocation).await, 1);

    // Again: there is nothing to be done.
    let calls = company.xero.calls_of(company.user.user_id).await.calls;
    company.disconnect().await;
    company.sweep().await;
    let again = company.xero.calls_of(company.user.user_id).await.calls;
    assert_eq!(again.len(), calls.len());
    assert_eq!(company.overview().await["giving_back"], false);
}

/// Requirement 6 of docs/xero.md: it is over at once for the administrator, and at Xero as soon as that is possible.
#[tokio::test]
async fn when_xero_is_down_the_connection_is_given_back_later() {
    let down = || vec![Scripted::status(503), Scripted::reset()];
    for (on, answers) in [
        (Route::Connections, down()),
        (Route::Revocation, vec![Scripted::status(503)]),
        (Route::Revocation, vec![Scripted::lost()]),
    ] {
        let company = CompanyOnXero::chosen(ann()).await;
        company.script(on, answers).await;
        company.disconnect().await;
        assert_eq!(company.state().await, "not_connected");
        let [kept] = company.keys("XERO_RETURN#").await.try_into().unwrap();
        until("tried", async || {
            let item = company.portal.item(&kept).await.unwrap();
            item["attempts"].as_n().unwrap() == "1" && company.count(on).await > 0
        })
        .await;
        let item = company.portal.item(&kept).await.unwrap();
        for token in ["access_token", "refresh_token"] {
            assert!(!item[token].as_s().unwrap().is_empty());
        }
        let overview = company.overview().await;
        assert_eq!(
            (&overview["state"], &overview["giving_back"]),
            (&json!("not_connected"), &json!(true))
        );
        // Not before its time.
        company.sweep().await;
        assert_eq!(company.keys("XERO_RETURN#").await, [kept.as_str()]);
        company.due_again().await;
        company.given_back().await;
        nothing_is_left(&company).await;
        no_item_is_left(&company).await;
    }
}

/// Requirement 6 of docs/xero.md: revoking takes what could not be deleted, if nobody else needs it.
#[tokio::test]
async fn a_connection_that_xero_does_not_delete_is_revoked() {
    for trouble in [
        Scripted::status(500),
        Scripted::reset(),
        // It was done, and nobody heard.
        Scripted::lost(),
        Scripted::status(429).header("retry-after", "60"),
        Scripted::status(403),
        Scripted::status(404),
    ] {
        let company = CompanyOnXero::chosen(ann()).await;
        company.script(Route::DeleteConnection, vec![trouble]).await;
        company.disconnect().await;
        company.given_back().await;
        nothing_is_left(&company).await;
        no_item_is_left(&company).await;
    }
}

/// Requirement 6 of docs/xero.md: who is still being disconnected can connect again, and stays connected.
#[tokio::test]
async fn what_is_given_back_late_takes_nothing_of_a_newer_connection_with_it() {
    let mut company = CompanyOnXero::chosen(ann()).await;
    let down = vec![Scripted::status(503), Scripted::status(503)];
    company.script(Route::Connections, down).await;
    company.disconnect().await;
    until("tried", async || {
        let tried = company.keys("XERO_RETURN#").await;
        let item = company.portal.item(&tried[0]).await.unwrap();
        item["attempts"].as_n().unwrap() == "1" && company.count(Route::Connections).await >= 3
    })
    .await;
    company.connect().await;
    company.due_again().await;
    company.choose(company.tenant).await.expect(200);
    company.given_back().await;
    preview_works(&company).await;
    assert_eq!(company.count(Route::Revocation).await, 0);
    company.disconnect().await;
    company.given_back().await;
    nothing_is_left(&company).await;
}

/// Requirement 5 of docs/xero.md: whoever was imported stays, and so does the count of them.
#[tokio::test]
async fn whoever_was_imported_stays_when_the_portal_is_disconnected() {
    let mut company = CompanyOnXero::chosen(ann()).await;
    company.import().await;
    company.given_back().await;
    let users = company.portal.users().await;
    company.connect().await;
    company.choose(company.tenant).await.expect(200);
    company.disconnect().await;
    company.given_back().await;
    nothing_is_left(&company).await;
    assert_eq!(company.portal.users().await, users);
    let overview = company.overview().await;
    assert_eq!(
        (&overview["imported"], &overview["places_left"]),
        (&json!(1), &json!(199))
    );
    assert_ne!(overview["last_import"], Value::Null);
    // What an import remembers stays: of whom somebody is, and how many there were.
    let left = company.keys("XERO").await;
    assert_eq!(left.len(), 2, "{left:?}");
    assert!(left[0].starts_with("XERO_EMPLOYEE#") && left[1] == "XERO_IMPORTED");
}

/// Requirement 5 of docs/xero.md: what was disconnected in Xero can be disconnected here.
#[tokio::test]
async fn a_connection_that_is_gone_at_xero_is_given_back_all_the_same() {
    let company = CompanyOnXero::chosen(ann()).await;
    company.xero.disconnect(company.tenant).await;
    company.disconnect().await;
    company.given_back().await;
    nothing_is_left(&company).await;
    no_item_is_left(&company).await;
    assert_eq!(company.count(Route::DeleteConnection).await, 0);
    assert_eq!(company.count(Route::Revocation).await, 1);
}

#[tokio::test]
async fn a_connection_that_nobody_uses_is_given_back_after_a_day() {
    for chosen in [true, false] {
        let company = match chosen {
            true => CompanyOnXero::chosen(ann()).await,
            false => CompanyOnXero::connected(ann()).await,
        };
        let overview = company.overview().await;
        let day = |text: &Value| text.as_str().unwrap()[..10].to_owned();
        assert_eq!(
            overview["connected_at"].as_str().unwrap()[10..],
            overview["connected_until"].as_str().unwrap()[10..]
        );
        assert!(day(&overview["connected_at"]) < day(&overview["connected_until"]));
        let deeds = company.deeds().await;
        // There is time yet, and whoever comes by changes nothing.
        company.sweep().await;
        let wake = json!({"portal_id": company.portal.id});
        let woken = company
            .portal
            .invoke_function("ImportXeroFunctionName", wake);
        assert_eq!(woken.await, None);
        assert_eq!(company.keys("XERO").await, ["XERO"]);
        assert_eq!(company.connected_at_xero().await, [company.tenant]);

        company.portal.set_text("XERO", "connected_at", GONE).await;
        company.portal.make_due("XERO", GONE).await;
        company.sweep().await;
        until("disconnected", async || {
            company.state().await == "not_connected"
        })
        .await;
        company.given_back().await;
        nothing_is_left(&company).await;
        no_item_is_left(&company).await;
        assert_eq!(company.deeds().await, deeds, "it is nobody's deed");
    }
}

/// Requirement 6 of docs/xero.md: revoking takes everything of the Xero user, and so is for the last one.
#[tokio::test]
async fn a_portal_that_disconnects_leaves_the_other_portal_of_the_same_xero_user_alone() {
    let one = CompanyOnXero::chosen(ann()).await;
    for same_organisation in [false, true] {
        let mut other = one.again_elsewhere().await;
        if !same_organisation {
            other.tenant = one.other_organisation("AU", "ACTIVE").await;
        }
        other.connect().await;
        other.choose(other.tenant).await.expect(200);
        let mut portals = [one.portal.id.clone(), other.portal.id.clone()];
        portals.sort();
        assert_eq!(portals_of(&one).await, portals);
        other.disconnect().await;
        other.given_back().await;
        assert_eq!(one.connected_at_xero().await, [one.tenant]);
        assert_eq!(one.count(Route::Revocation).await, 0);
        assert_eq!(portals_of(&one).await, [one.portal.id.as_str()]);
        assert_eq!(one.state().await, "connected");
        preview_works(&one).await;
        // Its refresh token works as well.
        one.portal.set_text("XERO", "access_expires_at", GONE).await;
        preview_works(&one).await;
    }
    one.disconnect().await;
    one.given_back().await;
    nothing_is_left(&one).await;
    no_item_is_left(&one).await;
}

/// Requirement 6 of docs/xero.md, where the other one has not chosen yet: Xero keeps one connection of both, under the
/// name of the later consent.
#[tokio::test]
async fn what_the_other_portal_may_still_choose_stays_connected() {
    let one = CompanyOnXero::connected(ann()).await;
    let mut other = one.again_elsewhere().await;
    other.connect().await;
    other.choose(other.tenant).await.expect(200);
    other.disconnect().await;
    other.given_back().await;
    assert_eq!(one.connected_at_xero().await, [one.tenant]);
    one.choose(one.tenant).await.expect(200);
    preview_works(&one).await;
    one.disconnect().await;
    one.given_back().await;
    nothing_is_left(&one).await;
    no_item_is_left(&one).await;
}
