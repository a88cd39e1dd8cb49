//! Who is calling, from the claims of the token that the gateway has checked, and what they may do.
//! Fails closed: what a token does not say clearly, its bearer may not do.

use super::Refusal;
use crate::feed::{ActingAs, Action, Deed};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use jiff::Timestamp;
use lambda_http::RequestExt;
use lambda_http::request::RequestContext;
use mapping::identity::PortalId;
use mapping::problem::ProblemCode;
use std::collections::HashMap;

/// A signed-in person.
#[derive(Clone, PartialEq, Eq)]
pub struct Caller {
    /// The token's e-mail address.
    pub email: String,
    /// The portal whose administrator this is.
    administers: Option<PortalId>,
    /// Go1 staff, who may act for any portal.
    is_operator: bool,
}

impl Caller {
    fn from_claims(claims: &HashMap<String, String>) -> Option<Self> {
        // An access token passes the gateway too, and says neither portal nor address.
        if claims.get("token_use").is_some_and(|kind| kind != "id") {
            return None;
        }
        let roles = claims
            .get("cognito:groups")
            .or_else(|| claims.get("roles"))
            .map(String::as_str)
            .unwrap_or_default();
        let roles = listed(roles);
        let has = |role: &str| roles.iter().any(|listed| listed == role);
        let portal = claims
            .get("custom:portal_id")
            .or_else(|| claims.get("portal_id"));
        Some(Caller {
            email: claims.get("email")?.trim().to_owned(),
            administers: portal
                .and_then(|portal| portal.parse().ok())
                .filter(|_| has("administrator")),
            is_operator: has("operator"),
        })
    }

    /// What the caller does to a portal that they may act for.
    pub fn does(&self, portal: PortalId, action: Action, at: Timestamp) -> Deed {
        Deed {
            by: self.email.clone(),
            acting_as: self.acting_as(portal),
            at,
            action,
        }
    }

    /// As whom the caller acts for a portal that they may act for.
    pub fn acting_as(&self, portal: PortalId) -> ActingAs {
        match self.administers {
            Some(own) if own == portal => ActingAs::Administrator,
            _ => ActingAs::Operator,
        }
    }

    /// The portal that a path names, if the caller may act for it as an administrator.
    fn administrator_of(&self, portal: &str) -> Result<PortalId, Refusal> {
        match self.administers {
            Some(own) if own.to_string() == portal => Ok(own),
            _ => self.operator_of(portal),
        }
    }

    /// The portal that a path names, if the caller is an operator.
    fn operator_of(&self, portal: &str) -> Result<PortalId, Refusal> {
        if !self.is_operator {
            return Err(Refusal::new(ProblemCode::Forbidden));
        }
        portal
            .parse()
            .map_err(|_| Refusal::new(ProblemCode::InvalidPortalId))
    }
}

/// The gateway hands a list over as text: `[administrator operator]`. Roles have no spaces: in the user pool
/// they cannot, and of another issuer's roles (`docs/architecture.md`, "The API") such a one is not told
/// from two.
fn listed(roles: &str) -> Vec<String> {
    if let Ok(list) = serde_json::from_str(roles) {
        return list;
    }
    match roles
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
    {
        Some(list) => list.split_whitespace().map(str::to_owned).collect(),
        // One role, whatever it is called.
        None => vec![roles.trim().to_owned()],
    }
}

/// The caller may act as an administrator for the path's `portal_id`: its own administrator, or an operator.
pub struct AdministratorOf(pub PortalId, pub Caller);

/// The caller is an operator; the path's `portal_id` is one.
pub struct OperatorOf(pub PortalId, pub Caller);

/// The caller is an operator, and asks about no portal, or all of them.
pub struct Operator(pub Caller);

