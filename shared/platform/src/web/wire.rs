//! How what several routes answer looks in JSON, for the API's document. The types themselves are elsewhere: those of
//! `mapping` know no web, and an upload record is stored as well as shown. What is said here is compared with what
//! they really become by the tests below. Nothing is decided here, and nothing of this is ever made.

use mapping::problem::ProblemCode as Code;
use mapping::role::Role as GivenRole;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{IntoParams, PartialSchema, ToSchema};

/// A refusal (RFC 9457). Scripts compare `code`, which is never renamed; the texts are for people.
#[derive(ToSchema)]
pub struct Refused {
    /// `urn:go1:user-feed:problem:` and the code.
    #[schema(pattern = "^urn:go1:user-feed:problem:[a-z0-9_]+$")]
    pub r#type: String,
    /// What is wrong.
    pub title: String,
    /// The status of the answer.
    #[schema(minimum = 400, maximum = 599)]
    pub status: u16,
    /// What is wrong, for a script.
    pub code: ProblemCode,
    /// What to do about it, or what is wrong more exactly.
    pub detail: String,
    /// Everything that is wrong with the request. With status 422 there is one at least.
    #[schema(required = false, min_items = 1, max_items = 100)]
    pub problems: Vec<Problem>,
}

/// What the gateway says where it answers by itself.
#[derive(ToSchema)]
pub struct GatewayMessage {
    /// What is wrong.
    pub message: String,
}

/// One thing that is wrong, with its place. What means nothing for its code is left out.
#[derive(ToSchema)]
pub struct Problem {
    /// What is wrong.
    pub code: ProblemCode,
    /// What it costs.
    pub severity: Severity,
    /// The row as a spreadsheet numbers it; the file's first line is 1.
    #[schema(required = false, minimum = 1)]
    pub row: u64,
    /// The customer's name for the column.
    #[schema(required = false)]
    pub column: String,
    /// The Go1 field, or the part of the request.
    #[schema(required = false)]
    pub field: String,
    /// The value that is wrong, shortened.
    #[schema(required = false)]
    pub value: String,
    /// A sentence for people.
    pub message: String,
    /// Offset in bytes from the start of the file.
    #[schema(required = false)]
    pub byte: u64,
}

/// One of the catalogue.
pub struct ProblemCode;

impl PartialSchema for ProblemCode {
    fn schema() -> RefOr<Schema> {
        let codes = Code::ALL.iter().map(|code| code.as_str());
        let meaning = "What is wrong, for a script. `GET /problem-codes` says what each means.";
        one_of(codes, meaning)
    }
}

impl ToSchema for ProblemCode {}

/// What a problem costs: `file`: the whole file; `row`: the row; `warning`: nothing; `hold`: a part of the file waits
/// for a decision; `request`: the request.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum Severity {
    /// The whole file.
    File,
    /// The row.
    Row,
    /// Nothing; it should be looked at.
    Warning,
    /// A part of the file waits.
    Hold,
    /// The request.
    Request,
}

/// A portal's number.
#[derive(ToSchema)]
#[schema(pattern = "^[1-9][0-9]{0,11}$", examples("1001"))]
pub struct PortalId(pub String);

/// A person in a portal.
#[derive(ToSchema)]
#[schema(
    format = "uuid",
    pattern = "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
)]
pub struct UserId(pub String);

/// An upload: a ULID. Sorts by the time at which the file arrived.
#[derive(ToSchema)]
#[schema(
    pattern = "^[0-7][0-9A-HJKMNP-TV-Z]{25}$",
    examples("01KAPTA7HZ0000000000000000")
)]
pub struct UploadId(pub String);

/// A role in a portal.
pub struct Role;

impl PartialSchema for Role {
    fn schema() -> RefOr<Schema> {
        let roles = GivenRole::ALL.iter().map(|role| role.as_str());
        one_of(roles, "A role in a portal.")
    }
}

impl ToSchema for Role {}

