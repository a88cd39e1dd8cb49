//! Which handlers there are. Which request goes to each, the handler says itself; what each does stands in the file
//! that its path names.

use crate::context::Context;
use crate::{
    administrators, audit, authorisation, feed_fields, feed_mapping, feed_settings, mapping_sample,
    mapping_versions, off_boarding, portal, portals, problem_codes,
};

// Under `/portals/{portal_id}` and `/portals/{portal_id}/feed`, and what is about no portal.
platform::routes! {
    Context;
    portals::list,
    portal::show,
    portal::put,
    off_boarding::begin,
    administrators::make,
    authorisation::authorise,
    authorisation::withdraw,
    feed_mapping::show,
    feed_mapping::put,
    feed_mapping::reset,
    mapping_sample::look_at,
    mapping_versions::list,
    feed_fields::list,
    feed_fields::sample,
    feed_settings::show,
    feed_settings::put,
    audit::list,
    problem_codes::list,
}
