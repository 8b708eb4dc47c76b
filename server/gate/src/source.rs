//! Where the gate learns what a token stands on.

use std::{future::Future, sync::Arc};

use crate::{Refusal, Standing, token::AccessToken};

/// Knows tokens.
pub trait Source: Send + Sync + 'static {
    /// What is known of the token at this moment without asking anybody. A source that cannot vouch that nothing
    /// changed says that it knows nothing.
    fn recall(&self, token: &AccessToken) -> Option<Arc<Standing>>;

    /// What the token stands on now; `None` for one that there is not. A source that gets no answer refuses with
    /// [`Refusal::Unavailable`], one that may know too little with [`Refusal::Stale`], or with [`Refusal::Failed`] where
    /// nobody understands it.
    fn find(
        &self,
        token: &AccessToken,
    ) -> impl Future<Output = Result<Option<Arc<Standing>>, Refusal>> + Send;
}

impl<S: Source> Source for Arc<S> {
    fn recall(&self, token: &AccessToken) -> Option<Arc<Standing>> {
        (**self).recall(token)
    }

    async fn find(&self, token: &AccessToken) -> Result<Option<Arc<Standing>>, Refusal> {
        (**self).find(token).await
    }
}
