//! The load: so many connections that are kept, on each one request after the other, with as little work on this side
//! as can be, and the same for whoever is measured.

use std::{
    cell::{Cell, RefCell},
    net::SocketAddr,
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

/// How many connections there are at once.
pub(crate) const CONNECTIONS: usize = 32;
/// The longest answer that is expected, in bytes.
const MOST: usize = 16 * 1024;

/// Requests as they go over the wire, to be sent in turn.
pub(crate) type Requests = Rc<[Box<[u8]>]>;

/// When to end.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Until {
    /// After this time.
    Elapsed(Duration),
    /// After so many requests.
    Sent(usize),
}

/// What was measured.
#[derive(Debug)]
pub(crate) struct Round {
    /// Over how long.
    pub(crate) elapsed: Duration,
    /// How long each request took, in nanoseconds.
    pub(crate) latencies: Vec<u64>,
}

/// What the connections of one round share.
struct Shared {
    requests: Requests,
    /// The status that every answer must have.
    status: u16,
    /// The number of the request that is sent next.
    next: Cell<usize>,
    latencies: RefCell<Vec<u64>>,
    until: Until,
    started: Cell<Instant>,
}

impl Shared {
    /// The next request, unless it is time to end.
    fn next(&self) -> Option<&[u8]> {
        let number = self.next.get();
        let goes_on = match self.until {
            Until::Elapsed(time) => self.started.get().elapsed() < time,
            Until::Sent(count) => number < count,
        };
        self.next.set(number + 1);
        if goes_on { self.requests.get(number % self.requests.len()).map(|bytes| &**bytes) } else { None }
    }
}

/// Sends requests and takes the time of each. The first on each connection, which waits for the connection too, is
/// not counted where the round goes by time.
pub(crate) async fn run(
    address: SocketAddr,
    requests: Requests,
    status: u16,
    until: Until,
    first: usize,
) -> Result<Round> {
    ensure!(!requests.is_empty(), "there is nothing to send");
    let shared = Rc::new(Shared {
        requests,
        status,
        next: Cell::new(first),
        latencies: RefCell::default(),
        until,
        started: Cell::new(Instant::now()),
    });
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut connection = Connection::open(address).await?;
        if let (Until::Elapsed(_), Some(request)) = (until, shared.next()) {
            connection.ask(request, status).await?;
        }
        connections.push(connection);
    }
    shared.started.set(Instant::now());
    let mut running = JoinSet::new();
    for connection in connections {
        running.spawn_local(connection.run(shared.clone()));
    }
    while let Some(ended) = running.join_next().await {
        ended??;
    }
    let elapsed = shared.started.get().elapsed();
    Ok(Round { elapsed, latencies: shared.latencies.take() })
}

/// The body of one answer.
pub(crate) async fn fetch(address: SocketAddr, request: &[u8]) -> Result<Vec<u8>> {
    let mut connection = Connection::open(address).await?;
    let body = connection.ask(request, 200).await?;
    Ok(connection.buffer.get(body).unwrap_or_default().to_vec())
}

/// The status that a path is answered with; `None` where nobody answers.
pub(crate) async fn fetch_status(address: SocketAddr, path: &str) -> Option<u16> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.ok()?;
    std::str::from_utf8(answer.get(9..12)?).ok()?.parse().ok()
}

pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Box<[u8]>,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await.context("no connection")?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: vec![0; MOST].into() })
    }

    async fn run(mut self, shared: Rc<Shared>) -> Result<()> {
        let mut latencies = Vec::new();
        while let Some(request) = shared.next() {
            let sent = Instant::now();
            self.ask(request, shared.status).await?;
            latencies.push(u64::try_from(sent.elapsed().as_nanos())?);
        }
        shared.latencies.borrow_mut().extend(latencies);
        Ok(())
    }

    /// Sends a request and takes the whole answer, as it came.
    pub(crate) async fn fetch(&mut self, request: &[u8], status: u16) -> Result<&str> {
        let body = self.ask(request, status).await?;
        Ok(std::str::from_utf8(self.buffer.get(..body.end).unwrap_or_default())?)
    }

    /// Sends a request and takes the whole answer. Returns where its body is.
    async fn ask(&mut self, request: &[u8], status: u16) -> Result<std::ops::Range<usize>> {
        self.stream.write_all(request).await?;
        let mut filled = 0;
        let mut whole = None;
        while whole.as_ref().is_none_or(|whole: &std::ops::Range<usize>| filled < whole.end) {
            let rest = self.buffer.get_mut(filled..).unwrap_or_default();
            let read = self.stream.read(rest).await?;
            ensure!(read > 0, "the answer ended early, or is longer than {MOST} bytes");
            filled += read;
            if whole.is_none() {
                whole = body(self.buffer.get(..filled).unwrap_or_default())?;
            }
        }
        let answered = self.buffer.get(9..12).unwrap_or_default();
        if answered != status.to_string().as_bytes() {
            bail!("{status} was expected, but: {}", String::from_utf8_lossy(&self.buffer[..filled]));
        }
        whole.context("an answer has a body")
    }
}

/// Where the body is, once the head of an answer is there. What is measured tells its length.
fn body(answer: &[u8]) -> Result<Option<std::ops::Range<usize>>> {
    let Some(end) = find(answer, b"\r\n\r\n") else { return Ok(None) };
    const NAME: &[u8] = b"\r\ncontent-length: ";
    let head = answer.get(..end + 2).unwrap_or_default();
    let at = find(head, NAME).context("an answer does not tell its length")? + NAME.len();
    let digits = head.get(at..).unwrap_or_default().iter().take_while(|byte| byte.is_ascii_digit());
    let length = digits.fold(0, |length, digit| length * 10 + usize::from(digit - b'0'));
    Ok(Some(end + 4..end + 4 + length))
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_ends_where_its_length_says() {
        let answer = b"HTTP/1.1 200 OK\r\ncontent-type: a\r\ncontent-length: 12\r\n\r\nx";
        assert_eq!(body(answer).unwrap(), Some(answer.len() - 1..answer.len() + 11));
        assert_eq!(body(&answer[..answer.len() - 2]).unwrap(), None);
        assert!(body(b"HTTP/1.1 200 OK\r\n\r\ncontent-length: 12").is_err());
    }
}