/// Whether a user can sign in to the portal.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum Status {
    /// Yes.
    Active,
    /// No.
    Inactive,
}

/// A number that Go1 gave to a group or to something to learn.
#[derive(ToSchema)]
#[schema(minimum = 1, maximum = 9007199254740991i64)]
pub struct GoId(pub u64);

/// What people call something: no control characters, and something that is no space.
#[derive(ToSchema)]
#[schema(
    min_length = 1,
    max_length = 200,
    pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"
)]
pub struct Name(pub String);

/// Any bytes.
#[derive(ToSchema)]
#[schema(format = Binary)]
pub struct Bytes(pub String);

/// What a column of the customer's file is called. Names are compared without regard to case and outer spaces.
#[derive(ToSchema)]
#[schema(max_length = 300)]
pub struct ColumnName(pub String);

/// A field, and the column that feeds it.
#[derive(ToSchema)]
pub struct MappedField {
    /// The Go1 field; one of the portal's own by its bare name.
    #[schema(pattern = "^[a-z][a-z0-9_]{0,63}$")]
    pub field: String,
    /// The column's name in the customer's file.
    #[schema(min_length = 1, max_length = 300)]
    pub column: String,
    /// What an empty cell does. `keep`, if it is left out; only the portal's own fields can be cleared.
    #[schema(required = false)]
    pub on_empty: Option<OnEmpty>,
}

/// What an empty cell does.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum OnEmpty {
    /// What the user has stays.
    Keep,
    /// The user's value is removed.
    Clear,
}

/// By what people are told apart. External ids have to be enabled for the portal, and mapped.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum IdentifyBy {
    /// The address.
    Email,
    /// The external id; addresses may change.
    ExternalId,
}

/// An upload, as far as it has come.
#[derive(ToSchema)]
pub struct UploadRecord {
    /// Which.
    pub upload_id: UploadId,
    /// Whose.
    pub portal_id: PortalId,
    /// What made it: a file in the bucket.
    pub kind: UploadKind,
    /// The object's key.
    pub key: String,
    /// The key's last part.
    pub file_name: String,
    /// Of the file.
    pub size_bytes: u64,
    /// When the file arrived.
    #[schema(format = DateTime)]
    pub received_at: String,
    /// When it was first read.
    #[schema(format = DateTime, required = false)]
    pub started_at: String,
    /// When nothing was left to do.
    #[schema(format = DateTime, required = false)]
    pub finished_at: String,
    /// How far it has come.
    pub status: UploadStatus,
    /// Never goes back, unless what was held is approved.
    #[schema(maximum = 100)]
    pub progress_percent: u8,
    /// The file's rows, each counted once.
    pub rows: RowCounts,
    /// People without a row.
    pub others: Others,
    /// Problems of the severity `warning`.
    pub warnings: u64,
    /// What waits, or has waited, for a decision.
    pub held: Held,
    /// The mapping that the file is read with.
    #[schema(required = false, minimum = 1)]
    pub mapping_version: u64,
    /// Planned and reported, and nobody is changed.
    pub rehearsal: bool,
    /// The first problems; the report has all.
    #[schema(max_items = 24)]
    pub problems: Vec<Problem>,
    /// Whether there is a report to download.
    pub report_ready: bool,
}

/// What made an upload.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum UploadKind {
    /// A file in the bucket.
    Feed,
    /// An import from Xero.
    Xero,
}

/// How far an upload has come. `completed`, `completed_with_problems`, `held`, `rejected` and `failed` are ends;
/// `held` unless it is approved.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum UploadStatus {
    /// It waits for its turn.
    Queued,
    /// The file is read and checked.
    Scanning,
    /// What happens to whom is worked out.
    Planning,
    /// People are written, then the report.
    Applying,
    /// Every row came out.
    Completed,
    /// A row was not processed, or there was a warning.
    CompletedWithProblems,
    /// Disables wait for a decision; everything else is done.
    Held,
    /// The file was refused as a whole, and nobody was changed.
    Rejected,
    /// Something on our side kept the file from its end.
    Failed,
}

