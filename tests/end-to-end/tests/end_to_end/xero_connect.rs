//! The way to Xero and back: who comes back is who was sent, once, in the same browser, and goes to the stack's own
//! page. Whoever does not is shown a page, and nothing is stored.

use crate::on_xero::{CompanyOnXero, GONE, NOT_SOON, ann, page, parameter, until, with};
use aws_sdk_dynamodb::types::AttributeValue;
use end_to_end::{Answered, Browser};
use fake_xero::wire::{Route, Scripted};
use reqwest::header::{COOKIE, HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use url::Url;
use uuid::Uuid;

const EXPIRED: &str = "This page has expired";

const SCOPES: &str =
    "openid profile email offline_access accounting.settings.read payroll.employees.read";

/// The page of a portal's import, which the stack names.
fn own_page(company: &CompanyOnXero) -> String {
    let page = company.portal.stack.output("PortalUrl");
    format!("{page}/portals/{}/xero", company.portal.id)
}

fn cookie_header(cookie: &[u8]) -> HeaderMap {
    HeaderMap::from_iter([(COOKIE, HeaderValue::from_bytes(cookie).unwrap())])
}

/// A browser that has never been here.
fn another(company: &CompanyOnXero) -> Browser {
    Browser::new(&company.portal.stack)
}

#[tokio::test]
async fn the_way_to_xero_is_the_registered_one_and_is_bound_to_the_browser() {
    let mut company = CompanyOnXero::new(ann()).await;
    let authorise_url = company.browser.begin(&company.portal).await;
    let url = Url::parse(&authorise_url).unwrap();
    let base = format!("{}/identity/connect/authorize?", company.xero.base_url());
    assert!(authorise_url.starts_with(&base), "{authorise_url}");
    let asked: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
    let redirect_uri = format!("{}/xero/callback", company.portal.stack.output("ApiUrl"));
    for (name, expected) in [
        ("response_type", "code"),
        ("client_id", "fake-client"),
        ("redirect_uri", redirect_uri.as_str()),
        ("scope", SCOPES),
        ("code_challenge_method", "S256"),
    ] {
        assert_eq!(asked[name], expected);
    }
    // 32 bytes each, as base64url: the SHA-256 of what the browser keeps, and what nobody can guess.
    assert_eq!(asked["code_challenge"].len(), 43);
    let (number, random) = asked["state"].split_once('.').unwrap();
    assert_eq!((number, random.len()), (company.portal.id.as_str(), 43));
    assert_eq!(asked.len(), 7, "{asked:?}");

    let [cookie] = company.browser.set_cookies.as_slice() else {
        panic!("one cookie: {:?}", company.browser.set_cookies);
    };
    let mut parts = cookie.split("; ");
    let (name, verifier) = parts.next().unwrap().split_once('=').unwrap();
    let attributes: BTreeSet<&str> = parts.collect();
    // The local cloud has no https. What there is besides where there is, a test of `connect` says.
    let expected = ["HttpOnly", "SameSite=Lax", "Max-Age=600", "Path=/"];
    assert_eq!(attributes, expected.into());
    assert!(name.starts_with("xero-"));
    assert_eq!(verifier.len(), 43);
    // Neither the state nor what the browser proves itself by is kept, and the browser has not the state.
    let kept = format!("{:?}", company.portal.items().await);
    for secret in [random, verifier] {
        assert!(!kept.contains(secret));
    }
    assert!(!authorise_url.contains(verifier) && !cookie.contains(random));
    assert_eq!(company.keys("XERO").await.len(), 1);

    // Another attempt has nothing in common with it.
    let again = Url::parse(&company.browser.begin(&company.portal).await).unwrap();
    for name in ["state", "code_challenge"] {
        assert_ne!(parameter(&again, name), asked[name]);
    }
    assert_eq!(company.browser.cookies.len(), 2);
}

#[tokio::test]
async fn who_comes_back_is_connected_and_sent_to_the_portals_own_page() {
    let mut company = CompanyOnXero::new(ann()).await;
    assert_eq!(company.state().await, "not_connected");
    let callback = company.callback().await;
    let back = company.browser.follow(&callback).await;
    assert_eq!(back.status, 303, "{back:?}");
    assert_eq!(back.location, Some(own_page(&company)));
    assert_eq!(back.headers["referrer-policy"], "no-referrer");
    assert_eq!(back.headers["cache-control"], "no-store");
    assert!(company.browser.cookies.is_empty(), "it is taken away");
    assert!(company.browser.set_cookies[0].contains("Max-Age=0"));
    assert_eq!(company.keys("XERO").await, ["XERO"]);
    let overview = company.overview().await;
    assert_eq!(overview["state"], "organisation_not_chosen");
    assert_eq!(overview["organisation"], Value::Null);
    assert_eq!(overview["xero_answers"], true);

    company.choose(company.tenant).await.expect(200);
    assert_eq!(company.state().await, "connected");
    // What is so already leaves the trail alone.
    company.choose(company.tenant).await.expect(200);
    company.disconnect().await;
    company.disconnect().await;
    assert_eq!(company.state().await, "not_connected");
    assert_eq!(
        company.deeds().await,
        [
            "portal_set_up",
            "xero_connected",
            "xero_organisation_chosen",
            "xero_disconnected"
        ]
    );
    let trail = company.trail().await;
    assert_eq!(trail[2]["tenant_id"], company.tenant.to_string());
    for entry in &trail {
        assert_eq!(
            (&entry["by"], &entry["acting_as"]),
            (&trail[0]["by"], &json!("operator"))
        );
    }
}

#[tokio::test]
async fn who_comes_back_with_another_state_is_nobody_and_uses_up_nothing() {
    let mut company = CompanyOnXero::new(ann()).await;
    let callback = company.callback().await;
    let state = parameter(&callback, "state");
    let random = state.split_once('.').unwrap().1;
    let elsewhere = company.again_elsewhere().await;
    let theirs = another(&company).begin(&elsewhere.portal).await;
    let theirs = parameter(&Url::parse(&theirs).unwrap(), "state");
    let cookies = company.browser.cookies.clone();
    let (before, before_elsewhere) = (company.portal.items().await, elsewhere.portal.items().await);
    let mut changed = state.clone();
    changed.pop();
    let last = if state.ends_with('A') { 'B' } else { 'A' };
    for hostile in [
        None,
        Some(""),
        Some("."),
        Some(random),
        Some(&format!("{changed}{last}")),
        Some(&changed),
        Some(&format!("{state}A")),
        Some(&format!("{state} ")),
        Some(&format!("{state}\0")),
        Some(&state.replace('.', "..")),
        Some(&format!("0{state}")),
        Some(&format!("x.{random}")),
        Some(&format!("-1.{random}")),
        Some(&format!("{}.{random}", u64::MAX)),
        // The same random part, but for another portal, where somebody is expected, too.
        Some(&format!("{}.{random}", elsewhere.portal.id)),
        // Who is expected there, is so in another browser.
        Some(&theirs),
        Some("' OR 1=1 --"),
        Some(&"9".repeat(5_000)),
    ] {
        for url in [
            with(&callback, "state", hostile),
            with(&with(&callback, "state", hostile), "code", None),
        ] {
            let back = company.browser.follow(&url).await;
            page(&back, 400, EXPIRED);
            assert!(back.headers.get("set-cookie").is_none());
        }
    }
    assert_eq!(company.portal.items().await, before);
    assert_eq!(elsewhere.portal.items().await, before_elsewhere);
    assert_eq!(company.count(Route::Token).await, 0);

    assert_eq!(company.browser.cookies, cookies);
    let back = company.browser.follow(&callback).await;
    assert_eq!(back.location, Some(own_page(&company)));
}

#[tokio::test]
async fn who_comes_back_in_another_browser_is_nobody_and_uses_up_nothing() {
    let mut company = CompanyOnXero::new(ann()).await;
    company.browser.begin(&company.portal).await;
    let (other_name, other_value) = company.browser.cookies.pop_first().unwrap();
    let callback = company.callback().await;
    let (name, value) = company.browser.cookies.first_key_value().unwrap();
    let (name, value) = (name.clone(), value.clone());
    let before = company.portal.items().await;
    let cut = &value[..42];
    let mut cookies: Vec<Vec<u8>> = [
        format!("{other_name}={other_value}"),
        format!("{name}={other_value}"),
        // The value is the right one, but in the wrong place.
        format!("{other_name}={value}"),
        format!("xero={value}"),
        format!("__Host-{name}={value}"),
        format!("{}={value}", name.to_uppercase()),
        format!("x{name}={value}"),
        name.clone(),
        format!("{name}="),
        format!("={value}"),
        format!("{name}={cut}"),
        format!("{name}={value}A"),
        format!("{name}={}", value.to_lowercase()),
        format!("{name}=\"{cut}\""),
        format!("{name}={cut}%00"),
        format!("{name}={cut}=; ; ;=;{name}"),
        // The first of a name counts, and whoever can add one gains nothing.
        format!("{name}={other_value}; {name}={value}"),
    ]
    .map(String::into_bytes)
    .into();
    for length in [1, 42, 43, 44, 64, 127, 128, 129, 4_096] {
        cookies.push(format!("{name}={}", "A".repeat(length)).into_bytes());
    }
    for byte in [b'\t', b'"', b'%', b'\\', b',', 0x80, 0xc3, 0xff] {
        let begun = format!("{name}={cut}").into_bytes();
        cookies.push([begun.as_slice(), &[byte]].concat());
        cookies.push([begun.as_slice(), &[byte; 90]].concat());
    }
    let refuse = async |headers: HeaderMap, url: &Url| {
        let back = another(&company).follow_with(url, headers).await;
        page(&back, 400, EXPIRED);
        assert!(back.headers.get("set-cookie").is_none());
    };
    let cancelled = with(&callback, "code", None);
    let cancelled = with(&cancelled, "error", Some("access_denied"));
    refuse(HeaderMap::new(), &callback).await;
    // Nor can anybody else cancel it.
    refuse(HeaderMap::new(), &cancelled).await;
    for cookie in &cookies {
        refuse(cookie_header(cookie), &callback).await;
    }
    assert_eq!(company.portal.items().await, before);
    assert_eq!(company.count(Route::Token).await, 0);

    // The right one is found among others, also of the same site.
    let cookie = format!("a=b; {other_name}={other_value}; {name}={value}; c");
    let headers = cookie_header(cookie.as_bytes());
    let back = another(&company).follow_with(&callback, headers).await;
    assert_eq!(back.location, Some(own_page(&company)));
}

#[tokio::test]
async fn who_comes_back_too_late_is_nobody() {
    let mut company = CompanyOnXero::new(ann()).await;
    let callback = company.callback().await;
    let [attempt] = company.keys("XERO_STATE#").await.try_into().unwrap();
    company.portal.set_text(&attempt, "expires_at", GONE).await;
    let before = company.portal.items().await;
    let back = company.browser.follow(&callback).await;
    page(&back, 400, EXPIRED);
    assert_eq!(company.portal.items().await, before);
    assert_eq!(company.count(Route::Token).await, 0);
}

#[tokio::test]
async fn who_comes_back_twice_changes_nothing_the_second_time() {
    let mut company = CompanyOnXero::new(ann()).await;
    let callback = company.callback().await;
    let cookies = company.browser.cookies.clone();
    company.browser.follow(&callback).await;
    company.choose(company.tenant).await.expect(200);
    let (before, at_xero) = (company.portal.items().await, company.at_xero().await);
    company.browser.cookies = cookies.clone();
    page(&company.browser.follow(&callback).await, 400, EXPIRED);
    // Nor with another code, fresh from Xero.
    let again = company.callback().await;
    let code = parameter(&again, "code");
    let replayed = with(&callback, "code", Some(&code));
    company.browser.cookies = cookies;
    page(&company.browser.follow(&replayed).await, 400, EXPIRED);
    assert_eq!(company.count(Route::Token).await, 1);
    let mut after = company.portal.items().await;
    after.retain(|sk, _| !sk.starts_with("XERO_STATE#"));
    assert_eq!(after, before);
    assert_eq!(
        company.at_xero().await.refresh_tokens,
        at_xero.refresh_tokens
    );
    company.call("GET", "/preview", None).await.expect(200);
}

#[tokio::test]
async fn of_two_who_come_back_at_once_with_the_same_address_one_is_connected() {
    let mut company = CompanyOnXero::new(ann()).await;
    let callback = company.callback().await;
    let mut twin = another(&company);
    twin.cookies = company.browser.cookies.clone();
    let (one, other) = tokio::join!(company.browser.follow(&callback), twin.follow(&callback));
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 400]);
    assert_eq!(company.count(Route::Token).await, 1);
    company.choose(company.tenant).await.expect(200);
}

