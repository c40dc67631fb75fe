//! A way to a server that may end without a word, as when its host vanishes.

use std::io;

use anyhow::{Context as _, Result};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch::{self, Receiver, Sender},
    task::{JoinHandle, JoinSet},
};

/// Passes on what is said between whoever comes to `url` and the server.
pub struct Road {
    /// The server's URL, by this way.
    pub url: String,
    vanished: Sender<u64>,
    passing: JoinHandle<io::Result<()>>,
}

impl Road {
    /// A way to the server at a URL with user, host and port.
    ///
    /// # Errors
    /// When the URL lacks one of them, or there is no free port.
    pub async fn to(url: &str) -> Result<Self> {
        let (user, rest) = url.rsplit_once('@').context("no user in the URL")?;
        let (server, path) = rest.split_once('/').context("no path in the URL")?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("{user}@{}/{path}", listener.local_addr()?);
        let (vanished, _) = watch::channel(0);
        let passing = tokio::spawn(accept(listener, server.to_owned(), vanished.clone()));
        Ok(Self { url, vanished, passing })
    }

    /// The server is gone from all connections there are: it hears their end, and they hear nothing any more, not even that.
    /// New ones are passed on.
    pub fn vanish(&self) {
        self.vanished.send_modify(|times| *times += 1);
    }
}

impl Drop for Road {
    fn drop(&mut self) {
        self.passing.abort();
    }
}

async fn accept(listener: TcpListener, server: String, vanished: Sender<u64>) -> io::Result<()> {
    let mut passing = JoinSet::new();
    loop {
        let (near, _) = listener.accept().await?;
        passing.spawn(pass(near, server.clone(), vanished.subscribe()));
    }
}

async fn pass(mut near: TcpStream, server: String, mut vanished: Receiver<u64>) {
    let Ok(mut far) = TcpStream::connect(&server).await else { return };
    let is_gone = tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => false,
        _ = vanished.changed() => true,
    };
    if is_gone {
        drop(far);
        std::future::pending::<()>().await;
    }
}
