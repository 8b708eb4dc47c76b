//! Moments, for machines and for people.

use time::{Date, Month, OffsetDateTime};

use crate::clock::UnixSeconds;

/// A day.
#[derive(Debug, PartialEq, Eq)]
pub struct Day {
    /// As `2027-01-15`.
    pub iso: String,
    /// As `15 January 2027`.
    pub words: String,
}

impl Day {
    /// The day of a moment, in UTC: the server doesn't know where the person is.
    pub fn of(moment: UnixSeconds) -> Self {
        let (year, month, day) = utc(moment).date().to_calendar_date();
        Self {
            iso: format!("{year:04}-{:02}-{day:02}", u8::from(month)),
            words: format!("{day} {month} {year}"),
        }
    }

    /// When the day of this name begins, in UTC: `2027-01-15`.
    pub fn begin(iso: &str) -> Option<UnixSeconds> {
        let mut parts = iso.split('-');
        let mut digits = |length: usize| {
            let part = parts.next()?;
            let fits = part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit());
            part.parse::<u16>().ok().filter(|_| fits)
        };
        let (year, month, day) = (digits(4)?, digits(2)?, digits(2)?);
        let month = Month::try_from(u8::try_from(month).ok()?).ok()?;
        let date = Date::from_calendar_date(year.into(), month, u8::try_from(day).ok()?).ok()?;
        parts.next().is_none().then(|| date.midnight().assume_utc().unix_timestamp())
    }
}

/// A moment to the minute, in UTC.
#[derive(Debug, PartialEq, Eq)]
pub struct Minute {
    /// As `2027-01-15T08:00:00Z`.
    pub iso: String,
    /// As `15 January 2027, 08:00 UTC`.
    pub words: String,
}

impl Minute {
    /// The minute of a moment.
    pub fn of(moment: UnixSeconds) -> Self {
        let Day { iso, words } = Day::of(moment);
        let (hour, minute, second) = utc(moment).to_hms();
        Self {
            iso: format!("{iso}T{hour:02}:{minute:02}:{second:02}Z"),
            words: format!("{words}, {hour:02}:{minute:02} UTC"),
        }
    }
}

fn utc(moment: UnixSeconds) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(moment).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_told_to_machines_and_to_people() {
        for (moment, iso, words) in [
            (0, "1970-01-01", "1 January 1970"),
            (1_800_000_000, "2027-01-15", "15 January 2027"),
            (951_782_399, "2000-02-28", "28 February 2000"),
            (i64::MAX, "1970-01-01", "1 January 1970"),
        ] {
            assert_eq!(Day::of(moment), Day { iso: iso.into(), words: words.into() }, "{moment}");
        }
    }

    #[test]
    fn a_day_is_read_by_its_name_and_by_nothing_else() {
        for (moment, iso) in [(0, "1970-01-01"), (1_799_971_200, "2027-01-15"), (951_782_400, "2000-02-29")] {
            assert_eq!(Day::begin(iso), Some(moment), "{iso}");
            assert_eq!(Day::of(moment).iso, iso);
        }
        for nothing in [
            "",
            "-",
            "--",
            "2027",
            "2027-01",
            "2027-1-15",
            "27-01-15",
            "2027-01-15-",
            "2027-01-15T08:00",
            "2027-13-01",
            "2027-02-29",
            "2027-00-10",
            "2027-01-32",
            "+027-01-15",
            "2027-01-1x",
            " 2027-01-15",
            "15.01.2027",
        ] {
            assert_eq!(Day::begin(nothing), None, "{nothing:?}");
        }
    }

    #[test]
    fn a_minute_says_where_it_is_that_time() {
        let minute = Minute::of(1_800_000_061);
        assert_eq!(minute.iso, "2027-01-15T08:01:01Z");
        assert_eq!(minute.words, "15 January 2027, 08:01 UTC");
    }
}
