//! Lists of any length, a page at a time: `limit` says how much a page holds, `cursor` where it begins.

use crate::http::{error::Error, parameters::Parameters};

/// How much a page holds that does not say.
const PAGE: u32 = 50;
/// The most that a page holds.
const MAX_PAGE: u32 = 200;

/// How much the page holds that is asked for.
pub fn limit(parameters: &Parameters) -> Result<u32, Error> {
    let Some(limit) = parameters.get("limit") else { return Ok(PAGE) };
    let limit = limit.parse().ok().filter(|limit| (1..=MAX_PAGE).contains(limit));
    limit.ok_or(Error::parameter("limit", "is not a number from 1 to 200"))
}

/// The page, and where the next one begins: `found` holds one more than the page where there is another.
pub fn cut<T>(mut found: Vec<T>, limit: u32, cursor: impl Fn(&T) -> String) -> (Vec<T>, Option<String>) {
    let is_last = found.len() <= limit as usize;
    found.truncate(limit as usize);
    let next = found.last().filter(|_| !is_last).map(cursor);
    (found, next)
}
