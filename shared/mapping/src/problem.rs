//! Everything that can be said to be wrong, as one closed list. The report, the upload record and the
//! API use the same codes; the table in the README is generated from [`ProblemCode::ALL`].
//! No rule is decided here: the places that decide name a code from here.

use serde::{Deserialize, Serialize};
use std::fmt;

/// How much a problem costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The whole file is refused, or was not processed to its end.
    File,
    /// One row is not processed; the others are.
    Row,
    /// The row was processed; something about it should be looked at.
    Warning,
    /// A part of the file waits for somebody's decision.
    Hold,
    /// A request to the API is refused.
    Request,
}

impl Severity {
    /// As it is spelled in JSON and in the README.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::File => "file",
            Severity::Row => "row",
            Severity::Warning => "warning",
            Severity::Hold => "hold",
            Severity::Request => "request",
        }
    }
}

macro_rules! problem_codes {
    ($($variant:ident, $code:literal, $severity:ident, $meaning:literal, $fix:literal;)*) => {
        /// A code a customer can look up. Codes are never renamed: scripts compare them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ProblemCode {
            $(#[doc = $meaning] $variant,)*
        }

        impl ProblemCode {
            /// Every code, in the order of the README's table.
            pub const ALL: &[ProblemCode] = &[$(ProblemCode::$variant,)*];

            /// The code as customers see it.
            pub fn as_str(self) -> &'static str {
                match self { $(ProblemCode::$variant => $code,)* }
            }

            /// What it costs.
            pub fn severity(self) -> Severity {
                match self { $(ProblemCode::$variant => Severity::$severity,)* }
            }

            /// One line: what is wrong.
            pub fn meaning(self) -> &'static str {
                match self { $(ProblemCode::$variant => $meaning,)* }
            }

            /// One line: what to do about it.
            pub fn how_to_fix(self) -> &'static str {
                match self { $(ProblemCode::$variant => $fix,)* }
            }
        }
    };
}

