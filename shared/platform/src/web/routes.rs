//! A function's routes, and the part of the OpenAPI document that is about them, from one list of handlers. Method and
//! path are those of the handler's own `#[utoipa::path]`, so that what is said and what is served cannot drift apart.
//!
//! The document is never made in a function: only a test asks for it, and what nobody calls is not linked. What every
//! route has in common (the sign-in, the portal in its path, how it refuses) is added there, in `tests/openapi`.

use axum::Router;
use axum::handler::Handler;
use axum::routing::{MethodFilter, on};
use utoipa::Path;
use utoipa::openapi::HttpMethod;

#[doc(hidden)]
pub use pastey::paste;

/// Makes `routes(state)`, which serves the handlers, and `openapi()`, which describes them. Handlers are named
/// `file::handler`.
#[macro_export]
macro_rules! routes {
    ($state:ty; $($file:ident::$handler:ident),+ $(,)?) => {
        /// The function's part of the API.
        pub fn routes(state: $state) -> axum::Router {
            let router = axum::Router::new();
            $(
                let router = $crate::web::paste! {
                    $crate::web::route::<$file::[<__path_ $handler>], _, _, _>(router, &$file::$handler)
                };
            )+
            router.with_state(state)
        }

        /// What there is to say about it.
        pub fn openapi() -> utoipa::openapi::OpenApi {
            #[derive(utoipa::OpenApi)]
            #[openapi(paths($($file::$handler),+))]
            struct Document;
            <Document as utoipa::OpenApi>::openapi()
        }
    };
}

#[doc(hidden)]
pub fn route<P: Path, H, T, S>(router: Router<S>, handler: &H) -> Router<S>
where
    H: Handler<T, S>,
    T: 'static,
    S: Clone + Send + Sync + 'static,
{
    P::methods().iter().fold(router, |router, method| {
        router.route(&P::path(), on(filter(method), handler.clone()))
    })
}

fn filter(method: &HttpMethod) -> MethodFilter {
    match method {
        HttpMethod::Get => MethodFilter::GET,
        HttpMethod::Put => MethodFilter::PUT,
        HttpMethod::Post => MethodFilter::POST,
        HttpMethod::Delete => MethodFilter::DELETE,
        HttpMethod::Options => MethodFilter::OPTIONS,
        HttpMethod::Head => MethodFilter::HEAD,
        HttpMethod::Patch => MethodFilter::PATCH,
        HttpMethod::Trace => MethodFilter::TRACE,
    }
}
