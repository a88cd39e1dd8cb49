//! The OpenAPI document of the whole API: what each function says about its own routes, and what all routes have in
//! common, which is said here once: the portal in the path, the sign-in, how the gateway and the functions refuse.
//! `tests/openapi.rs` holds `openapi.yaml` to it.

use platform::web::wire;
use utoipa::ToSchema;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::schema::{AdditionalProperties, Components, Schema};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    Content, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, Required, Response,
    ServerBuilder,
};

/// A function behind the API, by its logical id in `template.yaml` without `Function`, and what it says.
pub fn functions() -> [(&'static str, OpenApi); 5] {
    [
        ("ConfigureFeed", configure_feed::openapi()),
        ("ImportXero", import_xero::openapi()),
        ("ManageUsers", manage_users::openapi()),
        ("RegenerateCredentials", regenerate_credentials::openapi()),
        ("UploadHistory", upload_history::openapi()),
    ]
}

/// Who uses the routes: the tags, in the order of the document.
pub const TAGS: [(&str, &str); 3] = [
    (
        "Administrators",
        "Routes that run a portal's feed. An administrator may use them for the own portal, an operator for any.",
    ),
    (
        "Operators",
        "Routes that set portals up: for Go1 staff alone.",
    ),
    (EVERYBODY, "Routes that take no sign-in; throttled."),
];

const EVERYBODY: &str = "Everybody";

const INTRODUCTION: &str = "\
Keeps a company's people on Go1 in step with its HR system: an administrator authorises the feed, maps the columns of \
the HR system's CSV export to Go1 fields and receives a path in a bucket with a key pair; from then on the HR system \
puts files there. Each is checked, planned and applied, and its upload says what became of every row.

A request carries an ID token of the stack's user pool (or of the OIDC issuer that the stack was set up with) as \
bearer token. Who may act is decided before anything else of a request is looked at: no valid token is 401; another \
portal, or too little role, is 403.

What is refused is `application/problem+json` (RFC 9457) with a `code` that is never renamed; with 422, `problems` \
lists everything that is wrong. Only the gateway itself (no token, too many requests, nothing at that address) answers \
with a `message` alone. Lists are pages of `items`, with the `cursor` of the next one, `null` on the last. Times are \
RFC 3339, in UTC.";

/// The document.
pub fn document() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Go1 user data feed")
        .description(Some(INTRODUCTION))
        .version(env!("CARGO_PKG_VERSION"))
        .license(Some(
            LicenseBuilder::new()
                .name("MIT OR Apache-2.0")
                .identifier(Some("MIT OR Apache-2.0"))
                .build(),
        ));
    let server = ServerBuilder::new()
        .url("/")
        .description(Some("The output `ApiUrl` of the stack."));
    let tags =
        TAGS.map(|(name, text)| TagBuilder::new().name(name).description(Some(text)).build());
    let mut document = OpenApiBuilder::new()
        .info(info.build())
        .servers(Some([server.build()]))
        .tags(Some(tags))
        .components(Some(Components::new()))
        .build();
    for (_, part) in functions() {
        document.merge(part);
    }
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in operations(item) {
            complete(path, method, operation);
        }
    }
    let components = document.components.get_or_insert_default();
    add_common(components);
    components.schemas.values_mut().for_each(close);
    document
}

/// The operations of a path, with their methods.
pub fn operations(item: &mut PathItem) -> impl Iterator<Item = (&'static str, &mut Operation)> {
    let PathItem {
        get,
        put,
        post,
        delete,
        patch,
        options,
        head,
        trace,
        ..
    } = item;
    let all = [
        ("GET", get),
        ("PUT", put),
        ("POST", post),
        ("PATCH", patch),
        ("DELETE", delete),
        ("OPTIONS", options),
        ("HEAD", head),
        ("TRACE", trace),
    ];
    all.into_iter()
        .filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

/// The document as it is committed.
///
/// # Errors
///
/// It could not be written, which does not happen.
pub fn yaml(document: &OpenApi) -> Result<String, yaml_serde::Error> {
    let yaml = yaml_serde::to_string(document)?;
    Ok(format!(
        "# Generated from the code: UPDATE_OPENAPI=1 cargo test -p openapi. Do not edit.\n{yaml}"
    ))
}

/// What every route is like, as far as it does not say so itself.
fn complete(path: &str, method: &str, operation: &mut Operation) {
    let parameters = operation.parameters.get_or_insert_default();
    let in_path = PATH_PARAMETERS
        .iter()
        .filter(|(name, ..)| path.contains(&format!("{{{name}}}")));
    for (at, (name, ..)) in in_path.enumerate() {
        let reference = Ref::new(format!("#/components/parameters/{name}"));
        parameters.insert(at, RefOr::Ref(reference));
    }
    let public = operation.tags.iter().flatten().any(|tag| tag == EVERYBODY);
    if !public {
        let requirement = SecurityRequirement::new("id_token", [] as [&str; 0]);
        operation.security = Some(vec![requirement]);
        for status in ["401", "403"] {
            refer(operation, status);
        }
        say(operation, "422", "`invalid_portal_id`");
    }
    // A portal that is being given up is looked at, and given up once more.
    let trail = format!("{PORTAL}/audit");
    let open = path == PORTAL && ["GET", "DELETE"].contains(&method) || path == trail;
    if path.starts_with(PORTAL) && !open {
        say(operation, "409", "`off_boarding`");
    }
    if let Some(RefOr::T(body)) = &mut operation.request_body {
        let json = body.content.contains_key(JSON);
        // Of any bytes, none are some.
        body.required = Some(if json {
            Required::True
        } else {
            Required::False
        });
        refer(operation, "413");
        if json {
            say(operation, "422", "`invalid_request`");
        }
    }
    for status in ["404", "429", "500", "503"] {
        refer(operation, status);
    }
    let answers = &mut operation.responses.responses;
    for (status, answer) in answers {
        // From 400 on it is a refusal.
        if let RefOr::T(answer) = answer
            && *status.as_str() >= *"400"
            && answer.content.is_empty()
        {
            answer.content.insert(PROBLEM.to_owned(), refusal());
            if ["404", "500"].contains(&status.as_str()) {
                answer.content.insert(JSON.to_owned(), message());
            }
        }
    }
}

/// Says the status as all routes do, unless this one says it in its own way.
fn refer(operation: &mut Operation, status: &str) {
    let name = COMMON
        .iter()
        .find(|(of, ..)| *of == status)
        .map_or(status, |(_, name, ..)| name);
    let reference = RefOr::Ref(Ref::from_response_name(name));
    let answers = &mut operation.responses.responses;
    answers.entry(status.to_owned()).or_insert(reference);
}

/// Adds to what the route says about a status.
fn say(operation: &mut Operation, status: &str, code: &str) {
    let answers = &mut operation.responses.responses;
    let answer = answers
        .entry(status.to_owned())
        .or_insert_with(|| RefOr::T(Response::default()));
    if let RefOr::T(answer) = answer {
        let said = std::mem::take(&mut answer.description);
        answer.description = if said.is_empty() {
            code.to_owned()
        } else {
            format!("{said}, {code}")
        };
    }
}

const PORTAL: &str = "/portals/{portal_id}";

const JSON: &str = "application/json";
const PROBLEM: &str = "application/problem+json";

fn refusal() -> RefOr<Content> {
    let schema = Ref::from_schema_name("Refused");
    RefOr::T(Content::new(Some(schema)))
}

fn message() -> RefOr<Content> {
    let schema = Ref::from_schema_name("GatewayMessage");
    RefOr::T(Content::new(Some(schema)))
}

/// Who answers so.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Function,
    Gateway,
    Both,
}