/// The file's rows: every row counts once, and `total` is their sum.
#[derive(ToSchema)]
pub struct RowCounts {
    /// All rows that are not blank, the header aside.
    pub total: u64,
    /// New users.
    pub created: u64,
    /// Users with other values.
    pub updated: u64,
    /// Nothing to do; duplicates are here.
    pub unchanged: u64,
    /// Made inactive by status 0.
    pub disabled: u64,
    /// Made active again.
    pub enabled: u64,
    /// Refused.
    pub not_processed: u64,
}

/// People who changed without a row of their own.
#[derive(ToSchema)]
pub struct Others {
    /// Missing from the file, and made inactive.
    pub disabled: u64,
    /// Managers who were given the role.
    pub updated: u64,
}

/// What waits, or has waited, for a decision.
#[derive(ToSchema)]
pub struct Held {
    /// How many people would become inactive.
    pub disables: u64,
    /// How many people would be created.
    pub creates: u64,
    /// Why.
    #[schema(required = false)]
    pub reason: ProblemCode,
    /// How it ended; left out while nobody has decided.
    #[schema(required = false)]
    pub decision: HoldDecision,
}

/// How a hold ended.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum HoldDecision {
    /// What was held is done.
    Approve,
    /// It is not.
    Reject,
    /// Something else ended it.
    Superseded,
}

/// Something that somebody did to a portal.
#[derive(ToSchema)]
pub struct AuditEntry {
    /// Which entry.
    pub audit_id: String,
    /// When.
    #[schema(format = DateTime)]
    pub at: String,
    /// The e-mail address of who acted.
    pub by: String,
    /// As whom.
    pub acting_as: ActingAs,
    /// What was done.
    pub action: AuditAction,
    /// Of `mapping_saved`.
    #[schema(required = false, minimum = 1)]
    pub mapping_version: u64,
    /// Of `key_pair_issued`: the public half.
    #[schema(required = false)]
    pub access_key_id: String,
    /// Of `upload_link_given`.
    #[schema(required = false)]
    pub file_name: String,
    /// Of `upload_link_given`.
    #[schema(required = false)]
    pub rehearsal: bool,
    /// Of `upload_replayed` (the new one), `hold_approved`, `hold_rejected` and `xero_import_begun`.
    #[schema(required = false)]
    pub upload_id: UploadId,
    /// Of `upload_replayed`: the upload that is repeated.
    #[schema(required = false)]
    pub replay_of: UploadId,
    /// Of `administrator_made`.
    #[schema(required = false)]
    pub account_id: String,
    /// Of `xero_organisation_chosen`.
    #[schema(required = false)]
    pub tenant_id: String,
    /// Of `user_changed` and `user_erased`.
    #[schema(required = false)]
    pub user_id: UserId,
    /// Of `user_changed`: what was changed, by name.
    #[schema(required = false)]
    pub fields: Vec<String>,
}

/// As whom somebody acted.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum ActingAs {
    /// The portal's own.
    Administrator,
    /// Go1 staff.
    Operator,
}

/// What somebody did.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum AuditAction {
    /// The portal came into being.
    PortalSetUp,
    /// Its name, fields or groups were changed.
    PortalChanged,
    /// The feed may change the portal's people.
    FeedAuthorised,
    /// It may not any more.
    AuthorisationWithdrawn,
    /// Files are read with another mapping from then on.
    MappingSaved,
    /// Files are read with none.
    MappingReset,
    /// The feed's settings were changed.
    SettingsChanged,
    /// A key pair was issued, and those before it are gone.
    KeyPairIssued,
    /// Somebody has got a link to put a file to.
    UploadLinkGiven,
    /// A file was put into the queue once more.
    UploadReplayed,
    /// What was held is done.
    HoldApproved,
    /// What was held is not done.
    HoldRejected,
    /// Somebody was given an account by which to act for the portal, or invited to theirs again.
    AdministratorMade,
    /// The portal came into being by somebody who signed in with Xero.
    PortalSignedUp,
    /// The portal was connected with Xero.
    XeroConnected,
    /// The organisation was chosen that people are imported from.
    XeroOrganisationChosen,
    /// An import from Xero was asked for.
    XeroImportBegun,
    /// The connection with Xero was given back at somebody's wish.
    XeroDisconnected,
    /// The portal is given up: everything but this trail goes.
    OffBoardingBegun,
    /// A user was erased.
    UserErased,
    /// A user was changed in the portal.
    UserChanged,
}