/// Comes back with a code that Xero does not take, and is told so; then connects after all.
async fn refused_by_xero(company: &mut CompanyOnXero, callback: &Url) {
    let mut before = company.portal.items().await;
    let back = company.browser.follow(callback).await;
    page(&back, 400, "Not connected");
    assert!(
        back.text
            .contains(&format!("href=\"{}\"", own_page(company)))
    );
    // The state was used up, and nothing else happened.
    let after = company.portal.items().await;
    before.retain(|sk, _| after.contains_key(sk) || !sk.starts_with("XERO_STATE#"));
    assert_eq!(after, before);
    page(&company.browser.follow(callback).await, 400, EXPIRED);
}

#[tokio::test]
async fn a_code_that_xero_does_not_know_connects_nothing() {
    let mut company = CompanyOnXero::new(ann()).await;
    for hostile in ["unknown", "", "A\r\nX: y", "é", &"c".repeat(3_000)] {
        let callback = company.callback().await;
        let callback = with(&callback, "code", Some(hostile));
        refused_by_xero(&mut company, &callback).await;
    }
    assert_eq!(company.state().await, "not_connected");
    company.connect().await;
    assert_eq!(company.state().await, "organisation_not_chosen");
}

#[tokio::test]
async fn a_code_that_was_used_connects_nothing_and_the_first_connection_stays() {
    let mut company = CompanyOnXero::new(ann()).await;
    let first = company.callback().await;
    company.browser.follow(&first).await;
    company.choose(company.tenant).await.expect(200);
    let second = company.callback().await;
    let used = with(&second, "code", Some(&parameter(&first, "code")));
    refused_by_xero(&mut company, &used).await;
    assert_eq!(company.state().await, "connected");
    company.call("GET", "/preview", None).await.expect(200);
}