problem_codes! {
    FeedNotAuthorised, "feed_not_authorised", File,
        "The data feed is not authorised for this portal.",
        "An administrator of the portal authorises the data feed; then drop the file again.";
    NoMapping, "no_mapping", File,
        "The portal has no data mapping: none was saved yet, or it was reset.",
        "Map the columns of a sample file to Go1 fields; then drop the file again.";
    MappingOutdated, "mapping_outdated", File,
        "The mapping names a field that the portal does not have any more.",
        "Map the columns again, or ask Go1 to restore the field; then drop the file again.";
    NotCsv, "not_csv", File,
        "The file's name does not end in .csv.",
        "Export the file as CSV (UTF-8) and give it a name that ends in .csv.";
    FileTooLarge, "file_too_large", File,
        "The file is larger than the feed accepts.",
        "Leave out columns that are not mapped, or ask Go1 to raise the limit.";
    FileGone, "file_gone", File,
        "The file was deleted before it could be read.",
        "Drop the file again and leave it in place.";
    SupersededByNewerFile, "superseded_by_newer_file", File,
        "A newer file was processed before this one arrived, so this one was not applied.",
        "Nothing, if the newer file is right; else drop the right file again.";
    ProcessingFailed, "processing_failed", File,
        "Something on our side kept the file from being processed to its end.",
        "Go1 has been told. Drop the file again, or replay the upload; what was applied already is recognised.";
    FileOverdue, "file_overdue", File,
        "No file has come for longer than the portal's settings allow.",
        "See why the HR system sent none, and drop one; or change `expect_file_every_hours`.";
    EmptyFile, "empty_file", File,
        "The file has no content.",
        "Check the export: the file needs a header line and a line for each person.";
    HeaderOnly, "header_only", File,
        "The file has a header line and no people.",
        "Check the export's filter: the file needs a line for each person.";
    Utf16, "utf16", File,
        "The file is encoded as UTF-16, not as UTF-8.",
        "Save or export the file as CSV UTF-8.";
    InvalidUtf8, "invalid_utf8", File,
        "The file is not valid UTF-8 at the place named.",
        "Save or export the file as CSV UTF-8; other encodings damage names.";
    DoubleEncoded, "double_encoded", File,
        "The file was converted to UTF-8 twice, so that accented letters are damaged.",
        "Export the file as CSV UTF-8 once, without a conversion afterwards.";
    WrongDelimiter, "wrong_delimiter", File,
        "The columns are not separated by commas.",
        "Export the file with a comma between the columns.";
    UnclosedQuote, "unclosed_quote", File,
        "A quotation mark is opened and never closed; all that follows would be one cell.",
        "Close the quotation mark in the row named; inside a quoted cell, double it.";
    TextAfterQuote, "text_after_quote", File,
        "There is text between a closing quotation mark and the next comma.",
        "Double every quotation mark inside a quoted cell of the row named.";
    MissingHeader, "missing_header", File,
        "A column that is mapped is not in the file.",
        "Add the column to the export, or map the fields again.";
    DuplicateHeader, "duplicate_header", File,
        "A column that is mapped is in the file more than once.",
        "Leave one column of that name in the export.";
    XeroReconnectNeeded, "xero_reconnect_needed", File,
        "Xero does not take the connection any more: it was removed there, or has expired. Users who were imported stay.",
        "Connect to Xero again; then import again.";
    XeroPayrollUnavailable, "xero_payroll_unavailable", File,
        "Xero does not show the organisation's employees: payroll is not set up there, or whoever connected is no payroll administrator.",
        "Set payroll up in Xero, or connect as one of its payroll administrators.";
    XeroBusy, "xero_busy", File,
        "Xero takes no more calls for now.",
        "Try again at the time that the message names.";
    XeroUnavailable, "xero_unavailable", File,
        "Xero cannot be reached, or does not answer as it should.",
        "Try again later; who was imported already is recognised.";
    XeroCountryNotSupported, "xero_country_not_supported", File,
        "The Xero organisation is neither in Australia nor in the United States.",
        "Send people in a CSV file, by the data feed.";
    WrongFieldCount, "wrong_field_count", Row,
        "The row has another number of cells than the header.",
        "Put cells that contain commas in quotation marks; fill in what is missing. Where blank cells are right, empty the cell feed_problem.";
    MissingValue, "missing_value", Row,
        "A required value is empty.",
        "Fill in the value in the HR system.";
    InvalidEmail, "invalid_email", Row,
        "The value is not one e-mail address.",
        "Correct the address; one address in the cell and nothing else.";
    InvalidStatus, "invalid_status", Row,
        "The status is neither 1 (active) nor 0 (inactive).",
        "Export 1 for active people and 0 for inactive ones; empty leaves the status as it is.";
    UnknownRole, "unknown_role", Row,
        "The value names a role that there is not.",
        "Use Learner, Manager, Content administrator and Administrator, separated by |.";
    ForbiddenCharacter, "forbidden_character", Row,
        "There is a line break or a NUL in an external id, an e-mail address or a name.",
        "Remove the line break from the cell.";
    ValueTooLong, "value_too_long", Row,
        "The value is longer than 1,000 characters.",
        "Shorten the value.";
    ConflictingRow, "conflicting_row", Row,
        "An earlier row is about the same person and says something else; the earlier row was used.",
        "Leave one row for the person in the export.";
    EmailTaken, "email_taken", Row,
        "The new address is somebody else's in this portal.",
        "Correct the address, or change the other person's first.";
    EmployeeTerminated, "employee_terminated", Row,
        "The employee is terminated in Xero.",
        "Nothing; or correct the employee in Xero and import again.";
    EmployeeStatusUnknown, "employee_status_unknown", Row,
        "Xero says neither that the employee is active nor that the employee is terminated.",
        "Look at the employee in Xero, and tell Go1 support the status.";
    DuplicateEmployee, "duplicate_employee", Row,
        "The employee has the same e-mail address as another one.",
        "Give each of them an address of their own in Xero; then import again.";
    NoPlaceLeft, "no_place_left", Row,
        "200 people were imported from Xero into the portal, over all imports, which is the most.",
        "Send people in a CSV file, by the data feed; or ask Go1.";
    EmployeeNotFound, "employee_not_found", Row,
        "The Xero organisation does not have the employee who was chosen, or has not any more.",
        "Look at the list of employees again.";
    DuplicateRow, "duplicate_row", Warning,
        "An earlier row is about the same person and says the same.",
        "Leave one row for the person in the export.";
    GroupNotFound, "group_not_found", Warning,
        "The portal has no group of this number; the rest of the row was applied.",
        "Correct the number, or ask Go1 to set the group up.";
    EmailSharedWithOtherPortal, "email_shared_with_other_portal", Warning,
        "The person's address also belongs to a user of another portal, so it was not changed; the rest of the row was applied.",
        "Change the address in Go1, or ask Go1 support.";
    ManagerNotFound, "manager_not_found", Warning,
        "Nobody has the manager's address; the rest of the row was applied.",
        "Correct the address, or add the manager to the file.";
    ManagerSelf, "manager_self", Warning,
        "The row names its own person as manager; the rest of the row was applied.",
        "Name somebody else, or leave the cell empty.";
    ManagerLoop, "manager_loop", Warning,
        "People manage one another in a circle. It was stored as it was sent.",
        "Correct the managers in the HR system.";
    ProtectedUser, "protected_user", Warning,
        "The person authorised the feed, or is the portal's last active administrator, and was not made inactive or deprived of the role.",
        "Make somebody else administrator, or let somebody else authorise the feed; the next file applies the rest.";
    TooManyDisables, "too_many_disables", Hold,
        "The file would make more people inactive than the portal's limit allows.",
        "Look at who it is, then approve or reject; or drop a corrected file.";
    TooFewRows, "too_few_rows", Hold,
        "The file has fewer than half the rows of the last one, and would make people inactive.",
        "Check that the export is complete; then approve or reject, or drop a complete file.";
    TooManyNotProcessed, "too_many_not_processed", Hold,
        "More rows could not be processed than the portal's limit allows, and the file would make people inactive.",
        "Correct the rows in the report and drop the file again; or approve or reject.";
    MalformedRows, "malformed_rows", Hold,
        "A row has a wrong number of cells and people are missing from the file, perhaps because of it.",
        "Correct the row and drop the file again; or approve or reject.";
    IdentityChanged, "identity_changed", Hold,
        "The file would make many people inactive and create as many: perhaps the same people under new identities.",
        "If identities have changed, as with a new mail domain, reject and tell Go1; else approve.";
    ChangedMeanwhile, "changed_meanwhile", Warning,
        "The person was being changed elsewhere at the same time, so the row was not applied.",
        "Nothing: the next file applies the row.";
    InvalidRequest, "invalid_request", Request,
        "The request's body is not what this address takes.",
        "Send JSON of the form that the documentation shows.";
    BodyTooLarge, "body_too_large", Request,
        "The request's body is larger than 1 MB.",
        "Send less at once.";
    InvalidPortalId, "invalid_portal_id", Request,
        "A portal id is a number of 1 to 12 digits that does not begin with 0.",
        "Use the portal's number.";
    InvalidValue, "invalid_value", Request,
        "A value of the request is not allowed.",
        "See the message.";
    UnknownField, "unknown_field", Request,
        "The portal has no such field.",
        "Use one of the portal's fields, or ask Go1 to add a custom field.";
    FieldMappedTwice, "field_mapped_twice", Request,
        "A field is fed by more than one column.",
        "Leave one column for the field.";
    RequiredFieldNotMapped, "required_field_not_mapped", Request,
        "A required field is not mapped.",
        "Map a column to the field.";
    ExternalIdNotEnabled, "external_id_not_enabled", Request,
        "External ids are not enabled for this portal.",
        "Ask Go1 to enable them, or identify people by email.";
    AutoDisableWithStatus, "auto_disable_with_status", Request,
        "Auto-disable makes people inactive who are missing from the file; with a mapped status the file itself says who is active. Only one of them can decide.",
        "Leave status unmapped, or turn auto-disable off.";
    ExternalIdInUse, "external_id_in_use", Request,
        "External ids cannot be switched off while the mapping identifies people by them.",
        "Reset or change the mapping first.";
    UnknownColumn, "unknown_column", Request,
        "A mapped column is not among the columns of the sample.",
        "Choose one of the sample's columns.";
    DuplicateColumn, "duplicate_column", Request,
        "Two columns have the same name, apart from case and spaces.",
        "Give every column of the file its own name.";
    FieldInUse, "field_in_use", Request,
        "A custom field cannot be removed while the mapping uses it.",
        "Reset or change the mapping first.";
    Unauthenticated, "unauthenticated", Request,
        "The request carries no valid sign-in.",
        "Sign in and send the ID token as bearer token.";
    Forbidden, "forbidden", Request,
        "The signed-in person may not do this, or not for this portal.",
        "Use an account of the portal with the administrator role, or ask a Go1 operator.";
    NotFound, "not_found", Request,
        "There is nothing at this address.",
        "Check the address.";
    PortalNotFound, "portal_not_found", Request,
        "The portal has not been set up.",
        "A Go1 operator sets the portal up first.";
    MethodNotAllowed, "method_not_allowed", Request,
        "This address does not take requests of this kind.",
        "See the documentation for what the address takes.";
    MappingNotFound, "mapping_not_found", Request,
        "The portal has no data mapping: none was saved yet, or it was reset.",
        "Map the columns of a sample file to Go1 fields.";
    UploadNotFound, "upload_not_found", Request,
        "The portal has no such upload.",
        "Take the id from the upload history.";
    UploadNotFinished, "upload_not_finished", Request,
        "The upload has not come to its end yet.",
        "Wait until the upload has finished.";
    NothingHeld, "nothing_held", Request,
        "The upload holds nothing, or it was decided already.",
        "See the upload's `held`.";
    HoldSuperseded, "hold_superseded", Request,
        "The hold has ended by itself: a newer file, a new mapping or a reset, a withdrawn authorisation, or its file has expired.",
        "Nothing, or correct the export: the next file is judged anew, and what would wait of this one may not wait then.";
    ReportNotReady, "report_not_ready", Request,
        "The upload has no report yet.",
        "Wait until the upload has finished.";
    NoReport, "no_report", Request,
        "The upload was not processed to its end, so it has no report.",
        "See the upload's problems; drop the file again or replay the upload.";
    ReportExpired, "report_expired", Request,
        "Reports are kept for 30 days, and this one is older.",
        "The counts stay in the history; drop a file again for a new report.";
    NoRejectedRows, "no_rejected_rows", Request,
        "The upload has no file of rejected rows: every row was processed, or the file as a whole was refused.",
        "See the report.";
    UserNotFound, "user_not_found", Request,
        "The portal has no such user.",
        "Take the id from the list of users.";
    FeedRunning, "feed_running", Request,
        "This cannot be done just now: a file of the portal is being processed, an address changed, or a person erased.",
        "Wait until the upload has finished; then try again.";
    AuthorisedTheFeed, "authorised_the_feed", Request,
        "The person authorised the feed, which names them as long as it does.",
        "Let somebody else authorise the feed; then erase the person.";
    OffBoarding, "off_boarding", Request,
        "The portal is being given up, and everything in it deleted.",
        "Wait until that is done; a Go1 operator can set it up anew then.";
    AccountTaken, "account_taken", Request,
        "The address has an account already, and not as an administrator of this portal.",
        "Use another address, or ask whoever runs the stack about the account.";
    AccountsElsewhere, "accounts_elsewhere", Request,
        "Who signs in here has an account of another identity provider, and none is made here.",
        "Make the account there, with the claims that the documentation names.";
    NoCredentials, "no_credentials", Request,
        "No key pair was issued for the portal yet.",
        "An administrator of the portal issues one.";
    RegenerationInProgress, "regeneration_in_progress", Request,
        "Somebody else is regenerating the portal's key pair at this moment.",
        "Wait a moment; then look who did, or regenerate again.";
    RegenerationFailed, "regeneration_failed", Request,
        "The key pair could not be regenerated. The one that was issued before still works.",
        "Regenerate again; if it stays, tell Go1 support the time of the request.";
    CredentialsQuota, "credentials_quota", Request,
        "Go1 cannot issue key pairs to more portals at present.",
        "Tell Go1 support: a limit of the AWS account has to be raised.";
    XeroOrganisationTooLarge, "xero_organisation_too_large", File,
        "The organisation has more people in Xero than an import looks at (4,000).",
        "The import is for small companies; let the HR system feed the portal instead.";
    XeroNotOffered, "xero_not_offered", Request,
        "Nothing is imported from Xero here: the stack has no Xero app.",
        "Send people in a CSV file, by the data feed; or ask whoever runs the stack.";
    XeroNotConnected, "xero_not_connected", Request,
        "The portal is not connected to Xero.",
        "Connect to Xero first. The connection is given back after each import.";
    XeroOrganisationNotChosen, "xero_organisation_not_chosen", Request,
        "No Xero organisation was chosen yet.",
        "Choose one of the connected organisations.";
    XeroOrganisationUnknown, "xero_organisation_unknown", Request,
        "The organisation is none of those that are connected.",
        "Choose one of the connected organisations, or connect to Xero again and allow this one.";
    XeroOrganisationInactive, "xero_organisation_inactive", Request,
        "The organisation is not active in Xero.",
        "Choose another organisation, or see in Xero why.";
    ImportRunning, "import_running", Request,
        "People are being imported from Xero into the portal at this moment.",
        "Wait until the import has finished; then try again.";
    Conflict, "conflict", Request,
        "Somebody else changed the same thing at the same moment.",
        "Read it again and repeat the change.";
    InternalError, "internal_error", Request,
        "Something went wrong on our side.",
        "Try again; if it stays, tell Go1 support the time of the request.";
}

