//! The block stream: server-sent events from one endpoint at a time, verified block by block, resumed after the last
//! verified one, with growing pauses between attempts. Never ends by itself.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use chain_types::api::BlockMessage;
use futures::{Stream, stream};
use reqwest::Response;

use crate::client::Client;
use crate::error::Error;
use crate::follow::{Fault, Followed, Follower, Start};
use crate::transport::Question;

/// A stream without a byte, not even a comment, for this long is dead.
const SILENCE: Duration = Duration::from_secs(45);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// A message beyond this is no block: limits allow 2 MiB, which is 4 MiB in hexadecimal, and as much again of results.
const MAX_MESSAGE_BYTES: usize = 32 * 1024 * 1024;

/// Blocks as they are decided. An error item says why none comes at the moment; asking again goes on.
pub struct BlockStream {
    client: Client,
    follower: Follower,
    ready: VecDeque<Followed>,
    connection: Option<Connection>,
    pause: Duration,
}

struct Connection {
    response: Response,
    buffer: BytesMut,
    /// Bytes at the front of the buffer that hold no end of line.
    scanned: usize,
    data: String,
    endpoint: usize,
}

impl BlockStream {
    pub(crate) fn new(client: Client, start: Start) -> Self {
        let follower = Follower::new(client.fingerprint(), start);
        Self { client, follower, ready: VecDeque::new(), connection: None, pause: Duration::ZERO }
    }

    /// What becomes known next. Dropping the future loses nothing that was returned.
    pub async fn next(&mut self) -> Result<Followed, Error> {
        loop {
            if let Some(known) = self.ready.pop_front() {
                return Ok(known);
            }
            let Some(connection) = &mut self.connection else {
                self.connect().await?;
                continue;
            };
            let message = match connection.message().await {
                Ok(message) => message,
                // The endpoint went away: the next attempt may find another, which is no news.
                Err(Gone) => {
                    self.lost(false);
                    continue;
                }
            };
            if let Err(e) = self.take(&message).await {
                self.lost(true);
                return Err(e);
            }
            self.pause = Duration::ZERO;
        }
    }

    /// The same as a [`Stream`].
    pub fn into_stream(self) -> impl Stream<Item = Result<Followed, Error>> + Send {
        stream::unfold(self, |mut blocks| async move { Some((blocks.next().await, blocks)) })
    }

    /// The height that must come next.
    pub fn next_height(&self) -> u64 {
        self.follower.next_height()
    }

    async fn take(&mut self, text: &str) -> Result<(), Error> {
        let message: BlockMessage = serde_json::from_str(text).map_err(Error::unverified)?;
        // A resumed stream may begin a little earlier than asked.
        if message.height < self.follower.next_height() {
            return Ok(());
        }
        let mut sets = self.client.sets().await?;
        for learnt in [false, true] {
            match self.follower.accept(&message, &sets) {
                Ok(known) => {
                    self.ready.extend(known);
                    return Ok(());
                }
                Err(Fault::UnknownSet) if !learnt => sets = self.client.learn_sets().await?,
                Err(Fault::UnknownSet) => {
                    return Err(Error::unverified(format!("block {} names unknown validators", message.height)));
                }
                Err(Fault::UntrueResults) => {
                    self.follower.reopen();
                    let what = "the chain commits to other results than were sent for block";
                    return Err(Error::unverified(format!("{what} {}", self.follower.next_height())));
                }
                Err(Fault::Untrue(reason)) => return Err(Error::unverified(reason)),
            }
        }
        Ok(())
    }

    /// Leaves the endpoint; one that lied or went away is not the first to be asked again.
    fn lost(&mut self, lied: bool) {
        if let Some(connection) = self.connection.take() {
            let endpoints = self.client.endpoints().len();
            self.client.transport().prefer((connection.endpoint + 1) % endpoints.max(1));
        }
        if lied {
            self.pause = self.pause.max(FIRST_PAUSE);
        }
    }

    async fn connect(&mut self) -> Result<(), Error> {
        if !self.pause.is_zero() {
            tokio::time::sleep(self.pause).await;
        }
        self.pause = (self.pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
        let from = self.follower.next_height();
        let question = Question::get("/blocks/stream").with("from", from);
        let (transport, mut reasons) = (self.client.transport(), Vec::new());
        let first = transport.preferred();
        for turn in 0..transport.endpoints().len() {
            let endpoint = (first + turn) % transport.endpoints().len();
            let opened = tokio::time::timeout(Duration::from_secs(5), transport.open(endpoint, &question)).await;
            match opened {
                Ok(Ok(response)) => {
                    transport.prefer(endpoint);
                    let (buffer, data) = (BytesMut::new(), String::new());
                    self.connection = Some(Connection { response, buffer, scanned: 0, data, endpoint });
                    return Ok(());
                }
                Ok(Err(Error::Unreachable { reasons: more })) => reasons.extend(more),
                Ok(Err(e)) => reasons.push(e.to_string()),
                Err(_) => reasons.push(format!("endpoint {endpoint}: no answer within 5 s")),
            }
        }
        Err(Error::Unreachable { reasons })
    }
}

/// The connection ended or fell silent.
struct Gone;

impl Connection {
    /// The data of the next event.
    async fn message(&mut self) -> Result<String, Gone> {
        loop {
            while let Some(line) = self.take_line() {
                if line.is_empty() && !self.data.is_empty() {
                    return Ok(std::mem::take(&mut self.data));
                }
                // Ids repeat the height that stands in the data; comments only keep the connection alive.
                if let Some(data) = line.strip_prefix("data:") {
                    self.data.push_str(data.strip_prefix(' ').unwrap_or(data));
                }
            }
            if self.buffer.len() + self.data.len() > MAX_MESSAGE_BYTES {
                return Err(Gone);
            }
            match tokio::time::timeout(SILENCE, self.response.chunk()).await {
                Ok(Ok(Some(chunk))) => self.buffer.extend_from_slice(&chunk),
                _ => return Err(Gone),
            }
        }
    }

    /// Takes a whole line off the buffer, without its end.
    fn take_line(&mut self) -> Option<String> {
        let rest = self.buffer.get(self.scanned..).unwrap_or_default();
        let Some(end) = rest.iter().position(|byte| *byte == b'\n') else {
            self.scanned = self.buffer.len();
            return None;
        };
        let line = self.buffer.split_to(self.scanned + end);
        self.buffer.advance(1);
        self.scanned = 0;
        let line = line.strip_suffix(b"\r").unwrap_or(&line);
        Some(String::from_utf8_lossy(line).into_owned())
    }
}
