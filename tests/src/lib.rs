//! latchkey-journeys