impl Serialize for ProblemCode {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for ProblemCode {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let code = String::deserialize(deserializer)?;
        let known = ProblemCode::ALL.iter().find(|known| known.as_str() == code);
        known
            .copied()
            .ok_or_else(|| serde::de::Error::custom("not a problem code"))
    }
}

/// One thing that is wrong, with its place. What means nothing for a code is absent.
///
/// `Debug` shows neither value nor message, which may hold an address.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// What is wrong.
    pub code: ProblemCode,
    /// What it costs; always the code's own.
    pub severity: Severity,
    /// The row as a spreadsheet numbers it; the file's first line is 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row: Option<u64>,
    /// The customer's name for the column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// The Go1 field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The value that is wrong, shortened to [`SHOWN_VALUE_CHARS`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// A sentence for the person who reads the report.
    pub message: String,
    /// Offset in bytes from the start of the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub byte: Option<u64>,
}

/// A report is read by people: longer values are cut, and an ellipsis says so.
pub const SHOWN_VALUE_CHARS: usize = 120;

impl Problem {
    /// A problem without a place; its message is the code's meaning until [`Problem::message`] says more.
    pub fn new(code: ProblemCode) -> Self {
        Problem {
            code,
            severity: code.severity(),
            row: None,
            column: None,
            field: None,
            value: None,
            message: code.meaning().to_owned(),
            byte: None,
        }
    }

