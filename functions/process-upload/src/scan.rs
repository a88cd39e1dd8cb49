//! The first pass: the file's bytes through the scanner.

use crate::arrival::UploadedFile;
use crate::failure::Failure;
use crate::feed::Feed;
use crate::progress::Progress;
use mapping::mapping::Mapping;
use mapping::problem::{Problem, ProblemCode};
use mapping::scan::{Scan, Scanner};
use platform::feed::UploadStatus;

/// Reads and checks the whole file. `Ok(Err(..))`: the file is refused.
pub(crate) async fn scan(
    feed: &Feed,
    file: &UploadedFile,
    mapping: &Mapping,
    progress: &mut Progress<'_>,
) -> Result<Result<Scan, Vec<Problem>>, Failure> {
    progress.at(UploadStatus::Scanning, 0).await?;
    let Some(mut bytes) = feed.files.read(&file.object).await? else {
        return Ok(Err(vec![Problem::new(ProblemCode::FileGone)]));
    };
    let mut scanner = Scanner::new(mapping);
    while let Some(chunk) = bytes.next().await? {
        if let Err(problems) = scanner.push(&chunk) {
            return Ok(Err(problems));
        }
        progress.at(UploadStatus::Scanning, bytes.read()).await?;
    }
    Ok(scanner.finish())
}
