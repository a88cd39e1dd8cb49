//! Which address is answered by what. The page's own addresses are the page's affair.

use crate::stack::Stack;
use crate::{assets, page, policy};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use axum::{Json, Router, middleware};
use mapping::problem::ProblemCode;
use platform::web::Refusal;

/// The page and its files.
pub fn routes(stack: &Stack) -> Router {
    let headers = policy::headers(stack);
    let protect = move |mut answer: Response| {
        for (name, value) in headers.clone() {
            answer.headers_mut().insert(name, value);
        }
        std::future::ready(answer)
    };
    let config = Json(stack.config.clone());
    Router::new()
        .route("/portal", read(get(page::show)))
        .route("/portal/", read(get(page::show)))
        .route(
            "/portal/config.json",
            // It changes with the stack, and is small.
            read(get(move || {
                let kept = (header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
                std::future::ready(([kept], config.clone()).into_response())
            })),
        )
        .route("/portal/{*path}", read(get(assets::file)))
        .layer(middleware::map_response(protect))
        .with_state(page::document_of(stack))
}

/// There is nothing but to be read here, by `GET` and `HEAD`.
fn read<S: Clone + Send + Sync + 'static>(routes: MethodRouter<S>) -> MethodRouter<S> {
    routes.fallback(|| std::future::ready(Refusal::new(ProblemCode::MethodNotAllowed)))
}

#[cfg(test)]
mod tests {
    use super::routes;
    use crate::stack::tests::{PORTAL, stack};
    use axum::body::{Body, Bytes, to_bytes};
    use axum::http::{HeaderMap, Method, Request, StatusCode, header};
    use lambda_http::Service;
    use serde_json::{Value, json};

    struct Answer {
        status: StatusCode,
        headers: HeaderMap,
        body: Bytes,
    }

    impl Answer {
        fn header(&self, name: header::HeaderName) -> &str {
            self.headers[name].to_str().unwrap()
        }

        fn text(&self) -> &str {
            std::str::from_utf8(&self.body).unwrap()
        }
    }

    const SIGN_IN: &str = "https://go1.auth.us-east-1.amazoncognito.com/";

    async fn get(path: &str, headers: &[(header::HeaderName, &str)]) -> Answer {
        ask(Method::GET, path, headers, PORTAL).await
    }

    async fn ask(
        method: Method,
        path: &str,
        headers: &[(header::HeaderName, &str)],
        portal_url: &str,
    ) -> Answer {
        let stack = stack(Some(SIGN_IN), portal_url);
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        let request = request.body(Body::empty()).unwrap();
        let answer = routes(&stack).call(request).await.unwrap();
        let (head, body) = answer.into_parts();
        Answer {
            status: head.status,
            headers: head.headers,
            body: to_bytes(body, usize::MAX).await.unwrap(),
        }
    }

    /// What the document names of the kind.
    async fn asset(extension: &str) -> String {
        let document = get("/portal", &[]).await;
        let named = document.text().split('"');
        let mut named = named.filter_map(|part| part.strip_prefix("./"));
        let name = named.find(|name| name.ends_with(extension)).unwrap();
        format!("/portal/{name}")
    }

    #[tokio::test]
    async fn each_address_of_the_page_has_the_document_with_where_the_page_is() {
        for (portal_url, base) in [
            (PORTAL, "/portal/"),
            ("https://go1.example/feed/portal", "/feed/portal/"),
            (
                "http://127.0.0.1:1/_aws/execute-api/feed/$default/portal",
                "/_aws/execute-api/feed/$default/portal/",
            ),
        ] {
            // The gateway has decoded the last one, which was `12%2F13`.
            for path in [
                "/portal",
                "/portal/",
                "/portal/portals/1001/uploads",
                "/portal/portals/12/13",
            ] {
                let document = ask(Method::GET, path, &[], portal_url).await;
                assert_eq!(document.status, StatusCode::OK, "{path}");
                assert_eq!(document.header(header::CACHE_CONTROL), "no-cache");
                assert_eq!(
                    document.header(header::CONTENT_TYPE),
                    "text/html; charset=utf-8"
                );
                let base = format!("<base href=\"{base}\"");
                assert!(document.text().contains(&base), "{}", document.text());
            }
        }
    }

    #[tokio::test]
    async fn a_document_with_another_base_is_another() {
        let here = ask(Method::GET, "/portal", &[], PORTAL).await;
        let there = ask(Method::GET, "/portal", &[], "https://go1.example/x/portal").await;
        assert_ne!(here.header(header::ETAG), there.header(header::ETAG));
    }

