//! What was in the way of others is done again, from the beginning.
//!
//! Of all that are in each other's way one is done each time, the one that changes least before the others: what changes
//! much would never be done while many change a little. So whoever came too late a few times has the database's writers
//! to itself in the next round.

use std::time::Duration;

use tokio::time::sleep;

use crate::{secret::Entropy, store::StoreError};

/// How often something is done again at most.
const AGAIN: u32 = 12;
/// After so many rounds it is done alone.
const TOGETHER: u32 = 3;

tokio::task_local! {
    static ROUND: u32;
}

/// Which round it is: 0 for what is done for the first time.
fn round() -> u32 {
    ROUND.try_with(|round| *round).unwrap_or(0)
}

/// Whether it was begun before: whoever counts what is begun has counted this.
pub fn is_again() -> bool {
    round() > 0
}

/// Whether it is to have the writers to itself.
pub(super) fn is_alone() -> bool {
    round() >= TOGETHER
}

/// Whether a unit of work was in the way of others, so that nothing was done.
pub fn is_contended<T>(done: &Result<T, StoreError>) -> bool {
    matches!(done, Err(StoreError::Contended(_)))
}

/// Does something until it was in nobody's way, and says how that ended. Who does it again waits a moment, by chance.
pub async fn until_done<T, Attempt: Future<Output = T>>(
    entropy: &Entropy,
    mut attempt: impl FnMut() -> Attempt,
    was_in_the_way: impl Fn(&T) -> bool,
) -> T {
    let mut round = 0;
    loop {
        let done = ROUND.scope(round, attempt()).await;
        if round == AGAIN || !was_in_the_way(&done) {
            return done;
        }
        // Up to twice as long each time, and not all of them for as long.
        let chance = entropy.bytes().map_or(u8::MAX, |[byte, ..]| byte);
        sleep(Duration::from_micros(u64::from(chance) << round.min(9))).await;
        round += 1;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    async fn rounds(ways: u32) -> (u32, Vec<(bool, bool)>) {
        let seen = RefCell::new(vec![]);
        let attempt = || async {
            seen.borrow_mut().push((is_again(), is_alone()));
            seen.borrow().len() as u32
        };
        let done = until_done(&Entropy::seeded(1), attempt, |done| *done <= ways).await;
        (done, seen.into_inner())
    }

    #[tokio::test]
    async fn what_is_in_nobody_s_way_is_done_once() {
        assert_eq!(rounds(0).await, (1, vec![(false, false)]));
        assert!(!is_again() && !is_alone());
    }

    #[tokio::test]
    async fn what_came_too_late_a_few_times_is_done_alone_and_not_for_ever() {
        let (done, seen) = rounds(u32::MAX).await;
        assert_eq!(done, AGAIN + 1);
        for (round, seen) in (0..).zip(seen) {
            assert_eq!(seen, (round > 0, round >= TOGETHER), "{round}");
        }
    }
}
