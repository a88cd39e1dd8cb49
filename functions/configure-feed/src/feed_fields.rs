//! `/portals/{portal_id}/feed/fields` and `template.csv`: what this portal can map, as a list and as a sample file.

use crate::context::Context;
use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use mapping::fields::Field;
use mapping::template::template;
use platform::feed::PortalSettings;
use platform::web::{AdministratorOf, Refusal};
use serde::Serialize;
use utoipa::ToSchema;

/// The fields, all on one page.
#[derive(Serialize, ToSchema)]
#[schema(as = FieldPage)]
pub(crate) struct FieldsAnswer {
    items: Vec<FieldAnswer>,
    /// Lists have one; this one is never longer than its first page.
    #[schema(required)]
    cursor: Option<String>,
}

/// A field that a column can feed.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
struct FieldAnswer {
    /// As mappings spell it.
    name: String,
    /// As people read it.
    label: String,
    /// Whether a mapping without it is refused. An external id is, too, where people are identified by it.
    required: bool,
    /// Whether a cell may hold several values, separated by `|`.
    multiple: bool,
    /// One of the portal's own.
    custom: bool,
}

/// The fields that the portal can map
///
/// The standard ones and its own, all on one page.
#[utoipa::path(
    get, path = "/portals/{portal_id}/feed/fields", operation_id = "list_fields", tag = "Administrators",
    responses(
        (status = 200, description = "The fields.", body = FieldsAnswer),
        (status = 404, description = "`portal_not_found`"),
    ),
)]
pub(crate) async fn list(
    AdministratorOf(portal_id, _): AdministratorOf,
    State(context): State<Context>,
) -> Result<Json<FieldsAnswer>, Refusal> {
    let portal = context.portal(portal_id).await?;
    Ok(Json(FieldsAnswer {
        items: fields(&portal.settings),
        cursor: None,
    }))
}

/// A sample file to begin with
///
/// It has these fields, by their names, and two people who do not exist. The feed accepts it.
#[utoipa::path(
    get, path = "/portals/{portal_id}/feed/template.csv", operation_id = "download_template", tag = "Administrators",
    responses(
        (status = 200, description = "The file.", body = String, content_type = "text/csv"),
        (status = 404, description = "`portal_not_found`"),
    ),
)]
pub(crate) async fn sample(
    AdministratorOf(portal_id, _): AdministratorOf,
    State(context): State<Context>,
) -> Result<impl IntoResponse, Refusal> {
    let portal = context.portal(portal_id).await?;
    let head = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"template.csv\"",
        ),
    ];
    Ok((head, template(&portal.settings.catalogue())))
}

fn fields(settings: &PortalSettings) -> Vec<FieldAnswer> {
    let label = |field: &Field| {
        let mut custom = settings.custom_fields.iter();
        let custom = custom.find(|custom| custom.name.as_str() == field.as_str());
        field
            .standard_label()
            .or_else(|| custom.map(|custom| custom.label.as_str()))
            .unwrap_or(field.as_str())
            .to_owned()
    };
    let catalogue = settings.catalogue();
    let fields = catalogue.fields().map(|field| FieldAnswer {
        name: field.to_string(),
        label: label(&field),
        required: field.is_required(),
        multiple: field.takes_several(),
        custom: matches!(field, Field::Custom(_)),
    });
    fields.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use platform::feed::NamedField;

    fn names(settings: &PortalSettings, which: fn(&FieldAnswer) -> bool) -> Vec<String> {
        let fields = fields(settings).into_iter();
        fields.filter(which).map(|field| field.name).collect()
    }

    #[test]
    fn a_portals_fields_are_the_standard_ones_and_its_own() {
        let mut settings = PortalSettings {
            name: "A company".to_owned(),
            country: "AU".to_owned(),
            external_id_enabled: false,
            custom_fields: vec![NamedField {
                name: "site".parse().unwrap(),
                label: "Site / office".to_owned(),
            }],
            groups: Vec::new(),
        };
        let all = names(&settings, |_| true);
        let standard = "email first_name last_name status role group manager site";
        assert_eq!(all.join(" "), standard);
        let required = names(&settings, |field| field.required);
        assert_eq!(required, ["email", "first_name", "last_name"]);
        let multiple = names(&settings, |field| field.multiple);
        assert_eq!(multiple, ["role", "group", "manager"]);
        assert_eq!(names(&settings, |field| field.custom), ["site"]);
        let labels: Vec<String> = fields(&settings).into_iter().map(|it| it.label).collect();
        assert_eq!((&*labels[1], &*labels[7]), ("First Name", "Site / office"));
        settings.external_id_enabled = true;
        assert_eq!(names(&settings, |_| true)[3], "external_id");
    }
}