#[tokio::test]
async fn somebody_elses_code_connects_nothing() {
    // Who attacks has allowed access to an organisation of their own, and has not come back with the code.
    let mut attacker = CompanyOnXero::new(ann()).await;
    let theirs = attacker.callback().await;
    let mut victim = CompanyOnXero::connected(ann()).await;
    let own = victim.callback().await;
    // Their address, in the victim's browser: it was not begun there.
    let before = victim.portal.items().await;
    page(&victim.browser.follow(&theirs).await, 400, EXPIRED);
    assert_eq!(victim.portal.items().await, before);
    assert_eq!(attacker.count(Route::Token).await, 0);
    // Their code in the victim's address: Xero finds that it was not asked for with this browser's challenge.
    let injected = with(&own, "code", Some(&parameter(&theirs, "code")));
    refused_by_xero(&mut victim, &injected).await;
    assert_eq!(attacker.count(Route::Token).await, 1, "Xero has refused it");
    assert_eq!(attacker.at_xero().await.refresh_tokens, 0);
    let listed = victim.call("GET", "/organisations", None).await.expect(200);
    assert_eq!(listed["items"][0]["tenant_id"], victim.tenant.to_string());
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn nobody_is_sent_anywhere_but_to_the_stacks_own_page() {
    const EVIL: &str = "https://evil.example/";
    let mut company = CompanyOnXero::new(ann()).await;
    let asked = ["redirect_uri", "next", "return_to", "url", "portal_url"];
    let names = ["host", "x-forwarded-host", "referer", "origin"];
    let names = names.map(HeaderName::from_static);
    let evil = HeaderValue::from_static("evil.example");
    let headers: HeaderMap = names.map(|name| (name, evil.clone())).into_iter().collect();

    // When it begins: whatever is sent along changes nothing of where Xero sends the browser.
    let path = format!(
        "/portals/{}/xero/connection?redirect_uri={EVIL}",
        company.portal.id
    );
    let body = json!({"redirect_uri": EVIL, "return_to": EVIL, "next": EVIL});
    let (stack, token) = (
        &company.portal.stack,
        company.portal.stack.token("operator"),
    );
    let begun = stack.call("POST", &path, Some(&token), Some(body)).await;
    let begun = begun.expect(201)["authorise_url"].to_string();
    assert!(!begun.contains("evil"), "{begun}");

    // When it ends: well, cancelled, or badly.
    let callback = company.callback().await;
    let mut hostile = callback.clone();
    for name in asked {
        hostile.query_pairs_mut().append_pair(name, EVIL);
    }
    let back = company.browser.follow_with(&hostile, headers.clone()).await;
    assert_eq!(
        (back.status, back.location.as_deref()),
        (303, Some(own_page(&company).as_str()))
    );
    assert!(!back.text.contains("evil"));
    let again = company.browser.follow_with(&hostile, headers.clone()).await;
    page(&again, 400, EXPIRED);
    assert!(!again.text.contains("evil"));
    let cancelled = company.callback().await;
    let cancelled = with(&cancelled, "code", None);
    let mut cancelled = with(&cancelled, "error", Some("\"><script>alert(1)</script>"));
    for name in asked.into_iter().chain(["error_description", "error_uri"]) {
        cancelled.query_pairs_mut().append_pair(name, EVIL);
    }
    let back = company.browser.follow_with(&cancelled, headers).await;
    page(&back, 200, "Not connected");
    assert!(!back.text.contains("evil") && !back.text.contains("alert"));
}

#[tokio::test]
async fn when_xero_does_not_answer_whoever_comes_back_is_told_so_and_nothing_is_stored() {
    let mut company = CompanyOnXero::new(ann()).await;
    for trouble in [
        Scripted::status(500),
        Scripted::status(503).header("retry-after", "3600"),
        Scripted::status(429).header("retry-after", "3600"),
        Scripted::status(400).body(json!({"error": "invalid_client"})),
        Scripted::status(200).body(json!({"token_type": "Bearer"})),
        Scripted::malformed(),
        Scripted::reset(),
        Scripted::lost(),
    ] {
        let callback = company.callback().await;
        company.script(Route::Token, vec![trouble]).await;
        let tokens = company.count(Route::Token).await;
        let back = company.browser.follow(&callback).await;
        page(&back, 503, "Xero does not answer");
        assert!(
            back.text
                .contains(&format!("href=\"{}\"", own_page(&company)))
        );
        // A code is used up by being sent: it is not sent again.
        assert_eq!(company.count(Route::Token).await, tokens + 1);
        assert_eq!(company.keys("XERO").await, Vec::<String>::new());
        page(&company.browser.follow(&callback).await, 400, EXPIRED);
    }
    assert_eq!(company.deeds().await, ["portal_set_up"]);
    company.connect().await;
    company.choose(company.tenant).await.expect(200);
}

#[tokio::test]
async fn while_an_import_is_under_way_the_portal_stays_connected_as_it_is() {
    let mut company = CompanyOnXero::chosen(ann()).await;
    let callback = company.callback().await;
    // Somebody works on a file of the portal, so the import waits.
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let lease = company.portal.stack.dynamodb().put_item();
    let lease = lease
        .table_name(company.portal.stack.output("FeedTableName"))
        .item("pk", text(&company.portal.id))
        .item("sk", text("LEASE"))
        .item("token", AttributeValue::N("700".to_owned()))
        .item("owner", text("a worker"))
        .item("expires_at", text(NOT_SOON));
    lease.send().await.unwrap();
    let body = json!({"assign_courses": false});
    let import = company.call("POST", "/import", Some(body)).await;
    let upload = import.expect(202)["upload_id"].clone();
    assert_eq!(company.state().await, "importing");
    let before = company.portal.item("XERO").await;
    let tenant = company.other_organisation("AU", "ACTIVE").await;
    for (method, path, body) in [
        ("POST", "/connection", None),
        ("DELETE", "/connection", None),
        ("POST", "/import", Some(json!({"assign_courses": false}))),
    ] {
        let refused = company.call(method, path, body).await.refused(409).0;
        assert_eq!(refused, "import_running", "{method} {path}");
    }
    let refused = company.choose(tenant).await.refused(422).1;
    assert_eq!(refused, ["xero_organisation_unknown"]);
    let back = company.browser.follow(&callback).await;
    page(&back, 409, "Not connected");
    assert!(company.portal.item("XERO").await == before);
    company.given_back().await;
    assert_eq!(company.connected_at_xero().await, [company.tenant]);

    // The import is made by what it was begun with.
    company.portal.set_text("LEASE", "expires_at", GONE).await;
    let wake = json!({"portal_id": company.portal.id});
    let woken = company
        .portal
        .invoke_function("ImportXeroFunctionName", wake);
    assert_eq!(woken.await, None);
    company.ended(upload.as_str().unwrap()).await;
    let users = company.portal.users().await;
    assert_eq!(users.keys().collect::<Vec<_>>(), ["ann@x.example"]);
    company.given_back().await;
    assert_eq!(company.connected_at_xero().await, Vec::<Uuid>::new());
}

#[tokio::test]
async fn who_comes_back_to_a_portal_that_is_given_up_is_not_connected() {
    let mut company = CompanyOnXero::new(ann()).await;
    let callback = company.callback().await;
    company.portal.call("DELETE", "", None).await.expect(202);
    let back = company.browser.follow(&callback).await;
    assert!([400, 409].contains(&back.status), "{back:?}");
    assert_eq!(back.location, None);
    company.given_back().await;
    assert_eq!(company.keys("XERO").await, Vec::<String>::new());
    let left = company.at_xero().await;
    assert_eq!(left.refresh_tokens + left.access_tokens, 0);
}

/// Requirement 11 of docs/xero.md: who cancels at Xero is not left with an error.
#[tokio::test]
async fn who_cancels_at_xero_is_shown_the_way_back_and_can_connect_again() {
    let mut company = CompanyOnXero::new(ann()).await;
    let authorise_url = company.browser.begin(&company.portal).await;
    let callback = company.xero.cancel(&authorise_url).await;
    assert_eq!(parameter(&callback, "error"), "access_denied");
    let back = company.browser.follow(&callback).await;
    page(&back, 200, "Not connected");
    assert!(
        back.text
            .contains(&format!("href=\"{}\"", own_page(&company)))
    );
    assert!(company.browser.cookies.is_empty());
    assert_eq!(company.keys("XERO").await, Vec::<String>::new());
    assert_eq!(company.state().await, "not_connected");
    assert_eq!(company.deeds().await, ["portal_set_up"]);
    // The state is used up, for good news too.
    page(&company.browser.follow(&callback).await, 400, EXPIRED);
    assert_eq!(company.count(Route::Token).await, 0);
    company.connect().await;
    assert_eq!(company.state().await, "organisation_not_chosen");

    // Who cancels while connected stays connected.
    company.choose(company.tenant).await.expect(200);
    let authorise_url = company.browser.begin(&company.portal).await;
    let callback = company.xero.cancel(&authorise_url).await;
    page(
        &company.browser.follow(&callback).await,
        200,
        "Not connected",
    );
    assert_eq!(company.state().await, "connected");
}

/// Requirement 6 of docs/xero.md, too: the first consent is used last, after Xero has put the name of the second one
/// on the connection.
#[tokio::test]
async fn two_attempts_in_one_browser_do_not_disturb_one_another() {
    let mut company = CompanyOnXero::new(ann()).await;
    let mut elsewhere = company.again_elsewhere().await;
    elsewhere.tenant = company.other_organisation("AU", "ACTIVE").await;
    let first = company.callback().await;
    // In the same browser, for another portal of the same person's.
    let there = company.browser.begin(&elsewhere.portal).await;
    let there = company
        .xero
        .consent(&there, company.user.user_id, &[elsewhere.tenant])
        .await;
    let second = company.callback().await;
    assert_eq!(company.browser.cookies.len(), 3);
    let follow = async |browser: &mut Browser, url: &Url| -> Answered {
        let back = browser.follow(url).await;
        assert_eq!(back.status, 303, "{back:?}");
        back
    };
    let back = follow(&mut company.browser, &second).await;
    assert_eq!(back.location, Some(own_page(&company)));
    let back = follow(&mut company.browser, &there).await;
    assert_eq!(back.location, Some(own_page(&elsewhere)));
    let back = follow(&mut company.browser, &first).await;
    assert_eq!(back.location, Some(own_page(&company)));
    assert!(company.browser.cookies.is_empty());
    for it in [&company, &elsewhere] {
        it.choose(it.tenant).await.expect(200);
        it.call("GET", "/preview", None).await.expect(200);
    }
    company.given_back().await;
    let mut both = [company.tenant, elsewhere.tenant];
    both.sort_unstable();
    assert_eq!(company.connected_at_xero().await, both);
    company.call("GET", "/preview", None).await.expect(200);
}

#[tokio::test]
async fn connecting_again_gives_the_old_connection_back() {
    let mut company = CompanyOnXero::chosen(ann()).await;
    let before = company.user.clone();
    company.user = company.xero.user("Oscar", "Hale").await;
    let made = company.xero.australian(&company.user, "Hale", ann()).await;
    company.tenant = made.tenant_id;
    company.connect().await;
    // Of another person it is all that there is.
    company.given_back().await;
    let old = company.xero.state(before.user_id).await;
    assert_eq!((old.connections.len(), old.refresh_tokens), (0, 0));
    assert_eq!(company.connected_at_xero().await, [company.tenant]);
    // What was chosen before is not carried over.
    assert_eq!(company.state().await, "organisation_not_chosen");
    company.choose(company.tenant).await.expect(200);
    let preview = company.call("GET", "/preview", None).await.expect(200);
    assert_eq!(preview["to_import"][0]["email"], "ann@x.example");
}

/// Requirement 6 of docs/xero.md: what is given back takes nothing with it that is in use.
#[tokio::test]
async fn connecting_the_same_organisation_again_keeps_it_connected() {
    let mut company = CompanyOnXero::chosen(ann()).await;
    let [live] = company.at_xero().await.connections.try_into().unwrap();
    for chosen in [true, false] {
        company.connect().await;
        company.given_back().await;
        let [now] = company.at_xero().await.connections.try_into().unwrap();
        assert_eq!((now.id, now.tenant_id), (live.id, company.tenant));
        assert_eq!(company.count(Route::DeleteConnection).await, 0);
        assert_eq!(company.count(Route::Revocation).await, 0);
        if chosen {
            company.choose(company.tenant).await.expect(200);
        }
    }
    company.choose(company.tenant).await.expect(200);
    company.call("GET", "/preview", None).await.expect(200);
    company.disconnect().await;
    company.given_back().await;
    until("nothing of it is left at Xero", async || {
        let left = company.at_xero().await;
        left.connections.is_empty() && left.refresh_tokens + left.access_tokens == 0
    })
    .await;
}

/// Requirement 6 of docs/xero.md: which organisation is wanted now is not known before it is chosen, so the one of before
/// stays connected; but not for good.
#[tokio::test]
async fn connecting_another_organisation_leaves_nothing_of_the_one_before_in_the_end() {
    let mut company = CompanyOnXero::chosen(ann()).await;
    let old = company.tenant;
    company.tenant = company.other_organisation("AU", "ACTIVE").await;
    company.connect().await;
    company.given_back().await;
    let mut both = [old, company.tenant];
    both.sort_unstable();
    assert_eq!(company.connected_at_xero().await, both);
    company.choose(company.tenant).await.expect(200);
    company.call("GET", "/preview", None).await.expect(200);
    assert_eq!(company.count(Route::Revocation).await, 0);
    company.disconnect().await;
    company.given_back().await;
    assert_eq!(company.connected_at_xero().await, Vec::<Uuid>::new());
}

/// Requirement 13 of docs/xero.md: nothing is told to us, so there is no signature to get wrong.
#[tokio::test]
async fn there_is_no_route_for_webhooks() {
    let company = CompanyOnXero::new(ann()).await;
    let stack = &company.portal.stack;
    for path in ["/xero/webhook", "/xero/webhooks", "/webhooks/xero", "/xero"] {
        for method in ["GET", "POST"] {
            let answer = stack.call(method, path, None, Some(json!({"events": []})));
            assert_eq!(answer.await.status.as_u16(), 404, "{method} {path}");
        }
    }
    // Nor does the callback take anything but a browser's visit.
    let answer = stack.call("POST", "/xero/callback", None, Some(json!({})));
    assert_eq!(answer.await.status.as_u16(), 404);
}