impl<S: Send + Sync> FromRequestParts<S> for Operator {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let (caller, _) = caller_and_portal(parts)?;
        match caller.is_operator {
            true => Ok(Operator(caller)),
            false => Err(Refusal::new(ProblemCode::Forbidden)),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for AdministratorOf {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let (caller, portal) = caller_and_portal(parts)?;
        Ok(AdministratorOf(caller.administrator_of(&portal)?, caller))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for OperatorOf {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let (caller, portal) = caller_and_portal(parts)?;
        Ok(OperatorOf(caller.operator_of(&portal)?, caller))
    }
}

fn caller_and_portal(parts: &Parts) -> Result<(Caller, String), Refusal> {
    let claims = match parts.extensions.get::<RequestContext>() {
        Some(RequestContext::ApiGatewayV2(context)) => context
            .authorizer
            .as_ref()
            .and_then(|authorizer| authorizer.jwt.as_ref()),
        _ => None,
    };
    let caller = claims.and_then(|jwt| Caller::from_claims(&jwt.claims));
    let caller = caller.ok_or_else(|| Refusal::new(ProblemCode::Unauthenticated))?;
    // As the gateway matched it, decoded: the path itself was put together again and parsed since, by
    // which `1%20` would become `1`.
    let portal = parts
        .extensions
        .path_parameters_ref()
        .and_then(|path| path.first("portal_id"));
    Ok((caller, portal.unwrap_or_default().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(claims: &[(&str, &str)]) -> Option<Caller> {
        let mut all = HashMap::from([("email".to_owned(), "ann@x.example".to_owned())]);
        all.extend(
            claims
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        );
        Caller::from_claims(&all)
    }

    /// What a caller may do for portal 1 as administrator and as operator.
    fn may(claims: &[(&str, &str)]) -> (bool, bool) {
        let caller = caller(claims).unwrap();
        (
            caller.administrator_of("1").is_ok(),
            caller.operator_of("1").is_ok(),
        )
    }

    #[test]
    fn only_a_clear_claim_opens_a_portal() {
        for (claims, expected) in [
            (
                &[
                    ("cognito:groups", "[administrator]"),
                    ("custom:portal_id", "1"),
                ][..],
                (true, false),
            ),
            (
                &[("roles", "[\"administrator\"]"), ("portal_id", "1")],
                (true, false),
            ),
            (
                &[
                    ("cognito:groups", "[administrator]"),
                    ("custom:portal_id", "11"),
                ],
                (false, false),
            ),
            (&[("cognito:groups", "[administrator]")], (false, false)),
            (&[("custom:portal_id", "1")], (false, false)),
            (
                &[
                    ("cognito:groups", "[administrators]"),
                    ("custom:portal_id", "1"),
                ],
                (false, false),
            ),
            (&[("cognito:groups", "[operator]")], (true, true)),
            (&[("cognito:groups", "[x operator]")], (true, true)),
            (&[("cognito:groups", "[x,operator]")], (false, false)),
            (&[("cognito:groups", "[\"operator\"x]")], (false, false)),
            (&[("roles", "[\"portal operator\"]")], (false, false)),
            (&[("roles", "operator")], (true, true)),
            (&[("roles", "Machine operator")], (false, false)),
            (
                &[("cognito:groups", "[]"), ("roles", "[operator]")],
                (false, false),
            ),
            (&[("cognito:groups", "[operators]")], (false, false)),
            (&[], (false, false)),
        ] {
            assert_eq!(may(claims), expected, "{claims:?}");
        }
    }

    #[test]
    fn an_access_token_or_one_without_an_address_is_nobody() {
        assert!(caller(&[("token_use", "access"), ("cognito:groups", "[operator]")]).is_none());
        assert!(
            Caller::from_claims(&HashMap::from([(
                "cognito:groups".to_owned(),
                "[operator]".to_owned()
            )]))
            .is_none()
        );
    }

    #[test]
    fn who_may_is_decided_before_what_was_asked_makes_sense() {
        let administrator = caller(&[
            ("cognito:groups", "[administrator]"),
            ("custom:portal_id", "1"),
        ])
        .unwrap();
        let operator = caller(&[("cognito:groups", "[operator]")]).unwrap();
        let refused = |answer: Result<PortalId, Refusal>| format!("{:?}", answer.unwrap_err());
        for portal in ["0", "1*", "a", "2"] {
            assert!(
                refused(administrator.administrator_of(portal)).contains("Forbidden"),
                "{portal}"
            );
        }
        for portal in ["0", "1*", "a"] {
            assert!(
                refused(operator.administrator_of(portal)).contains("InvalidPortalId"),
                "{portal}"
            );
        }
    }
}
