//! What has expired is deleted, off the path of every request, a bounded batch at a time.

use std::time::Duration;

use crate::{
    audit::By,
    clock::{Clock, UnixSeconds},
    oauth::signing_keys::retired_until,
    state::App,
    store::{
        StoreError, Unit, audit_log, counters, frame_sessions, gate_changes, grants, invitations, kept_forms,
        refresh_tokens, rounds, sessions, signing_keys, tokens, transactions,
    },
};

/// How often.
const EVERY: Duration = Duration::from_secs(60);
/// How much of a kind at once: others get to write between two batches.
const MOST: i64 = 1000;

/// The kinds, in the order in which what depends goes before what it depends on. Codes go with their grants, and so do
/// the refresh tokens that were replaced.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Transactions,
    AccessTokens,
    RefreshTokens,
    FrameSessions,
    Grants,
    Sessions,
    SigningKeys,
    GateChanges,
    Refusals,
    AuditLog,
    KeptForms,
    Invitations,
    Counters,
}

const KINDS: [Kind; 13] = [
    Kind::Transactions,
    Kind::AccessTokens,
    Kind::RefreshTokens,
    Kind::FrameSessions,
    Kind::Grants,
    Kind::Sessions,
    Kind::SigningKeys,
    Kind::GateChanges,
    Kind::Refusals,
    Kind::AuditLog,
    Kind::KeptForms,
    Kind::Invitations,
    Kind::Counters,
];

impl Kind {
    async fn sweep(self, app: &App, unit: &mut Unit, now: UnixSeconds) -> Result<u64, StoreError> {
        match self {
            Self::Transactions => transactions::sweep(unit, now, MOST).await,
            Self::AccessTokens => tokens::sweep(unit, now, MOST).await,
            Self::RefreshTokens => refresh_tokens::sweep(unit, now, MOST).await,
            Self::FrameSessions => frame_sessions::sweep(unit, now, MOST).await,
            Self::Grants => grants::sweep(unit, now, MOST).await,
            Self::Sessions => sessions::sweep(unit, now, MOST).await,
            Self::SigningKeys => {
                signing_keys::sweep(unit, retired_until(now, &app.config.lifetimes), MOST).await
            }
            Self::GateChanges => gate_changes::sweep(unit, MOST).await,
            Self::KeptForms => kept_forms::sweep(unit, now, MOST).await,
            Self::Invitations => invitations::sweep(unit, now, MOST).await,
            Self::Counters => counters::sweep(unit, now, MOST).await,
            Self::Refusals => audit_log::sweep_refusals(unit, app.config.limits.kept_refusals, MOST).await,
            Self::AuditLog => audit_log::sweep(unit, now - app.config.lifetimes.audit_secs, MOST).await,
        }
    }
}

/// Sweeps for as long as the server runs.
pub async fn run(app: App) {
    let mut ticks = tokio::time::interval(EVERY);
    loop {
        ticks.tick().await;
        app.throttle.sweep();
        match sweep(&app).await {
            Ok(0) => {}
            Ok(swept) => tracing::debug!(swept, "expired rows were deleted"),
            Err(error) => {
                tracing::warn!(%error, "expired rows were not deleted; the next round tries again");
            }
        }
    }
}

/// Deletes everything that has expired. Returns how many rows that were: fewer where another process does
/// it at the same time.
pub async fn sweep(app: &App) -> Result<u64, StoreError> {
    let mut all = 0;
    // One for all kinds: with a session goes no grant that ended since the grants were swept, and its line with it.
    let mut now = app.clock.now();
    for kind in KINDS {
        loop {
            let Some((swept, until)) = sweep_some(app, kind, now).await? else { return Ok(all) };
            now = until;
            all += swept;
            if swept < MOST.unsigned_abs() {
                break;
            }
        }
    }
    Ok(all)
}

/// Deletes a batch, however much is written at the time, and says of how many rows, and until when. `None` where another
/// process sweeps.
async fn sweep_some(
    app: &App,
    kind: Kind,
    now: UnixSeconds,
) -> Result<Option<(u64, UnixSeconds)>, StoreError> {
    let attempt = async || {
        let by = By::server(app.clock.now());
        let Some((mut unit, there)) = app.store.sweep(by).await? else { return Ok(None) };
        let until = match (&app.clock, there) {
            // Whose clock is wrong deletes nothing that is good for all the others.
            (Clock::System, Some(there)) => there.min(now),
            (Clock::System | Clock::Manual(_), _) => now,
        };
        let swept = kind.sweep(app, &mut unit, until).await?;
        unit.commit().await?;
        Ok(Some((swept, until)))
    };
    rounds::until_done(&app.entropy, attempt, rounds::is_contended).await
}
