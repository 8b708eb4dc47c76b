//! Which cells are played: a few in which every pair of values occurs.

use std::collections::BTreeSet;

use super::{
    cell::{Cell, Coop, Csp, Line, Mode, THIRD_PARTY, Window},
    expected::{Outcome, expected},
};
use crate::engine::ThirdParty;

/// A dimension of the product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Dimension {
    Coop,
    Csp,
    ThirdParty,
    Mode,
    Window,
}

const DIMENSIONS: [Dimension; 5] =
    [Dimension::Coop, Dimension::Csp, Dimension::ThirdParty, Dimension::Mode, Dimension::Window];

/// Two values that meet in a cell, and whether the second has its effect there: the window has none where the client
/// does not even start. Such a cell must not be the only one in which a window meets, say, a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Pair {
    first: (Dimension, usize),
    second: (Dimension, usize),
    effective: bool,
}

/// Every cell of the product.
pub(crate) fn product() -> impl Iterator<Item = Cell> {
    let with_mode = Mode::ALL.into_iter().flat_map(|mode| Window::ALL.map(|window| (mode, window)));
    let with_cookies =
        with_mode.flat_map(|(mode, window)| THIRD_PARTY.map(|third_party| (third_party, mode, window)));
    let with_csp = with_cookies.flat_map(|rest| Csp::ALL.map(|csp| (csp, rest)));
    with_csp.flat_map(|(csp, (third_party, mode, window))| {
        Coop::ALL.map(|coop| Cell { coop, csp, third_party, mode, window, redirect_uri: true })
    })
}

/// The whole product, and the cells beside it.
pub fn all() -> Vec<Cell> {
    product().chain(extra()).collect()
}

/// Cells in which every pair of values of the product occurs.
pub fn every_pair() -> Vec<Cell> {
    cover(|_| true)
}

/// Cells for the engines that the others are compared with: every pair in which engines differ (how a window and its
/// opener are parted, what a frame may keep), and every policy.
pub fn elsewhere() -> Vec<Cell> {
    use Dimension::{Coop, Csp, Mode, ThirdParty, Window};
    cover(|pair| {
        let together = (pair.first.0, pair.second.0);
        let differing = [(Coop, Mode), (Coop, Window), (ThirdParty, Mode), (Csp, Csp)].contains(&together);
        differing && pair.effective
    })
}

/// Cells beside the product: sites that leave the choice to the SDK, and sites without a redirect page.
pub fn extra() -> Vec<Cell> {
    let auto = Cell {
        coop: Coop::None,
        csp: Csp::Strict,
        third_party: ThirdParty::Partitioned,
        mode: Mode::Auto,
        window: Window::Allowed,
        redirect_uri: true,
    };
    let bare = Cell { redirect_uri: false, ..auto };
    vec![
        auto,
        bare,
        Cell { coop: Coop::SameOrigin, ..auto },
        Cell { csp: Csp::Missing(Line::FrameSrc), ..auto },
        Cell { window: Window::Blocked, ..auto },
        Cell { window: Window::Blocked, ..bare },
        Cell { coop: Coop::SameOrigin, mode: Mode::Popup, ..bare },
        Cell { coop: Coop::SameOrigin, mode: Mode::Iframe, ..bare },
        Cell { coop: Coop::AllowPopups, mode: Mode::Iframe, window: Window::Closed, ..bare },
    ]
}

/// Greedily: always the cell, the first in the product's order, that brings the most wanted pairs that are not there
/// yet. The same cells each time.
fn cover(wanted: impl Fn(&Pair) -> bool) -> Vec<Cell> {
    let mut missing: BTreeSet<Pair> = product().flat_map(pairs).filter(wanted).collect();
    let mut chosen = Vec::new();
    while !missing.is_empty() {
        let gain = |cell: &Cell| pairs(*cell).iter().filter(|pair| missing.contains(pair)).count();
        // Of equals, `max_by_key` takes the last one.
        let cells: Vec<Cell> = product().collect();
        let Some(best) = cells.into_iter().rev().max_by_key(gain) else { break };
        pairs(best).iter().for_each(|pair| {
            missing.remove(pair);
        });
        chosen.push(best);
    }
    chosen
}

/// The pairs of a cell, each value with itself among them.
fn pairs(cell: Cell) -> Vec<Pair> {
    let value = |dimension| (dimension, index(cell, dimension));
    let mut pairs = Vec::new();
    for (i, first) in DIMENSIONS.into_iter().enumerate() {
        for second in DIMENSIONS.into_iter().skip(i) {
            let pair = Pair { first: value(first), second: value(second), effective: false };
            pairs.push(pair);
            if second != Dimension::Window || reaches_the_window(cell) {
                pairs.push(Pair { effective: true, ..pair });
            }
        }
    }
    pairs
}

fn reaches_the_window(cell: Cell) -> bool {
    !matches!(expected(cell).outcome, Outcome::InitFails(_))
}

fn index(cell: Cell, dimension: Dimension) -> usize {
    fn of<T: PartialEq>(values: &[T], value: &T) -> usize {
        values.iter().position(|one| one == value).unwrap_or(usize::MAX)
    }
    match dimension {
        Dimension::Coop => of(&Coop::ALL, &cell.coop),
        Dimension::Csp => of(&Csp::ALL, &cell.csp),
        Dimension::ThirdParty => of(&THIRD_PARTY, &cell.third_party),
        Dimension::Mode => of(&Mode::ALL, &cell.mode),
        Dimension::Window => of(&Window::ALL, &cell.window),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_product_is_every_combination_once() {
        let all: BTreeSet<String> = product().map(|cell| cell.to_string()).collect();
        assert_eq!((all.len(), product().count()), (360, 360));
    }

    /// Said once more, without the pairs of the generator: two values of two dimensions, somewhere in one cell.
    #[test]
    fn every_pair_of_values_occurs() {
        let cells: Vec<String> = every_pair().iter().map(Cell::to_string).collect();
        let columns: Vec<BTreeSet<String>> = (0..DIMENSIONS.len())
            .map(|i| {
                product().filter_map(|cell| cell.to_string().split(' ').nth(i).map(str::to_owned)).collect()
            })
            .collect();
        for (i, firsts) in columns.iter().enumerate() {
            for (first, second) in firsts
                .iter()
                .flat_map(|first| columns.iter().skip(i + 1).flatten().map(move |second| (first, second)))
            {
                let both = |cell: &String| {
                    let values: Vec<&str> = cell.split(' ').collect();
                    values.contains(&first.as_str()) && values.contains(&second.as_str())
                };
                assert!(cells.iter().any(both), "{first} and {second} never meet");
            }
        }
    }

    #[test]
    fn every_window_meets_every_header_that_lets_a_client_start() {
        let chosen: BTreeSet<Pair> = every_pair().into_iter().flat_map(pairs).collect();
        assert!(product().flat_map(pairs).all(|pair| chosen.contains(&pair)));
    }

    #[test]
    fn the_cells_are_few_and_the_same_each_time() {
        assert!(every_pair().len() <= 32, "{}", every_pair().len());
        assert!(elsewhere().len() <= 16, "{}", elsewhere().len());
        assert_eq!(every_pair(), every_pair());
    }
}
