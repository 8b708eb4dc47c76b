//! The way to a server, which can be cut so that nobody is told of it: what is sent goes nowhere, as where a cable is out.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// It is there for as long as this is.
#[derive(Debug)]
pub(crate) struct Link {
    address: SocketAddr,
    is_open: watch::Sender<bool>,
}

impl Link {
    /// To a server on this machine.
    pub(crate) async fn to(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (is_open, passes) = watch::channel(true);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let Ok(far) = TcpStream::connect(("127.0.0.1", port)).await else { continue };
                let (near, far) = (near.into_split(), far.into_split());
                tokio::spawn(pass(near.0, far.1, passes.clone()));
                tokio::spawn(pass(far.0, near.1, passes.clone()));
            }
        });
        Self { address, is_open }
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(crate) fn cut(&self) {
        self.is_open.send_replace(false);
    }

    pub(crate) fn mend(&self) {
        self.is_open.send_replace(true);
    }
}

/// Passes on what comes, when it may.
async fn pass(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    mut is_open: watch::Receiver<bool>,
) {
    let mut bytes = [0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        if is_open.wait_for(|is_open| *is_open).await.is_err() || to.write_all(&bytes[..count]).await.is_err()
        {
            return;
        }
    }
}