    #[tokio::test]
    async fn what_can_be_read_can_be_asked_for_without_its_body_and_not_be_written() {
        for path in ["/portal".to_owned(), asset(".js").await] {
            let whole = get(&path, &[]).await;
            let head = ask(Method::HEAD, &path, &[], PORTAL).await;
            assert_eq!(head.status, StatusCode::OK, "{path}");
            assert_eq!(head.header(header::ETAG), whole.header(header::ETAG));
            assert!(head.body.is_empty(), "{path}");
            let post = ask(Method::POST, &path, &[], PORTAL).await;
            assert_eq!(post.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
            assert!(post.headers.contains_key(header::CONTENT_SECURITY_POLICY));
        }
    }

    #[tokio::test]
    async fn what_the_document_names_is_there_and_kept_for_good() {
        for (extension, content_type) in [
            (".js", "text/javascript; charset=utf-8"),
            (".css", "text/css; charset=utf-8"),
            (".svg", "image/svg+xml"),
        ] {
            let path = asset(extension).await;
            let plain = get(&path, &[]).await;
            assert_eq!(plain.status, StatusCode::OK, "{path}");
            assert_eq!(plain.header(header::CONTENT_TYPE), content_type);
            assert!(plain.header(header::CACHE_CONTROL).contains("immutable"));
            assert!(!plain.headers.contains_key(header::CONTENT_ENCODING));
            for (accepted, encoding) in [
                ("gzip, deflate, br", "br"),
                ("gzip", "gzip"),
                ("br;Q=0, GZIP;q=0.5", "gzip"),
            ] {
                let sent = get(&path, &[(header::ACCEPT_ENCODING, accepted)]).await;
                assert_eq!(sent.header(header::CONTENT_ENCODING), encoding);
                assert!(sent.body.len() < plain.body.len(), "{path}, {encoding}");
                assert_eq!(sent.header(header::VARY), "accept-encoding");
            }
        }
    }

    #[tokio::test]
    async fn who_has_it_already_is_not_sent_it_again() {
        for path in ["/portal".to_owned(), asset(".css").await] {
            let first = get(&path, &[]).await;
            let etag = first.header(header::ETAG);
            let strong = etag.strip_prefix("W/").unwrap();
            for known in [&format!("W/\"another\", {etag}"), strong, "*"] {
                let again = get(&path, &[(header::IF_NONE_MATCH, known)]).await;
                assert_eq!(again.status, StatusCode::NOT_MODIFIED, "{path}");
                assert_eq!(again.header(header::ETAG), etag);
                assert!(again.body.is_empty());
            }
            let other = get(&path, &[(header::IF_NONE_MATCH, "W/\"another\"")]).await;
            assert_eq!(other.status, StatusCode::OK);
        }
    }

    #[tokio::test]
    async fn what_is_not_there_is_not_the_document() {
        let compressed = format!("{}.br", asset(".js").await);
        for path in ["/portal/index-before.js", "/portal/index.html", &compressed] {
            assert_eq!(get(path, &[]).await.status, StatusCode::NOT_FOUND, "{path}");
        }
    }

    #[tokio::test]
    async fn the_page_is_told_who_signs_people_in_and_what_the_stack_can_do() {
        let config = get("/portal/config.json", &[]).await;
        assert_eq!(config.header(header::CACHE_CONTROL), "no-cache");
        let config: Value = serde_json::from_str(config.text()).unwrap();
        let expected = json!({
            "issuer": "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_A",
            "sign_in_url": "https://go1.auth.us-east-1.amazoncognito.com/",
            "client_id": "client",
            "xero": true,
            "mails": false,
            "max_file_bytes": 2_147_483_648_u64,
        });
        assert_eq!(config, expected);
    }

    #[tokio::test]
    async fn every_answer_says_what_a_browser_may_do() {
        for path in [
            "/portal",
            "/portal/config.json",
            "/portal/gone.js",
            &asset(".js").await,
        ] {
            let answer = get(path, &[]).await;
            for (name, value) in [
                (
                    "content-security-policy",
                    "default-src 'self'; img-src 'self' data:; connect-src 'self' \
                     https://go1.auth.us-east-1.amazoncognito.com \
                     https://feed.s3.us-east-1.amazonaws.com; object-src 'none'; base-uri 'self'; \
                     form-action 'none'; frame-ancestors 'none'",
                ),
                ("strict-transport-security", "max-age=31536000"),
                ("cross-origin-opener-policy", "same-origin"),
                (
                    "permissions-policy",
                    "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
                ),
                ("x-content-type-options", "nosniff"),
                ("referrer-policy", "no-referrer"),
                ("x-frame-options", "DENY"),
            ] {
                assert_eq!(answer.headers[name], value, "{path}");
            }
        }
    }
}