/// What many routes answer: status, name, text, and who answers so.
const COMMON: [(&str, &str, &str, By); 7] = [
    (
        "401",
        "Unauthenticated",
        "There is no valid token: `unauthenticated`, or the gateway's own answer.",
        By::Both,
    ),
    (
        "403",
        "Forbidden",
        "Another portal, or too little role: `forbidden`.",
        By::Function,
    ),
    (
        "404",
        "NotFound",
        "There is nothing at this address: `not_found`, or the gateway's own answer.",
        By::Both,
    ),
    (
        "413",
        "TooLarge",
        "The body is larger than 1 MB: `body_too_large`. Above 10 MB the gateway answers.",
        By::Both,
    ),
    (
        "429",
        "TooManyRequests",
        "More requests than the gateway lets through. Try again later.",
        By::Gateway,
    ),
    (
        "500",
        "Failed",
        "Something went wrong on our side: `internal_error`, or the gateway's own answer. Try again.",
        By::Both,
    ),
    (
        "503",
        "Unavailable",
        "The gateway had no answer in time. Try again.",
        By::Gateway,
    ),
];

/// What stands in paths.
const PATH_PARAMETERS: [(&str, &str, &str); 3] = [
    ("portal_id", "PortalId", "The portal's number."),
    (
        "upload_id",
        "UploadId",
        "The upload. What is no id is no upload either.",
    ),
    (
        "user_id",
        "UserId",
        "The user. What is no id is no user either.",
    ),
];

fn add_common(components: &mut Components) {
    let mut named = Vec::new();
    add::<wire::Refused>(&mut named);
    add::<wire::GatewayMessage>(&mut named);
    add::<wire::PortalId>(&mut named);
    add::<wire::UploadId>(&mut named);
    add::<wire::UserId>(&mut named);
    components.schemas.extend(named);
    for (_, name, text, by) in COMMON {
        let mut answer = Response::new(text);
        if by != By::Gateway {
            answer.content.insert(PROBLEM.to_owned(), refusal());
        }
        if by != By::Function {
            answer.content.insert(JSON.to_owned(), message());
        }
        components
            .responses
            .insert(name.to_owned(), RefOr::T(answer));
    }
    for (name, schema, text) in PATH_PARAMETERS {
        let parameter: Parameter = ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Path)
            .required(Required::True)
            .description(Some(text))
            .schema(Some(Ref::from_schema_name(schema)))
            .build();
        components
            .parameters
            .insert(name.to_owned(), RefOr::T(parameter));
    }
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some(
            "An ID token: `email`, the portal in `custom:portal_id` or `portal_id`, and the roles `administrator` or \
             `operator` in `cognito:groups` or `roles`.",
        ))
        .build();
    components.add_security_scheme("id_token", SecurityScheme::Http(bearer));
}

/// A schema with all those that it refers to.
fn add<T: ToSchema>(named: &mut Vec<(String, RefOr<Schema>)>) {
    named.push((T::name().into_owned(), T::schema()));
    T::schemas(named);
}

/// An object has the properties that are named, and no others.
fn close(schema: &mut RefOr<Schema>) {
    if let RefOr::T(Schema::Object(object)) = schema
        && !object.properties.is_empty()
    {
        let closed = AdditionalProperties::FreeForm(false);
        object.additional_properties = Some(Box::new(closed));
    }
}
