//! A route that is measured, and what was measured of it.

use std::{rc::Rc, time::Duration};

use anyhow::Result;

use crate::{
    load::{self, Requests, Until},
    process::Process,
    statistics::{median, percentile},
};

/// A route.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) name: &'static str,
    process: Rc<Process>,
    requests: Requests,
    figures: Vec<Figures>,
}

/// One round's figures.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Figures {
    /// Requests in a second.
    pub(crate) rate: f64,
    /// How long the one in the middle took, in microseconds.
    pub(crate) p50: f64,
    /// What one in a hundred took longer than, in microseconds.
    pub(crate) p99: f64,
    /// How long the process was at work for each, in microseconds.
    pub(crate) work: f64,
}

impl Route {
    pub(crate) fn new(name: &'static str, process: &Rc<Process>, requests: Vec<Box<[u8]>>) -> Self {
        Self { name, process: process.clone(), requests: requests.into(), figures: Vec::new() }
    }

    /// Sends each request so often that nothing is new to the process any more.
    pub(crate) async fn warm(&self) -> Result<()> {
        let count = self.requests.len().max(2000);
        load::run(self.process.address, self.requests.clone(), 200, Until::Sent(count), 0).await?;
        Ok(())
    }

    /// One round.
    pub(crate) async fn measure(&mut self, time: Duration) -> Result<()> {
        let before = self.process.ticks()?;
        // Another part of the requests in every round.
        let first = self.figures.len() * self.requests.len() * 618 / 1000;
        let until = Until::Elapsed(time);
        let mut round = load::run(self.process.address, self.requests.clone(), 200, until, first).await?;
        let worked = (self.process.ticks()? - before) as f64 * 10_000.0;
        self.process.forget_log()?;
        let count = round.latencies.len() as f64;
        self.figures.push(Figures {
            rate: count / round.elapsed.as_secs_f64(),
            p50: percentile(&mut round.latencies, 0.5) as f64 / 1000.0,
            p99: percentile(&mut round.latencies, 0.99) as f64 / 1000.0,
            work: worked / count,
        });
        Ok(())
    }

    /// One of the figures, round by round.
    pub(crate) fn rounds(&self, figure: fn(&Figures) -> f64) -> Vec<f64> {
        self.figures.iter().map(figure).collect()
    }

    /// The median of one of the figures.
    pub(crate) fn median(&self, figure: fn(&Figures) -> f64) -> f64 {
        median(&self.rounds(figure))
    }
}
