//! Bodies that nobody means well: each is sent to every route that takes one, and refused with a code; nothing breaks,
//! and nothing is changed.

use crate::api::routes;
use end_to_end::{Answer, Portal};
use serde_json::{Value, json};

/// Takes any bytes: they are a sample, and what is wrong with it is the answer.
const SAMPLE: &str = "/feed/mapping/inspect";

/// Method, path, and a body that would do, of every route that takes JSON.
fn routes_with_json() -> Vec<(&'static str, &'static str, Value)> {
    let all = routes().into_iter();
    let with_body = all.filter_map(|(method, path, body)| Some((method, path, body?)));
    let with_json = with_body.filter(|(_, path, _)| *path != SAMPLE);
    with_json.collect()
}

/// Bodies that no route takes, by what is wrong with them.
fn hostile() -> Vec<(&'static str, Vec<u8>)> {
    let nested = |open: &str, close: &str, levels| {
        format!("{}{}", open.repeat(levels), close.repeat(levels)).into_bytes()
    };
    let mut bodies = vec![
        ("nothing", Vec::new()),
        ("spaces", b" \n\t ".to_vec()),
        ("cut off", b"{\"name\": \"A".to_vec()),
        ("more after it", b"{} {}".to_vec()),
        ("no JSON", b"name=A&country=AU".to_vec()),
        (
            "XML",
            b"<!DOCTYPE a [<!ENTITY b SYSTEM \"file:///etc/passwd\">]><a>&b;</a>".to_vec(),
        ),
        ("null", b"null".to_vec()),
        ("a text", b"\"name\"".to_vec()),
        ("a number", b"1e999999".to_vec()),
        ("an array", b"[{}]".to_vec()),
        ("arrays in arrays", nested("[", "]", 10_000)),
        ("objects in objects", nested("{\"name\":", "}", 10_000)),
        (
            "an unknown field",
            b"{\"__proto__\": {\"admin\": true}}".to_vec(),
        ),
        ("a name that is no text", b"{1: 2}".to_vec()),
        ("NaN", b"{\"disable_limit_percent\": NaN}".to_vec()),
        ("invalid UTF-8", b"{\"name\": \"\xC3\x28\"}".to_vec()),
        ("UTF-16", b"\xFF\xFE{\0}\0".to_vec()),
        ("a byte order mark", "\u{FEFF}{}".into()),
        (
            "half a surrogate pair",
            br#"{"first_name": "\ud800", "name": "\udfff"}"#.to_vec(),
        ),
        ("NUL", b"\0".repeat(1_000)),
    ];
    for field in [
        "name",
        "fields",
        "feed",
        "group_ids",
        "decision",
        "disable_limit_percent",
    ] {
        let begin = format!("{{\"{field}\":");
        let mut deep = begin.clone().into_bytes();
        deep.extend(nested("[", "]", 10_000));
        deep.push(b'}');
        bodies.push(("arrays in a field", deep));
        bodies.push(("a huge number", format!("{begin} 1e400}}").into()));
        bodies.push((
            "as huge, written out",
            format!("{begin} {}}}", "9".repeat(5_000)).into(),
        ));
        bodies.push((
            "a wrong type",
            format!("{begin} {{\"a\": [true]}}}}").into(),
        ));
    }
    bodies
}

async fn send(portal: &Portal, method: &str, path: &str, kind: &str, body: Vec<u8>) -> Answer {
    let token = portal.stack.token("operator");
    let path = format!("/portals/{}{path}", portal.id);
    let stack = &portal.stack;
    stack
        .call_with(kind, method, &path, Some(&token), Some(body))
        .await
}

const JSON: &str = "application/json";

async fn state(portal: &Portal) -> Vec<Value> {
    let mut state = Vec::new();
    for path in ["", "/feed/mapping", "/feed/settings", "/users", "/uploads"] {
        state.push(portal.call("GET", path, None).await.expect(200));
    }
    state
}

#[tokio::test]
async fn a_hostile_body_is_refused_by_every_route_and_changes_nothing() {
    let portal = Portal::ready().await;
    let before = state(&portal).await;
    let routes = routes_with_json();
    assert!(routes.len() >= 5, "{routes:?}");
    for (method, path, good) in routes {
        for (what, body) in hostile() {
            let answer = send(&portal, method, path, JSON, body).await;
            assert_eq!(
                answer.refused(422).0,
                "invalid_request",
                "{method} {path}: {what}"
            );
        }
        let twice =
            |name: &str, value: &Value| format!("{{\"{name}\":{value},\"{name}\":{value}}}");
        for (name, value) in good.as_object().into_iter().flatten() {
            let answer = send(&portal, method, path, JSON, twice(name, value).into()).await;
            assert_eq!(
                answer.refused(422).0,
                "invalid_request",
                "{path}: {name} twice"
            );
        }
        for length in [1_000_001, 3_000_000] {
            let answer = send(&portal, method, path, JSON, vec![b' '; length]).await;
            assert_eq!(answer.refused(413).0, "body_too_large", "{method} {path}");
        }
    }
    assert_eq!(state(&portal).await, before);
}

/// What a body is called does not matter, only what it is: clients call JSON many names, or none.
#[tokio::test]
async fn a_body_of_another_name_is_read_as_what_it_is() {
    let portal = Portal::ready().await;
    for (method, path, good) in routes_with_json() {
        let good = good.to_string().into_bytes();
        for kind in [
            "text/plain",
            "application/xml",
            "multipart/form-data",
            "application/json; charset=utf-16",
            "application/octet-stream",
            "nonsense",
        ] {
            let answer = send(&portal, method, path, kind, good.clone()).await;
            let status = answer.status.as_u16();
            assert!(
                status < 500 && ![415, 422].contains(&status),
                "{method} {path} as {kind}: {}",
                answer.body
            );
            let refused = send(&portal, method, path, kind, b"{]".to_vec()).await;
            assert_eq!(
                refused.refused(422).0,
                "invalid_request",
                "{method} {path} as {kind}"
            );
        }
    }
}

#[tokio::test]
async fn a_hostile_sample_is_looked_at_and_breaks_nothing() {
    let portal = Portal::ready().await;
    for kind in ["text/csv", "application/octet-stream", "nonsense"] {
        for (what, body) in hostile() {
            let answer = send(&portal, "POST", SAMPLE, kind, body).await.expect(200);
            assert!(answer["problems"].is_array(), "{what} as {kind}: {answer}");
        }
        let large = send(&portal, "POST", SAMPLE, kind, vec![b','; 1_000_001]).await;
        assert_eq!(large.refused(413).0, "body_too_large", "{kind}");
    }
    let found = portal.call("GET", "/uploads", None).await.expect(200);
    assert_eq!(found["items"], json!([]));
}
