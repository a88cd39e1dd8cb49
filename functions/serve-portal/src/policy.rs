//! What browsers may do with what is served here: run and show what comes from here alone, nothing inline, and ask
//! nobody but the API, whoever signs people in, and the bucket that takes their files.

use crate::stack::Stack;
use axum::http::{HeaderName, HeaderValue, header};

/// The headers of every answer.
pub(crate) fn headers(stack: &Stack) -> [(HeaderName, HeaderValue); 7] {
    [
        // Whoever types the address without https:// is sent no token over plain HTTP. Without TLS it means nothing.
        (
            header::STRICT_TRANSPORT_SECURITY,
            HeaderValue::from_static("max-age=31536000"),
        ),
        // Whoever opens the page in a window has no hold of that window.
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            HeaderValue::from_static("same-origin"),
        ),
        (
            HeaderName::from_static("permissions-policy"),
            HeaderValue::from_static(
                "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
            ),
        ),
        (
            header::CONTENT_SECURITY_POLICY,
            content_security_policy(stack),
        ),
        (
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ),
        (
            header::REFERRER_POLICY,
            HeaderValue::from_static("no-referrer"),
        ),
        // For browsers that do not know `frame-ancestors`.
        (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    ]
}

/// `data:` pictures are the arrows and ticks in Pico's style sheet.
fn content_security_policy(stack: &Stack) -> HeaderValue {
    let asked = stack.asked.join(" ");
    let policy = format!(
        "default-src 'self'; img-src 'self' data:; connect-src 'self' {asked}; object-src 'none'; \
         base-uri 'self'; form-action 'none'; frame-ancestors 'none'"
    );
    // Origins are ASCII without control characters, so it always is one.
    HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
}
