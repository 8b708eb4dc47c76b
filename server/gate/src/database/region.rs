//! How old what a region's database holds may be: what the centre commits comes there by PostgreSQL's own replication, in
//! the order of the commits, and a while later or not at all.
//!
//! The two clocks need not agree, and that something still comes says nothing of when it was sent. So the centre counts
//! beats, and each of them names the last one that the region had said that it has ([`Beat::echoed`]): when the region had
//! seen *that* one, by its own clock, this one had not been committed yet, nor had anything that comes after it.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use sqlx::PgPool;

use super::{Error, postgres::answered_in_time};

/// How often it is asked which beat it is at.
pub(super) const EVERY: Duration = Duration::from_millis(200);
/// How many beats are kept whose echo has not come: a quarter of an hour of them.
const KEPT: usize = 1024;

/// What a region knows of the centre.
#[derive(Debug)]
pub(super) struct Region {
    readers: PgPool,
    /// How old what it holds may be.
    pub(super) most: Duration,
    beats: Mutex<Beats>,
}

/// What the centre's beats say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
struct Beat {
    /// How many there were.
    number: i64,
    /// The last one of which the region had said, before this one was made, that it has it.
    echoed: i64,
}

/// How a region and its centre are connected, as the region's database knows it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Link {
    /// The region's name; `None` before anything has come.
    pub region: Option<String>,
    /// Whether its database receives at this moment.
    pub is_receiving: bool,
    /// Milliseconds since the last message of the centre's.
    pub heard_ms: Option<i64>,
    /// Bytes of the centre's log that have come and are not told to be kept.
    pub behind_bytes: Option<i64>,
    /// Whether something never came, so that it is to be subscribed again.
    pub has_gap: bool,
}

impl Region {
    pub(super) fn new(readers: PgPool, most: Duration) -> Self {
        Self { readers, most, beats: Mutex::default() }
    }

    /// Asks which beat it is at: `now` is the moment before that.
    pub(super) async fn look(&self, now: Duration) -> Result<(), Error> {
        // As long as a table is copied for the first time, something is missing, whatever the beats say, and where a beat did
        // not follow the one before, for ever. A standby is later than the server that confirms the beats.
        const BEAT: &str = "select h.number, h.echoed from regional.heartbeat h
                            where not pg_is_in_recovery()
                              and not exists (select from regional.gaps)
                              and exists (select from pg_subscription s
                                          where s.subdbid = (select oid from pg_database
                                                             where datname = current_database()))
                              and not exists (select from pg_subscription_rel r where r.srsubstate <> 'r')";
        let beat = answered_in_time(sqlx::query_as(BEAT).fetch_optional(&self.readers)).await;
        // A server that was away may have come back with less than it had, or be another one.
        self.beats().see(now, beat.as_ref().ok().copied().flatten());
        beat?;
        Ok(())
    }

    pub(super) async fn link(&self) -> Result<Link, Error> {
        const LINK: &str = "select (select min(region) from regional.heartbeat) as region,
                                   count(s.pid) > 0 as is_receiving,
                                   cast(extract(epoch from now() - max(s.last_msg_receipt_time)) * 1000 as bigint)
                                       as heard_ms,
                                   cast(max(pg_wal_lsn_diff(s.received_lsn, s.latest_end_lsn)) as bigint)
                                       as behind_bytes,
                                   exists (select from regional.gaps) as has_gap
                            from pg_stat_subscription s
                            join pg_subscription own on own.oid = s.subid
                            join pg_database d on d.oid = own.subdbid and d.datname = current_database()
                            where s.relid is null";
        Ok(answered_in_time(sqlx::query_as(LINK).fetch_one(&self.readers)).await?)
    }

    /// The moment at which all that was committed at the centre by then is certain to be here.
    pub(super) fn complete_at(&self) -> Option<Duration> {
        self.beats().complete_at
    }

    fn beats(&self) -> MutexGuard<'_, Beats> {
        // Nothing in here is left half done by a panic.
        self.beats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The beats that were seen: a plain function of what was asked when, and of the answers.
#[derive(Debug, Default)]
struct Beats {
    /// When it was asked last, and the beat that was there.
    last: Option<(Duration, Beat)>,
    /// The beats that are waited for, each with a moment at which it was not there yet.
    seen: VecDeque<(i64, Duration)>,
    /// The last beat of which nobody knows when it came.
    unknown: i64,
    complete_at: Option<Duration>,
}

impl Beats {
    fn see(&mut self, now: Duration, beat: Option<Beat>) {
        let Some(beat) = beat else {
            *self = Self::default();
            return;
        };
        match self.last {
            // A database that was put back to what it had been, here or at the centre, begins anew.
            Some((_, last)) if beat.number < last.number => *self = Self::begun(beat),
            Some((before, last)) if beat.number > last.number => self.seen.push_back((beat.number, before)),
            Some(_) => {}
            None => *self = Self::begun(beat),
        }
        self.last = Some((now, beat));
        while let Some((number, before)) = self.seen.front().copied() {
            // The first that is the echoed one, or came with it and after it.
            if beat.echoed > self.unknown && beat.echoed <= number {
                self.complete_at = self.complete_at.max(Some(before));
                break;
            }
            if beat.echoed <= self.unknown && self.seen.len() <= KEPT {
                break;
            }
            self.unknown = number;
            self.seen.pop_front();
        }
    }

