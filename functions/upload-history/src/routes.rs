//! Which handlers there are. Which request goes to each, the handler says itself.

use crate::context::Context;
use crate::{document, held, replay, upload, upload_link};

// Under `/portals/{portal_id}/uploads`.
platform::routes! {
    Context;
    upload::list,
    upload_link::give,
    upload::show,
    document::report,
    document::rejected,
    replay::replay,
    held::list,
    held::decide,
}
