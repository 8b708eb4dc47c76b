//! `/organizations/{organization}/…`

mod audit;
