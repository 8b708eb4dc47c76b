//! Adding up the tests that ran, from the closing lines of the test runners.

use std::fmt;

/// How many tests passed and failed, over all runners, and what they found out besides, in lines.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) figures: Vec<String>,
}

impl Tally {
    /// Takes one line of output; only cargo's and wasm-bindgen's "test result: …" lines count, and the closing ones of
    /// Node's in TAP.
    pub(crate) fn read(&mut self, line: &str) {
        match line.trim_end().strip_prefix("# ").and_then(|line| line.split_once(' ')) {
            Some(("pass", count)) => self.passed += count.parse::<u64>().unwrap_or(0),
            Some(("fail", count)) => self.failed += count.parse::<u64>().unwrap_or(0),
            _ => {}
        }
        let Some((_, counts)) = line.split_once("test result: ") else { return };
        let Some((_, counts)) = counts.split_once(". ") else { return };
        for part in counts.split(';') {
            match part.trim().split_once(' ') {
                Some((count, "passed")) => self.passed += count.parse::<u64>().unwrap_or(0),
                Some((count, "failed")) => self.failed += count.parse::<u64>().unwrap_or(0),
                _ => {}
            }
        }
    }

    /// How many tests were executed at all.
    pub(crate) fn executed(&self) -> u64 {
        self.passed + self.failed
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for figure in &self.figures {
            writeln!(f, "- {figure}")?;
        }
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_add_up_and_others_do_not_count() {
        let mut tally = Tally::default();
        tally.read("test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.00s\n");
        tally.read("test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 filtered out\n");
        tally.read("test a_code_can_be_used_once ... ok\n");
        tally.read("running 12 tests\n");
        tally.read("# Subtest: a pass 3\n");
        tally.read("# tests 5\n");
        tally.read("# pass 4\n");
        tally.read("# fail 1\n");
        assert_eq!((tally.passed, tally.failed), (18, 2));
        assert_eq!(tally.to_string(), "18 passed, 2 failed");
        tally.figures.push("8 faults, lost: none".into());
        assert_eq!(tally.to_string(), "- 8 faults, lost: none\n18 passed, 2 failed");
    }
}
