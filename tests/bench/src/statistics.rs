//! What many measurements say together, and what was wanted.

use std::fmt;

/// The value below which this share of the values lies, by the nearest rank; 0 where there are none.
pub(crate) fn percentile(values: &mut [u64], share: f64) -> u64 {
    values.sort_unstable();
    let rank = (share * values.len() as f64).ceil() as usize;
    values.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

/// The value in the middle, or the mean of the two there; 0 where there are none.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    match (values.get(middle.wrapping_sub(1)), values.get(middle)) {
        (Some(below), Some(above)) if values.len().is_multiple_of(2) => (below + above) / 2.0,
        (_, Some(value)) => *value,
        (_, None) => 0.0,
    }
}

/// How much the first series is of the second: the median over the rounds of each round's own ratio, so that what
/// slowed one round down slowed both.
pub(crate) fn ratio(values: &[f64], of: &[f64]) -> f64 {
    let ratios: Vec<f64> = values.iter().zip(of).map(|(value, of)| value / of).collect();
    median(&ratios)
}

/// What was wanted.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Target {
    /// This, or more.
    AtLeast(f64),
    /// This, or less.
    AtMost(f64),
    /// There is none: the figure is told.
    Told,
}

impl Target {
    pub(crate) fn is_met(self, value: f64) -> Option<bool> {
        match self {
            Self::AtLeast(least) => Some(value >= least),
            Self::AtMost(most) => Some(value <= most),
            Self::Told => None,
        }
    }

    /// Whether it is met, as a table says it.
    pub(crate) fn word(self, value: f64) -> &'static str {
        match self.is_met(value) {
            Some(true) => "met",
            Some(false) => "MISSED",
            None => "",
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::AtLeast(least) => format!("≥ {least:.2}"),
            Self::AtMost(most) => format!("≤ {most:.2}"),
            Self::Told => "–".to_owned(),
        };
        f.pad(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_value_that_was_measured() {
        let mut values: Vec<u64> = (1..=100).rev().collect();
        assert_eq!(percentile(&mut values, 0.5), 50);
        assert_eq!(percentile(&mut values, 0.99), 99);
        assert_eq!(percentile(&mut values, 1.0), 100);
        assert_eq!(percentile(&mut values, 0.0), 1);
        assert_eq!(percentile(&mut [7], 0.99), 7);
        assert_eq!(percentile(&mut [], 0.5), 0);
    }

    #[test]
    fn a_median_does_not_follow_one_wild_value() {
        assert_eq!(median(&[3.0, 1.0, 1000.0]), 3.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 1000.0]), 3.0);
        assert_eq!(median(&[5.0]), 5.0);
        assert_eq!(median(&[]), 0.0);
    }

    #[test]
    fn a_ratio_compares_what_was_measured_in_the_same_round() {
        // The second round was slow for both, the third for the first one alone.
        assert_eq!(ratio(&[90.0, 45.0, 10.0], &[100.0, 50.0, 100.0]), 0.9);
        assert_eq!(ratio(&[], &[]), 0.0);
    }

    #[test]
    fn a_target_is_met_at_its_very_value_and_not_beyond() {
        assert_eq!(Target::AtLeast(0.9).is_met(0.9), Some(true));
        assert_eq!(Target::AtLeast(0.9).is_met(0.89), Some(false));
        assert_eq!(Target::AtMost(1.5).is_met(1.5), Some(true));
        assert_eq!(Target::AtMost(1.5).is_met(1.51), Some(false));
        assert_eq!(Target::Told.is_met(0.0), None);
    }
}
