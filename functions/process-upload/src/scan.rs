//! The first pass: the file's bytes through the scanner.

use crate::failure::Failure;
use crate::run::Run;
use mapping::mapping::Mapping;
use mapping::problem::Problem;
use mapping::scan::{Scan, Scanner};
use platform::feed::UploadStatus;

/// Reads and checks the whole file. `Ok(Err(..))`: the file is refused.
pub(crate) async fn scan(
    run: &mut Run<'_>,
    mapping: &Mapping,
) -> Result<Result<Scan, Vec<Problem>>, Failure> {
    run.at(UploadStatus::Scanning, 0).await?;
    let mut bytes = run.feed.files.read(&run.object).await?;
    let mut scanner = Scanner::new(mapping);
    while let Some(chunk) = bytes.next().await? {
        if let Err(problems) = scanner.push(&chunk) {
            return Ok(Err(problems));
        }
        run.at(UploadStatus::Scanning, bytes.read()).await?;
    }
    Ok(scanner.finish())
}
