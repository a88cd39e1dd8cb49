//! Which address is answered by what. The page's own addresses are the page's affair.

use crate::stack::Stack;
use crate::{assets, page, policy};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router, middleware};

/// The page and its files.
pub fn routes(stack: &Stack) -> Router {
    let headers = policy::headers(stack);
    let protect = move |mut answer: Response| {
        for (name, value) in headers.clone() {
            answer.headers_mut().insert(name, value);
        }
        std::future::ready(answer)
    };
    let config = Json(stack.clone());
    Router::new()
        .route("/portal", get(page::show))
        .route("/portal/", get(page::show))
        .route(
            "/portal/config.json",
            // It changes with the stack, and is small.
            get(move || {
                let kept = (header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
                std::future::ready(([kept], config.clone()).into_response())
            }),
        )
        .route("/portal/{*path}", get(assets::file))
        .layer(middleware::map_response(protect))
}

#[cfg(test)]
mod tests {
    use super::routes;
    use crate::stack::Stack;
    use axum::body::{Body, Bytes, to_bytes};
    use axum::http::{HeaderMap, Request, StatusCode, header};
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

    fn stack(sign_in_url: Option<&str>) -> Stack {
        let sign_in_url = sign_in_url.map(str::to_owned);
        let issuer = "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_A".to_owned();
        let uploads = "https://feed.s3.us-east-1.amazonaws.com";
        Stack::new(issuer, sign_in_url, "client".to_owned(), uploads).unwrap()
    }

    async fn get(path: &str, headers: &[(header::HeaderName, &str)]) -> Answer {
        let stack = stack(Some("https://go1.auth.us-east-1.amazoncognito.com/"));
        let mut request = Request::builder().uri(path);
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
    async fn each_address_of_the_page_has_the_document_with_the_way_back() {
        for (path, base) in [
            ("/portal", "portal/"),
            ("/portal/", "./"),
            ("/portal/portals/1001/uploads", "../../"),
        ] {
            let document = get(path, &[]).await;
            assert_eq!(document.status, StatusCode::OK, "{path}");
            assert_eq!(document.header(header::CACHE_CONTROL), "no-cache");
            let base = format!("<base href=\"{base}\"");
            assert!(document.text().contains(&base), "{}", document.text());
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
                ("br;q=0, GZIP;q=0.5", "gzip"),
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
            let known = format!("W/\"another\", {etag}");
            let again = get(&path, &[(header::IF_NONE_MATCH, &known)]).await;
            assert_eq!(again.status, StatusCode::NOT_MODIFIED, "{path}");
            assert_eq!(again.header(header::ETAG), etag);
            assert!(again.body.is_empty());
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
    async fn the_page_is_told_who_signs_people_in() {
        let config = get("/portal/config.json", &[]).await;
        assert_eq!(config.header(header::CACHE_CONTROL), "no-cache");
        let config: Value = serde_json::from_str(config.text()).unwrap();
        let expected = json!({
            "issuer": "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_A",
            "sign_in_url": "https://go1.auth.us-east-1.amazoncognito.com/",
            "client_id": "client",
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
            let policy = answer.header(header::CONTENT_SECURITY_POLICY);
            let asked = "connect-src 'self' https://go1.auth.us-east-1.amazoncognito.com https://feed.s3.us-east-1.amazonaws.com;";
            assert!(policy.starts_with("default-src 'self';"), "{policy}");
            assert!(policy.contains(asked), "{policy}");
            assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
            assert!(!policy.contains("unsafe"), "{policy}");
            assert_eq!(answer.header(header::X_CONTENT_TYPE_OPTIONS), "nosniff");
            assert_eq!(answer.header(header::REFERRER_POLICY), "no-referrer");
        }
    }

    #[test]
    fn another_issuer_is_asked_itself() {
        assert_eq!(
            stack(None).asked(),
            [
                "https://cognito-idp.us-east-1.amazonaws.com",
                "https://feed.s3.us-east-1.amazonaws.com"
            ]
        );
        assert!(Stack::new("no address".to_owned(), None, String::new(), "").is_err());
    }
}
