//! The layer: it asks, decides, and lets the request through or answers it.

use std::{
    fmt, mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::{HeaderMap, Request, Response, header, request::Parts};
use latchkey_protocol::scope::Scopes;
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    Clock, Refusal, Rule, Source, Standing, bearer,
    clock::UnixSeconds,
    decision::{self, Asked},
    standing::{Application, Member, Organization},
    token::AccessToken,
};

/// What a gate needs to know besides tokens.
#[derive(Clone)]
pub struct Settings {
    /// The platform's own origin, from which every application's token may be used.
    pub platform: String,
    /// Where the resource is described (RFC 9728): every refusal that a token would mend names it.
    pub described_at: String,
    /// The time.
    pub clock: Clock,
    /// Who is told of refusals.
    pub observer: Option<Arc<dyn Observer>>,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("platform", &self.platform).finish_non_exhaustive()
    }
}

/// Who is told of refusals. It is told on the request's path: it takes note, and does the rest elsewhere.
pub trait Observer: Send + Sync {
    /// A request was refused. Where its token is one that there is, that is told too.
    fn refused(&self, refusal: &Refusal, standing: Option<&Standing>, request: &Parts);
}

/// What a request presents.
#[derive(Debug, Clone, Copy)]
pub struct Presented<'a> {
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// Its path, as it was sent.
    pub path: &'a str,
    /// Its query.
    pub query: Option<&'a str>,
    /// What the log calls the way that it took.
    pub route: Option<&'a Route>,
}

/// What the log and the observer call the way that a request took, where whoever guards it knows no better than a rule for
/// many paths: it stands among the request's extensions.
#[derive(Debug, Clone)]
pub struct Route(pub Arc<str>);

impl<'a> From<&'a Parts> for Presented<'a> {
    fn from(request: &'a Parts) -> Self {
        Self {
            headers: &request.headers,
            path: request.uri.path(),
            query: request.uri.query(),
            route: request.extensions.get(),
        }
    }
}

/// Who passed, and with what.
#[derive(Debug, Clone)]
pub struct Authorized {
    standing: Arc<Standing>,
    scopes: Scopes,
}

impl Authorized {
    /// The token's id.
    pub fn token_id(&self) -> &str {
        &self.standing.token_id
    }

    /// The application.
    pub fn application(&self) -> &Application {
        &self.standing.application
    }

    /// The scoping organization.
    pub fn organization(&self) -> &Organization {
        &self.standing.application.organization
    }

    /// The person.
    pub fn member(&self) -> &Member {
        &self.standing.member
    }

    /// What the token may do now: never more than the person's role.
    pub fn scopes(&self) -> Scopes {
        self.scopes
    }

    /// When the token was issued.
    pub fn created_at(&self) -> UnixSeconds {
        self.standing.created_at
    }

    /// When the token expires.
    pub fn expires_at(&self) -> UnixSeconds {
        self.standing.expires_at
    }
}

/// The gate.
#[derive(Debug)]
pub struct Gate<S>(Arc<Inner<S>>);

#[derive(Debug)]
struct Inner<S> {
    source: S,
    settings: Settings,
}

// Not derived: a source need not be one that can be copied.
impl<S> Clone for Gate<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S: Source> Gate<S> {
    /// A gate that knows tokens from this source.
    pub fn new(source: S, settings: Settings) -> Self {
        Self(Arc::new(Inner { source, settings }))
    }

    /// Where it knows tokens from.
    pub fn source(&self) -> &S {
        &self.0.source
    }

    /// The gate before a route with this rule.
    pub fn layer(&self, rule: Rule) -> GateLayer<S> {
        GateLayer { gate: self.clone(), rule }
    }

    /// Decides whether a request passes, for who is no layer.
    pub async fn authorize(&self, rule: Rule, presented: Presented<'_>) -> Result<Authorized, Refused> {
        let token = bearer::read(presented.headers, presented.query)?;
        let standing = match self.0.source.recall(&token) {
            Some(known) => known,
            None => self.find(&token).await?,
        };
        self.decide(rule, presented, standing)
    }

