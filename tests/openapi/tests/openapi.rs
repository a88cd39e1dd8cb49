//! `openapi.yaml` is what the code says, and what it says is so.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "in tests a panic is how a test fails"
)]

use mapping::problem::{ProblemCode, Severity};
use openapi::{TAGS, document, functions, operations, yaml};
use platform::web::status_of;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::PathBuf;
use utoipa::openapi::path::Operation;
use utoipa::openapi::{OpenApi, RefOr};
use yaml_serde::Value;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Method, path and operation of all that a document has.
fn all(document: &OpenApi) -> Vec<(&'static str, String, Operation)> {
    let mut paths = document.paths.paths.clone();
    let mut all = Vec::new();
    for (path, item) in &mut paths {
        for (method, operation) in operations(item) {
            all.push((method, path.clone(), operation.clone()));
        }
    }
    all
}

#[test]
fn the_committed_document_is_the_codes() {
    let path = root().join("openapi.yaml");
    let generated = yaml(&document()).unwrap();
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        std::fs::write(&path, &generated).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == generated,
        "openapi.yaml is not what the code says: UPDATE_OPENAPI=1 cargo test -p openapi, then read `git diff`"
    );
}

#[test]
fn every_operation_has_a_name_of_its_own_a_summary_and_one_tag() {
    let mut names = HashSet::new();
    for (method, path, operation) in all(&document()) {
        let name = operation.operation_id.unwrap();
        assert!(names.insert(name.clone()), "{name} twice");
        let summary = operation.summary.unwrap();
        assert!(!summary.ends_with('.'), "{method} {path}: {summary}");
        let tags = operation.tags.unwrap();
        assert_eq!(tags.len(), 1, "{method} {path}");
        assert!(TAGS.iter().any(|(tag, _)| *tag == tags[0]), "{}", tags[0]);
    }
    assert!(names.len() > 20, "only {} operations", names.len());
}

/// Where functions call two things by one name, the document would keep one of them.
#[test]
fn functions_mean_the_same_by_the_same_name() {
    let mut meant = BTreeMap::new();
    for (function, part) in functions() {
        for (name, schema) in part.components.unwrap_or_default().schemas {
            let (first, known) = meant
                .entry(name.clone())
                .or_insert((function, schema.clone()));
            assert!(*known == schema, "{name} of {first} and {function}");
        }
    }
}

/// A route of the gateway.
struct GatewayRoute {
    method: String,
    path: String,
    function: String,
    takes_sign_in: bool,
}

impl GatewayRoute {
    /// How well the route fits: in more segments is better, and literally is better than by `{proxy+}`.
    fn fits(&self, method: &str, path: &str) -> Option<(usize, bool)> {
        if self.method != "ANY" && self.method != method {
            return None;
        }
        match self.path.strip_suffix("{proxy+}") {
            Some(prefix) => (path.starts_with(prefix) && path.len() > prefix.len())
                .then(|| (prefix.matches('/').count(), false)),
            None => (self.path == path).then(|| (path.matches('/').count() + 1, true)),
        }
    }
}

fn text(value: &Value) -> &str {
    match value {
        Value::Tagged(tagged) => tagged.value.as_str().unwrap(),
        plain => plain.as_str().unwrap(),
    }
}

fn template() -> Value {
    let template = std::fs::read_to_string(root().join("template.yaml")).unwrap();
    yaml_serde::from_str(&template).unwrap()
}

fn gateway_routes() -> Vec<GatewayRoute> {
    let template = template();
    let resources = template["Resources"].as_mapping().unwrap();
    let routes = resources
        .iter()
        .filter(|(_, it)| it["Type"].as_str() == Some("AWS::ApiGatewayV2::Route"));
    let routes = routes.map(|(_, it)| {
        let properties = &it["Properties"];
        let (method, path) = text(&properties["RouteKey"]).split_once(' ').unwrap();
        let target = text(&properties["Target"]);
        let target = target.strip_prefix("integrations/${").unwrap();
        GatewayRoute {
            method: method.to_owned(),
            path: path.to_owned(),
            function: target.strip_suffix("Integration}").unwrap().to_owned(),
            takes_sign_in: text(&properties["AuthorizationType"]) == "JWT",
        }
    });
    routes.collect()
}

