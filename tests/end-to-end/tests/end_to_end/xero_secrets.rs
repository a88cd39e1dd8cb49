//! What nobody may see: codes, tokens, our app's secret, the state and what a browser proves itself by. They are in no
//! log, in no item as they are, in no answer, and in no address but the one by which Xero sends them.

use crate::on_xero::{CompanyOnXero, GONE, ann, parameter, until, with};
use aws_sdk_dynamodb::types::AttributeValue;
use end_to_end::{Answered, Traces};
use fake_xero::wire::{Person, Route, Scripted};
use serde_json::json;
use std::time::SystemTime;
use url::Url;

/// In every name and address at Xero, and nowhere else.
const NEEDLE: &str = "Nadelheim";

/// Base64 of these bytes, at each of the three places where they can begin: without what their neighbours decide.
fn as_base64(text: &str) -> Vec<String> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = |bytes: &[u8]| -> String {
        let whole = bytes.chunks_exact(3);
        let digits = whole.flat_map(|chunk| {
            let bits = chunk
                .iter()
                .fold(0, |bits, byte| bits << 8 | usize::from(*byte));
            [18, 12, 6, 0].map(|shift| char::from(DIGITS[bits >> shift & 63]))
        });
        digits.collect()
    };
    (0..3)
        .map(|skip| digits(&text.as_bytes()[skip..]))
        .collect()
}

/// What is found of these secrets in a text, by its place.
fn found(place: &str, text: &str, secrets: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    for secret in secrets {
        // A part of it is as bad; the first part of a token is everybody's.
        let end = &secret[secret.len().saturating_sub(24)..];
        let hidden = as_base64(end);
        if text.contains(end) || hidden.iter().any(|hidden| text.contains(hidden)) {
            found.push(format!("{place}: ...{end}"));
        }
    }
    found
}

/// Everything that the tables have of the company.
async fn tables(company: &CompanyOnXero) -> String {
    let mut all = format!(
        "{:?}",
        Traces::of(&company.portal.stack, &company.portal.id).await
    );
    for partition in [
        format!("XERO_USER#{}", company.user.user_id),
        format!("XERO_ORGANISATION#{}", company.tenant),
    ] {
        let request = company.portal.stack.dynamodb().query();
        let request = request
            .table_name(company.portal.stack.output("FeedTableName"))
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", AttributeValue::S(partition));
        let answer = request.send().await.unwrap();
        all.push_str(&format!("{:?}", answer.items()));
    }
    all
}

#[tokio::test]
async fn codes_tokens_and_the_apps_secret_are_nowhere_to_be_seen() {
    let email = |name: &str| format!("{name}@{NEEDLE}.example");
    let begun = SystemTime::now();
    let mut company = CompanyOnXero::new(Vec::new()).await;
    let address = email(&company.portal.id);
    company.user = company.xero.user_with(&address, NEEDLE, NEEDLE).await;
    let people = vec![
        Person::named(NEEDLE, "One", &email("one")),
        Person::named(NEEDLE, NEEDLE, &format!("{NEEDLE} has none")),
    ];
    let made = company.xero.australian(&company.user, NEEDLE, people).await;
    company.tenant = made.tenant_id;
    let mut secrets = vec!["fake-secret".to_owned()];
    let mut shown: Vec<String> = Vec::new();
    let show = |shown: &mut Vec<String>, it: Answered| {
        shown.push(format!("{:?} {:?} {}", it.headers, it.location, it.text));
    };
    // There and back: refused, cancelled, refused by Xero, well.
    let mut callback = company.callback().await;
    for _ in 0..2 {
        let state = parameter(&callback, "state");
        secrets.push(state.split_once('.').unwrap().1.to_owned());
        secrets.extend(company.browser.cookies.values().cloned());
        let mut another = end_to_end::Browser::new(&company.portal.stack);
        let back = another.follow(&callback).await;
        show(&mut shown, back);
        let back = company.browser.follow(&callback).await;
        assert_eq!(back.status, 303);
        show(&mut shown, back);
        show(&mut shown, company.browser.follow(&callback).await);
        callback = company.callback().await;
    }
    let state = parameter(&callback, "state");
    secrets.push(state.split_once('.').unwrap().1.to_owned());
    secrets.extend(company.browser.cookies.values().cloned());
    company
        .script(
            Route::Token,
            vec![Scripted::status(500).body("fake-secret")],
        )
        .await;
    show(&mut shown, company.browser.follow(&callback).await);
    let unknown = company.callback().await;
    let code = "a-code-that-xero-does-not-know-0123456789";
    secrets.push(code.to_owned());
    let unknown = with(&unknown, "code", Some(code));
    show(&mut shown, company.browser.follow(&unknown).await);

    // Used, refreshed, refused.
    let mut ask = async |method: &str, path: &str, body| {
        let answer = company.call(method, path, body).await;
        shown.push(String::from_utf8_lossy(&answer.bytes).into_owned());
    };
    let tenant = json!({"tenant_id": company.tenant.to_string()});
    ask("GET", "/organisations", None).await;
    ask("PUT", "/organisation", Some(tenant)).await;
    ask("GET", "/preview", None).await;
    company
        .portal
        .set_text("XERO", "access_expires_at", GONE)
        .await;
    ask("GET", "/preview", None).await;
    let given = company.xero.secrets(company.user.user_id).await;
    let echo = |status| Scripted::status(status).body(given.join(" "));
    for (on, status) in [
        (Route::Connections, 500),
        (Route::Connections, 400),
        (Route::Connections, 403),
        (Route::Employees, 401),
        (Route::Employees, 418),
    ] {
        // An answer that quotes everything is quoted by nobody.
        company.script(on, vec![echo(status), echo(status)]).await;
        ask("GET", "/preview", None).await;
        ask("GET", "", None).await;
        ask("GET", "/preview", None).await;
    }
    company
        .portal
        .set_text("XERO", "access_expires_at", GONE)
        .await;
    company.script(Route::Token, vec![echo(400)]).await;
    ask("GET", "/preview", None).await;

    // Tokens that wait to be given back.
    company.script(Route::Revocation, vec![echo(503)]).await;
    company.disconnect().await;
    until("tried", async || {
        company.count(Route::Revocation).await > 0 || company.keys("XERO_RETURN#").await.is_empty()
    })
    .await;
    let waiting = tables(&company).await;
    let waits = !company.keys("XERO_RETURN#").await.is_empty();
    if waits {
        company.due_again().await;
    }
    company.given_back().await;
    company.connect().await;
    company.choose(company.tenant).await.expect(200);
    let connected = tables(&company).await;
    company.import().await;
    company.given_back().await;
    let ended = tables(&company).await;
    assert!(connected.contains("refresh_token") && !ended.contains("refresh_token"));
    assert!(
        waits && waiting.contains("refresh_token"),
        "tokens were waiting"
    );

    secrets.extend(company.xero.secrets(company.user.user_id).await);
    assert!(secrets.len() > 15, "{}", secrets.len());
    let mut seen = Vec::new();
    for (place, text) in [
        ("waiting", &waiting),
        ("connected", &connected),
        ("ended", &ended),
    ] {
        seen.extend(found(place, text, &secrets));
    }
    for text in &shown {
        seen.extend(found("answer", text, &secrets));
    }
    // Lines arrive a moment after the work is done; each time something was given back, or imported, there is one.
    let mine = format!("\"portal_id\":\"{}\"", company.portal.id);
    let stack = &company.portal.stack;
    until("printed", async || {
        stack.logs_since(begun).await.matches(&mine).count() > 3
    })
    .await;
    let logs = stack.logs_since(begun).await;
    seen.extend(found("log", &logs, &secrets));
    assert_eq!(seen, Vec::<String>::new());
    assert!(!logs.contains(NEEDLE), "{}", around(&logs));
}