    /// Of what was there at first nobody knows when it came.
    fn begun(beat: Beat) -> Self {
        Self { unknown: beat.number, ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asked at these moments, with these numbers and echoes as the answers: how old it may be after each.
    fn ages(answers: &[(u64, Option<(i64, i64)>)]) -> Vec<Option<u64>> {
        let mut beats = Beats::default();
        let secs = Duration::from_secs;
        let age = |(at, answer): &(u64, Option<(i64, i64)>)| {
            beats.see(secs(*at), answer.map(|(number, echoed)| Beat { number, echoed }));
            beats.complete_at.map(|complete| at - complete.as_secs())
        };
        answers.iter().map(age).collect()
    }

    #[test]
    fn what_was_there_at_first_may_be_of_any_age() {
        assert_eq!(ages(&[(1, Some((7, 6))), (2, Some((7, 6))), (3, Some((7, 6)))]), [None, None, None]);
        assert_eq!(ages(&[(1, Some((7, 6))), (2, Some((8, 7)))]), [None, None], "7 may have come long ago");
        assert_eq!(ages(&[(1, None), (2, None)]), [None, None]);
    }

    #[test]
    fn a_beat_is_younger_than_the_moment_before_the_echoed_one_came() {
        let one_after_the_other =
            [(1, Some((7, 6))), (2, Some((8, 7))), (3, Some((9, 8))), (4, Some((10, 9)))];
        assert_eq!(ages(&one_after_the_other), [None, None, Some(2), Some(2)]);
        // Several at once, of which one in the middle is echoed.
        let at_once = [(1, Some((7, 6))), (5, Some((12, 7))), (6, Some((14, 10))), (7, Some((15, 14)))];
        assert_eq!(ages(&at_once), [None, None, Some(5), Some(2)]);
    }

    #[test]
    fn it_ages_while_nothing_comes_and_while_what_comes_is_old() {
        let fresh = [(1, Some((7, 6))), (2, Some((8, 7))), (3, Some((9, 8)))];
        let silent = [(13, Some((9, 8))), (23, Some((9, 8)))];
        assert_eq!(ages(&[&fresh[..], &silent].concat())[3..], [Some(12), Some(22)]);
        // Whatever waited behind a broken link comes fast, one beat after the other, and each echoes the same.
        let late = [(33, Some((10, 9))), (34, Some((20, 9))), (35, Some((33, 9))), (36, Some((34, 33)))];
        assert_eq!(ages(&[&fresh[..], &late].concat())[3..], [Some(31), Some(32), Some(33), Some(2)]);
    }

    #[test]
    fn who_is_put_back_or_incomplete_begins_anew() {
        let fresh = [(1, Some((7, 6))), (2, Some((8, 7))), (3, Some((9, 8)))];
        for other in [Some((5, 4)), None] {
            let then = [(4, other), (5, Some((9, 8))), (6, Some((10, 9))), (7, Some((11, 10)))];
            let ages = ages(&[&fresh[..], &then].concat());
            assert_eq!((ages[2], ages[3], ages[6]), (Some(2), None, Some(2)), "{other:?}");
        }
    }

    #[test]
    fn beats_without_an_echo_are_not_kept_for_ever() {
        let mut beats = Beats::default();
        for number in 0..10_000_i64 {
            let at = Duration::from_secs(number.cast_unsigned());
            beats.see(at, Some(Beat { number, echoed: 0 }));
        }
        assert!(beats.seen.len() <= KEPT && beats.complete_at.is_none());
        beats.see(Duration::from_secs(10_000), Some(Beat { number: 10_000, echoed: 3 }));
        assert_eq!(beats.complete_at, None, "nobody knows any more when it came");
        beats.see(Duration::from_secs(10_001), Some(Beat { number: 10_001, echoed: 9_999 }));
        assert_eq!(beats.complete_at, Some(Duration::from_secs(9_998)));
    }
}