    async fn find(&self, token: &AccessToken) -> Result<Arc<Standing>, Refused> {
        Ok(self.0.source.find(token).await?.ok_or(Refusal::InvalidToken)?)
    }

    fn decide(
        &self,
        rule: Rule,
        presented: Presented<'_>,
        standing: Arc<Standing>,
    ) -> Result<Authorized, Refused> {
        let named = rule.named(presented.path);
        let asked = Asked {
            rule,
            named: named.as_deref(),
            origin: origin(presented.headers),
            platform: &self.0.settings.platform,
            now: self.0.settings.clock.now(),
        };
        match decision::decide(&standing, &asked) {
            Ok(scopes) => {
                let authorized = Authorized { standing, scopes };
                log(&authorized, presented.route);
                Ok(authorized)
            }
            Err(refusal) => Err(Refused { refusal, standing: Some(standing) }),
        }
    }

    /// Answers a request that does not pass, for who is no layer.
    pub fn refuse<B: From<String>>(&self, refused: Refused, request: &Parts) -> Response<B> {
        self.tell(&refused, request);
        refused.refusal.into_response(&self.0.settings.described_at)
    }

    /// Logs a refusal, and tells it to the observer.
    pub fn tell(&self, refused: &Refused, request: &Parts) {
        let Refused { refusal, standing } = refused;
        let standing = standing.as_deref();
        let (token, client_id, organization, user) = match standing {
            Some(standing) => (
                standing.token_id.as_str(),
                &*standing.application.client_id,
                &*standing.application.organization.id,
                &*standing.member.user_id,
            ),
            None => Default::default(),
        };
        let route = name(request.extensions.get());
        match refusal.cause() {
            Some(cause) => tracing::error!(%cause, route, "api call failed"),
            None => tracing::info!(%refusal, token, client_id, organization, user, route, "api call refused"),
        }
        if let Some(observer) = &self.0.settings.observer {
            observer.refused(refusal, standing, request);
        }
    }
}

/// Why a request does not pass, and what its token stands on where there is one.
#[derive(Debug)]
pub struct Refused {
    /// Why.
    pub refusal: Refusal,
    /// What its token stands on.
    pub standing: Option<Arc<Standing>>,
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, standing: None }
    }
}

/// The origin that the request says it comes from. One that cannot be read, or that comes twice, is nobody's: no
/// registration holds an empty one.
fn origin(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::ORIGIN).iter();
    let first = values.next()?;
    Some(if values.next().is_some() { "" } else { first.to_str().unwrap_or_default() })
}

fn name(route: Option<&Route>) -> Option<&str> {
    route.map(|Route(name)| &**name)
}

/// The one line that each call leaves which passes, however it came.
fn log(authorized: &Authorized, route: Option<&Route>) {
    tracing::info!(
        token = authorized.token_id(),
        client_id = &*authorized.application().client_id,
        organization = &*authorized.organization().id,
        user = &*authorized.member().user_id,
        route = name(route),
        "api call"
    );
}

/// Puts the gate before a service: see [`Gate::layer`].
#[derive(Debug)]
pub struct GateLayer<S> {
    gate: Gate<S>,
    rule: Rule,
}

impl<S> Clone for GateLayer<S> {
    fn clone(&self) -> Self {
        Self { gate: self.gate.clone(), rule: self.rule }
    }
}

impl<S, T> Layer<T> for GateLayer<S> {
    type Service = Guarded<S, T>;

    fn layer(&self, service: T) -> Guarded<S, T> {
        Guarded { gate: self.gate.clone(), rule: self.rule, service }
    }
}