#[test]
fn routes_without_a_sign_in_are_throttled() {
    let template = template();
    let settings = &template["Resources"]["ApiStage"]["Properties"]["RouteSettings"];
    let routes = gateway_routes();
    let public: Vec<&GatewayRoute> = routes.iter().filter(|it| !it.takes_sign_in).collect();
    assert!(!public.is_empty());
    for GatewayRoute { method, path, .. } in public {
        let limits = &settings[format!("{method} {path}").as_str()];
        for limit in ["ThrottlingRateLimit", "ThrottlingBurstLimit"] {
            let limit = limits[limit].as_u64();
            assert!(
                limit.is_some_and(|limit| (1..=100).contains(&limit)),
                "{method} {path}"
            );
        }
    }
}

#[test]
fn the_gateway_leads_to_every_operation_and_to_nothing_else() {
    let routes = gateway_routes();
    let document = document();
    let mut used = HashSet::new();
    for (function, part) in functions() {
        for (method, path, _) in all(&part) {
            let fitting = routes
                .iter()
                .filter_map(|route| Some((route.fits(method, &path)?, route)));
            let best = fitting.max_by_key(|(how, _)| *how).map(|(_, route)| route);
            let route = best.unwrap_or_else(|| panic!("no route leads to {method} {path}"));
            assert_eq!(route.function, function, "{method} {path}");
            let whole = all(&document);
            let (.., operation) = whole
                .iter()
                .find(|(of, at, _)| *of == method && *at == path)
                .unwrap();
            assert_eq!(
                operation.security.is_some(),
                route.takes_sign_in,
                "{method} {path}"
            );
            used.insert((route.method.clone(), route.path.clone()));
        }
    }
    let unused = routes.into_iter().filter_map(|it| {
        let route = (it.method, it.path);
        (!used.contains(&route)).then_some((it.function, route.0, route.1))
    });
    let unused: BTreeSet<_> = unused.collect();
    // The page is for people, and no part of the document.
    let page = ["/portal", "/portal/{proxy+}"];
    let page = page.map(|path| ("ServePortal".to_owned(), "ANY".to_owned(), path.to_owned()));
    assert_eq!(unused, BTreeSet::from(page));
}

/// The codes that a text names in backquotes.
fn codes(text: &str) -> BTreeSet<String> {
    text.split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_refusal_is_named_where_it_can_happen_and_with_its_status() {
    let document = document();
    let common = document.components.clone().unwrap().responses;
    let mut named = BTreeSet::new();
    for (method, path, operation) in all(&document) {
        for (status, answer) in operation.responses.responses {
            let text = match answer {
                RefOr::T(answer) => answer.description,
                RefOr::Ref(to) => {
                    let name = to.ref_location.rsplit('/').next().unwrap();
                    match &common[name] {
                        RefOr::T(answer) => answer.description.clone(),
                        RefOr::Ref(_) => panic!("{name} refers to another"),
                    }
                }
            };
            assert!(!text.is_empty(), "{method} {path} {status}");
            if *status.as_str() < *"400" {
                continue;
            }
            for code in codes(&text) {
                let known = ProblemCode::ALL.iter().find(|it| it.as_str() == code);
                let known = known.unwrap_or_else(|| panic!("{code} is no code: {method} {path}"));
                let has = status_of(*known).as_str().to_owned();
                assert_eq!(has, status, "{code} of {method} {path}");
                named.insert(code);
            }
        }
    }
    for code in ProblemCode::ALL {
        // What an operation does not take is no operation.
        let other = *code == ProblemCode::MethodNotAllowed;
        let refusal = code.severity() == Severity::Request && !other;
        assert!(
            !refusal || named.contains(code.as_str()),
            "no operation names {}",
            code.as_str()
        );
    }
}
