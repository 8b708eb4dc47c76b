//! A request's body on its way to a backend, and how long each step of it may take.
//!
//! A backend's time to answer is counted from when it has everything: an upload that goes on steadily may take as long as it
//! takes. What may not be long is each step: the client's, who is to send the next part, and the backend's, who is to take
//! it.

use std::{
    pin::{Pin, pin},
    task::{Context, Poll},
};

use axum::body::Body;
use hyper::body::{Bytes, Frame, SizeHint};
use tokio::sync::watch;

use crate::http::error::Error;

/// Whose turn it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// The client's, who is to send the next part.
    Client,
    /// The backend's, who is to take a part.
    Backend,
    /// The backend's, who has everything and is to answer.
    Answer,
}

pin_project_lite::pin_project! {
    /// A body that tells whose turn it is.
    #[derive(Debug)]
    pub struct Upload {
        #[pin]
        body: Body,
        turn: watch::Sender<Turn>,
    }
}

impl Upload {
    /// The body, and where it tells.
    pub fn new(body: Body) -> (Self, watch::Receiver<Turn>) {
        let (turn, told) = watch::channel(Turn::Backend);
        (Self { body, turn }, told)
    }

    /// Where it tells who has no body.
    pub fn nothing() -> watch::Receiver<Turn> {
        watch::channel(Turn::Answer).1
    }
}

impl hyper::body::Body for Upload {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = self.project();
        let polled = this.body.poll_frame(context);
        let now = match &polled {
            Poll::Pending => Turn::Client,
            Poll::Ready(Some(Ok(_))) => Turn::Backend,
            Poll::Ready(Some(Err(_)) | None) => Turn::Answer,
        };
        // Each part is a step, and nobody's turn begins again because it was looked at twice.
        this.turn.send_if_modified(|turn| {
            let is_step = *turn != now || now == Turn::Backend;
            *turn = now;
            is_step
        });
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The answer, if nobody's turn takes longer than there is patience for it.
pub async fn answered<T, P: Future<Output = ()>>(
    answer: impl Future<Output = T>,
    mut told: watch::Receiver<Turn>,
    patience: impl Fn(Turn) -> P,
) -> Result<T, Error> {
    let mut answer = pin!(answer);
    loop {
        let told_last = *told.borrow_and_update();
        // Who lets go of the body has everything, or wants no more of it.
        let turn = if told.has_changed().is_ok() { told_last } else { Turn::Answer };
        tokio::select! {
            biased;
            answer = answer.as_mut() => return Ok(answer),
            _ = told.changed(), if turn != Turn::Answer => {}
            () = patience(turn) => return Err(late(turn)),
        }
    }
}

fn late(turn: Turn) -> Error {
    match turn {
        Turn::Client => Error::SlowBody,
        Turn::Backend | Turn::Answer => Error::GatewayTimeout,
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::{pending, ready},
        sync::{Arc, Mutex},
        task::Waker,
    };

    use super::*;
    use http_body_util::BodyExt;
    use hyper::body::Body as _;
    use tokio::sync::mpsc;

    type Parts = mpsc::Sender<Result<Bytes, std::io::Error>>;

    fn upload() -> (Parts, Upload, watch::Receiver<Turn>) {
        let (parts, received) = mpsc::channel(4);
        let stream = tokio_stream::wrappers::ReceiverStream::new(received);
        let (upload, told) = Upload::new(Body::from_stream(stream));
        (parts, upload, told)
    }

    /// Looks at the next part, which is not there yet.
    fn look(upload: &mut Upload) {
        assert!(Pin::new(upload).poll_frame(&mut Context::from_waker(Waker::noop())).is_pending());
    }

    #[tokio::test]
    async fn each_part_begins_a_turn_and_the_answer_s_begins_at_the_end() {
        let (parts, mut upload, told) = upload();
        let turns = Arc::new(Mutex::new(vec![]));
        let seen = turns.clone();
        let answer = async move {
            for _ in 0..2 {
                look(&mut upload);
                tokio::task::yield_now().await;
                look(&mut upload);
                tokio::task::yield_now().await;
                parts.send(Ok("part".into())).await.unwrap();
                upload.frame().await.unwrap().unwrap();
                tokio::task::yield_now().await;
            }
            drop(parts);
            assert!(upload.frame().await.is_none());
            tokio::task::yield_now().await;
            "done"
        };
        let patience = move |turn| {
            seen.lock().unwrap().push(turn);
            pending()
        };
        assert_eq!(answered(answer, told, patience).await.unwrap(), "done");
        let turns = turns.lock().unwrap().clone();
        let steps = [Turn::Client, Turn::Backend, Turn::Client, Turn::Backend, Turn::Answer];
        assert_eq!(turns.strip_prefix(&[Turn::Backend]).unwrap_or(&turns), steps);
    }

    /// A hand that is out of patience at once where it is this one's turn.
    async fn out_of_patience_with(whose: Turn, told: watch::Receiver<Turn>) -> Error {
        let patience = |turn| -> Pin<Box<dyn Future<Output = ()>>> {
            if turn == whose { Box::pin(ready(())) } else { Box::pin(pending()) }
        };
        answered(pending::<()>(), told, patience).await.unwrap_err()
    }

    #[tokio::test]
    async fn whoever_is_late_is_said() {
        let (_parts, mut waiting, told) = upload();
        look(&mut waiting);
        assert!(matches!(out_of_patience_with(Turn::Client, told).await, Error::SlowBody));
        let (parts, mut taken, told) = upload();
        parts.send(Ok("part".into())).await.unwrap();
        taken.frame().await.unwrap().unwrap();
        assert!(matches!(out_of_patience_with(Turn::Backend, told).await, Error::GatewayTimeout));
        let whole = Upload::nothing();
        assert!(matches!(out_of_patience_with(Turn::Answer, whole).await, Error::GatewayTimeout));
        // Who lets go of a body before its end wants no more of it.
        let (_parts, dropped, told) = upload();
        drop(dropped);
        assert!(matches!(out_of_patience_with(Turn::Answer, told).await, Error::GatewayTimeout));
    }
}