/// A service behind the gate. A request that reaches it holds an [`Authorized`] among its extensions.
#[derive(Debug)]
pub struct Guarded<S, T> {
    gate: Gate<S>,
    rule: Rule,
    service: T,
}

impl<S, T: Clone> Clone for Guarded<S, T> {
    fn clone(&self) -> Self {
        Self { gate: self.gate.clone(), rule: self.rule, service: self.service.clone() }
    }
}

impl<S, T, ReqBody, ResBody> Service<Request<ReqBody>> for Guarded<S, T>
where
    S: Source,
    T: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone + Send + 'static,
    T::Future: Send,
    ReqBody: Send + 'static,
    ResBody: From<String>,
{
    type Response = Response<ResBody>;
    type Error = T::Error;
    type Future = Answering<T::Future, ResBody, T::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), T::Error>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let (parts, body) = request.into_parts();
        let token = match bearer::read(&parts.headers, parts.uri.query()) {
            Ok(token) => token,
            Err(refusal) => return Answering::answered(self.gate.refuse(refusal.into(), &parts)),
        };
        // Mostly it is known: then there is nothing to wait for.
        if let Some(standing) = self.gate.0.source.recall(&token) {
            return match self.gate.decide(self.rule, (&parts).into(), standing) {
                Ok(authorized) => Answering::passed(self.service.call(pass(authorized, parts, body))),
                Err(refused) => Answering::answered(self.gate.refuse(refused, &parts)),
            };
        }
        let (gate, rule) = (self.gate.clone(), self.rule);
        let ready = self.service.clone();
        let mut service = mem::replace(&mut self.service, ready);
        Answering::asking(async move {
            let standing = gate.find(&token).await;
            match standing.and_then(|standing| gate.decide(rule, (&parts).into(), standing)) {
                Ok(authorized) => Step::Call(service.call(pass(authorized, parts, body))),
                Err(refused) => Step::Answer(gate.refuse(refused, &parts)),
            }
        })
    }
}

fn pass<B>(authorized: Authorized, mut parts: Parts, body: B) -> Request<B> {
    parts.extensions.insert(authorized);
    Request::from_parts(parts, body)
}

/// What comes of asking.
enum Step<F, B> {
    Call(F),
    Answer(Response<B>),
}

type Asking<F, B> = Pin<Box<dyn Future<Output = Step<F, B>> + Send>>;

pin_project! {
    #[project = State]
    #[doc(hidden)]
    pub struct Answering<F, B, E> {
        asking: Option<Asking<F, B>>,
        #[pin]
        passed: Option<F>,
        answered: Option<Response<B>>,
        error: std::marker::PhantomData<fn() -> E>,
    }
}

impl<F, B, E> Answering<F, B, E> {
    const fn nothing() -> Self {
        Self { asking: None, passed: None, answered: None, error: std::marker::PhantomData }
    }

    fn asking(asking: impl Future<Output = Step<F, B>> + Send + 'static) -> Self {
        Self { asking: Some(Box::pin(asking)), ..Self::nothing() }
    }

    fn passed(future: F) -> Self {
        Self { passed: Some(future), ..Self::nothing() }
    }

    fn answered(response: Response<B>) -> Self {
        Self { answered: Some(response), ..Self::nothing() }
    }
}

impl<F: Future<Output = Result<Response<B>, E>>, B, E> Future for Answering<F, B, E> {
    type Output = Result<Response<B>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project();
        if let Some(asking) = state.asking {
            let step = ready!(asking.as_mut().poll(context));
            *state.asking = None;
            match step {
                Step::Call(future) => state.passed.set(Some(future)),
                Step::Answer(response) => return Poll::Ready(Ok(response)),
            }
        }
        if let Some(response) = state.answered.take() {
            return Poll::Ready(Ok(response));
        }
        match state.passed.as_pin_mut() {
            Some(future) => future.poll(context),
            // Polled once more after it was ready, which nobody does.
            None => Poll::Pending,
        }
    }
}