    /// At this row.
    pub fn row(mut self, row: u64) -> Self {
        self.row = Some(row);
        self
    }

    /// In this column of the customer's file; a long name is shortened.
    pub fn column(mut self, column: &str) -> Self {
        self.column = Some(shortened(column));
        self
    }

    /// Of this field; a long name is shortened.
    pub fn field(mut self, field: &str) -> Self {
        self.field = Some(shortened(field));
        self
    }

    /// With this value, which is shortened.
    pub fn value(mut self, value: &str) -> Self {
        self.value = Some(shortened(value));
        self
    }

    /// Said more exactly.
    pub fn message(mut self, message: impl Into<String>) -> Self {
        self.message = message.into();
        self
    }

    /// At this offset from the start of the file.
    pub fn byte(mut self, byte: u64) -> Self {
        self.byte = Some(byte);
        self
    }
}

impl fmt::Debug for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Problem {
            code,
            row,
            field,
            byte,
            ..
        } = self;
        f.debug_struct("Problem")
            .field("code", code)
            .field("row", row)
            .field("field", field)
            .field("byte", byte)
            .finish_non_exhaustive()
    }
}

/// At most [`SHOWN_VALUE_CHARS`] characters; an ellipsis says that there were more.
pub fn shortened(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN_VALUE_CHARS).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_code_is_spelled_once_and_explained() {
        let codes: HashSet<_> = ProblemCode::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(codes.len(), ProblemCode::ALL.len());
        for code in ProblemCode::ALL {
            assert!(
                code.as_str()
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b == b'_' || b.is_ascii_digit())
            );
            assert!(
                code.meaning().ends_with('.') && code.how_to_fix().ends_with('.'),
                "{}",
                code.as_str()
            );
        }
    }

    #[test]
    fn a_long_value_is_cut_between_characters() {
        let problem = Problem::new(ProblemCode::ValueTooLong).value(&"é".repeat(1_500));
        assert_eq!(
            problem.value.unwrap_or_default().chars().count(),
            SHOWN_VALUE_CHARS + 1
        );
    }
}