/// What an account can do yet.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum AccountState {
    /// Its owner was sent a first password, and has not signed in.
    Invited,
    /// Its owner signs in.
    Active,
    /// Somebody has switched it off in the user pool.
    Disabled,
}

/// Which page of a list.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// How many items the page is to have at most; 20, if it is left out.
    #[param(required = false, minimum = 1, maximum = 100)]
    pub limit: u8,
    /// The `cursor` of the page before; the first page, if it is left out.
    #[param(required = false)]
    pub cursor: String,
}

fn one_of<'v>(values: impl Iterator<Item = &'v str>, meaning: &str) -> RefOr<Schema> {
    let object = ObjectBuilder::new().schema_type(Type::String);
    let object = object.description(Some(meaning));
    object.enum_values(Some(values)).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::{self, Decision, ObjectVersion};
    use crate::web::Refusal;
    use axum::response::IntoResponse;
    use mapping::identity::Identity;
    use mapping::problem;
    use serde::Serialize;
    use serde_json::{Value, json, to_value};
    use std::collections::BTreeSet;

    fn schema<T: ToSchema>() -> Value {
        to_value(T::schema()).unwrap()
    }

    fn texts(values: &Value) -> BTreeSet<String> {
        let values = values.as_array().into_iter().flatten();
        values.map(|it| it.as_str().unwrap().to_owned()).collect()
    }

    fn keys(object: &Value) -> BTreeSet<String> {
        object.as_object().unwrap().keys().cloned().collect()
    }

    /// What may be said of `T`, and what is always said.
    fn assert_written<T: ToSchema>(full: impl Serialize, least: impl Serialize) {
        let schema = schema::<T>();
        let full = keys(&to_value(full).unwrap());
        assert_eq!(full, keys(&schema["properties"]), "{}", T::name());
        let least = keys(&to_value(least).unwrap());
        assert_eq!(least, texts(&schema["required"]), "{}", T::name());
    }

    fn assert_values<T: ToSchema>(values: &[impl Serialize]) {
        let written = to_value(values).unwrap();
        assert_eq!(
            texts(&written),
            texts(&schema::<T>()["enum"]),
            "{}",
            T::name()
        );
    }

    #[test]
    fn every_value_of_a_closed_list_is_named() {
        use feed::{UploadKind as Kind, UploadStatus as Status};
        use mapping::fields::Status as UserStatus;
        use mapping::problem::Severity as Cost;
        assert_values::<ProblemCode>(problem::ProblemCode::ALL);
        assert_values::<Role>(&GivenRole::ALL);
        let costs = problem::ProblemCode::ALL.iter().map(|code| code.severity());
        assert_values::<Severity>(&costs.collect::<Vec<Cost>>());
        assert_values::<super::Status>(&[UserStatus::Active, UserStatus::Inactive]);
        assert_values::<UploadKind>(&[Kind::Feed, Kind::Xero]);
        assert_values::<UploadStatus>(&[
            Status::Queued,
            Status::Scanning,
            Status::Planning,
            Status::Applying,
            Status::Completed,
            Status::CompletedWithProblems,
            Status::Held,
            Status::Rejected,
            Status::Failed,
        ]);
        let ends = [Decision::Approve, Decision::Reject, Decision::Superseded];
        assert_values::<HoldDecision>(&ends);
    }

    fn placed() -> problem::Problem {
        let problem = problem::Problem::new(Code::InvalidValue).row(2).byte(9);
        problem.column("Email").field("email").value("x")
    }

    fn upload() -> feed::UploadRecord {
        let object = ObjectVersion {
            key: "1001/people.csv".to_owned(),
            version_id: None,
            etag: String::new(),
        };
        let portal = "1001".parse().unwrap();
        feed::UploadRecord::new(portal, &object, 1, false, jiff::Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn what_is_said_of_an_upload_and_a_problem_is_what_is_written() {
        let least = upload();
        let mut full = upload();
        full.started_at = Some(String::new());
        full.finished_at = Some(String::new());
        full.mapping_version = Some(1);
        full.held.reason = Some(Code::TooManyDisables);
        full.held.decision = Some(Decision::Approve);
        assert_written::<Held>(&full.held, &least.held);
        assert_written::<RowCounts>(full.rows, least.rows);
        assert_written::<Others>(full.others, least.others);
        assert_written::<UploadRecord>(&full, &least);
        assert_written::<Problem>(placed(), problem::Problem::new(Code::InvalidValue));
    }

    #[test]
    fn what_is_said_of_the_audit_trail_is_what_is_written() {
        use feed::{ActingAs as As, Action};
        let upload_id = upload().upload_id;
        let portal = "1001".parse().unwrap();
        let user_id = mapping::identity::UserId::of(portal, &Identity::Email("a@x.io"), 0);
        let text = String::new;
        let actions = [
            Action::PortalSetUp,
            Action::PortalChanged,
            Action::FeedAuthorised,
            Action::AuthorisationWithdrawn,
            Action::MappingSaved { mapping_version: 1 },
            Action::MappingReset,
            Action::SettingsChanged,
            Action::KeyPairIssued {
                access_key_id: text(),
            },
            Action::UploadLinkGiven {
                file_name: text(),
                rehearsal: true,
            },
            Action::UploadReplayed {
                upload_id,
                replay_of: upload_id,
            },
            Action::HoldApproved { upload_id },
            Action::HoldRejected { upload_id },
            Action::AdministratorMade { account_id: text() },
            Action::PortalSignedUp,
            Action::XeroConnected,
            Action::XeroOrganisationChosen { tenant_id: text() },
            Action::XeroImportBegun { upload_id },
            Action::XeroDisconnected,
            Action::OffBoardingBegun,
            Action::UserErased { user_id },
            Action::UserChanged {
                user_id,
                fields: vec![text()],
            },
        ];
        assert_values::<ActingAs>(&[As::Administrator, As::Operator]);
        let entries = actions.map(|action| {
            let entry = feed::AuditEntry {
                audit_id: upload_id.to_string().parse().unwrap(),
                at: text(),
                by: text(),
                acting_as: As::Operator,
                action,
            };
            to_value(entry).unwrap()
        });
        let named: Vec<&Value> = entries.iter().map(|entry| &entry["action"]).collect();
        assert_values::<AuditAction>(&named);
        let least = &entries[0];
        let mut full = serde_json::Map::new();
        let all = entries.iter().filter_map(Value::as_object).cloned();
        all.for_each(|entry| full.extend(entry));
        assert_written::<AuditEntry>(full, least);
    }

    #[tokio::test]
    async fn what_is_said_of_a_refusal_is_what_is_sent() {
        let sent = async |refusal: Refusal| -> Value {
            let body = refusal.into_response().into_body();
            let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
            serde_json::from_slice(&bytes).unwrap()
        };
        let full = sent(Refusal::all(vec![placed()])).await;
        let least = sent(Refusal::new(Code::Conflict)).await;
        assert_eq!(
            full["type"],
            json!("urn:go1:user-feed:problem:invalid_value")
        );
        assert_written::<Refused>(full, least);
    }
}