#[tokio::test]
async fn the_way_to_xero_shows_xero_no_more_than_it_must() {
    let mut company = CompanyOnXero::connected(ann()).await;
    let secrets = company.xero.secrets(company.user.user_id).await;
    let authorise_url = company.browser.begin(&company.portal).await;
    let cookie = company.browser.cookies.values().next().unwrap().clone();
    let secrets = [secrets, vec!["fake-secret".to_owned(), cookie]].concat();
    let seen = found("authorise_url", &authorise_url, &secrets);
    assert_eq!(seen, Vec::<String>::new());
    let url = Url::parse(&authorise_url).unwrap();
    let organisations = [company.tenant];
    let consent = company
        .xero
        .consent(url.as_str(), company.user.user_id, &organisations);
    let callback = consent.await;
    let back = company.browser.follow(&callback).await;
    let location = back.location.unwrap();
    assert_eq!(Url::parse(&location).unwrap().query(), None);
    let code = parameter(&callback, "code");
    assert!(!location.contains(&code) && !format!("{:?}", back.headers).contains(&code));
    // Nor are they in an address that Xero is asked by.
    let secrets = company.xero.secrets(company.user.user_id).await;
    for call in company.xero.calls_of(company.user.user_id).await.calls {
        let asked = format!("{} {} {:?}", call.path, call.query, call.headers);
        assert_eq!(found("call", &asked, &secrets), Vec::<String>::new());
    }
}

/// What is sealed for one portal and one use opens for no other.
#[tokio::test]
async fn tokens_that_are_moved_to_another_portal_are_worth_nothing_there() {
    let victim = CompanyOnXero::chosen(ann()).await;
    let thief = CompanyOnXero::chosen(ann()).await;
    let stolen = victim.portal.item("XERO").await.unwrap();
    let own = thief.portal.item("XERO").await.unwrap();
    let text = |item: &std::collections::HashMap<String, AttributeValue>, name: &str| {
        item[name].as_s().unwrap().clone()
    };
    let calls = victim.xero.calls_of(victim.user.user_id).await.calls.len();
    for (name, value) in [
        ("access_token", text(&stolen, "access_token")),
        ("access_token", text(&own, "refresh_token")),
    ] {
        thief.portal.set_text("XERO", name, &value).await;
        let answer = thief.call("GET", "/preview", None).await;
        assert_eq!(answer.status.as_u16(), 500, "{}", answer.body);
    }
    let restored = text(&own, "access_token");
    thief
        .portal
        .set_text("XERO", "access_token", &restored)
        .await;
    thief.call("GET", "/preview", None).await.expect(200);
    let after = victim.xero.calls_of(victim.user.user_id).await.calls.len();
    assert_eq!(after, calls, "Xero was not asked with another's token");
}

/// Where the needle is.
fn around(logs: &str) -> &str {
    let at = logs.find(NEEDLE).unwrap_or_default();
    let line = logs[..at].rfind('\n').map_or(0, |at| at + 1);
    &logs[line..(at + 40).min(logs.len())]
}
