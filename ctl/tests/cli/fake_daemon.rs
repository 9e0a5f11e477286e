//! A daemon that answers as it is told, over the real socket and codec.

use std::cell::RefCell;
use std::future::poll_fn;
use std::time::Duration;

use secchat_ipc::codec::{MAX_REQUEST_BYTES, MAX_SERVER_MESSAGE_BYTES};
use secchat_ipc::reply::ServerMessage;
use secchat_ipc::transport::{FrameReader, greet, write_message};
use secchat_ipc::{Command, CommandError, Event, Hello, Reply, Request, VERSION};
use tokio::net::UnixListener;
use tokio::net::unix::OwnedWriteHalf;
use tokio::sync::mpsc;

use crate::home::Home;

/// No program takes longer to say something, on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);

/// Commands that a test has not looked at: more than any sends.
const MAX_COMMANDS: usize = 16_384;

/// A running fake daemon; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct FakeDaemon {
    pub(crate) home: Home,
    commands: RefCell<mpsc::Receiver<Command>>,
    task: tokio::task::JoinHandle<()>,
}

/// What to do with a command.
#[derive(Debug)]
pub(crate) enum Answer {
    /// Reply, and send these events afterwards.
    Reply(Box<Result<Reply, CommandError>>, Vec<(u64, Event)>),
    /// Say nothing.
    Nothing,
    /// Close the connection.
    Close,
}

pub(crate) fn ok(reply: Reply) -> Answer {
    Answer::Reply(Box::new(Ok(reply)), Vec::new())
}

pub(crate) fn err(error: CommandError) -> Answer {
    Answer::Reply(Box::new(Err(error)), Vec::new())
}

impl FakeDaemon {
    /// Answers every command by `answer`.
    pub(crate) fn start(answer: impl FnMut(&Command) -> Answer + Send + 'static) -> Self {
        let home = Home::new();
        let listener = listen(&home);
        let (sender, commands) = mpsc::channel(MAX_COMMANDS);
        let task = tokio::spawn(serve(listener, sender, answer));
        Self { home, commands: RefCell::new(commands), task }
    }

    /// Answers every command alike.
    pub(crate) fn always(result: Result<Reply, CommandError>) -> Self {
        Self::start(move |_| Answer::Reply(Box::new(result.clone()), Vec::new()))
    }

    /// The commands so far.
    pub(crate) fn commands(&self) -> Vec<Command> {
        std::iter::from_fn(|| self.commands.borrow_mut().try_recv().ok()).collect()
    }

    /// Waits for the next command.
    pub(crate) async fn next_command(&self) -> Command {
        let next = poll_fn(|context| self.commands.borrow_mut().poll_recv(context));
        tokio::time::timeout(DEADLINE, next).await.expect("no command came").expect("the fake daemon runs")
    }
}

impl Drop for FakeDaemon {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The socket where `secchatctl` looks for it.
pub(crate) fn listen(home: &Home) -> UnixListener {
    secchat_ipc::paths::create_private_folder(home.socket().parent().unwrap()).unwrap();
    UnixListener::bind(home.socket()).unwrap()
}

async fn serve(
    listener: UnixListener,
    commands: mpsc::Sender<Command>,
    mut answer: impl FnMut(&Command) -> Answer,
) {
    while let Ok((stream, _)) = listener.accept().await {
        let (mut input, mut output) = stream.into_split();
        let own = Hello { version: VERSION, ..Hello::new("secchatd", "fake") };
        if greet(&mut input, &mut output, &own, None).await.is_err() {
            continue;
        }
        let mut input = FrameReader::new(input, MAX_REQUEST_BYTES);
        // One connection after the other, but for one that is only there to take a request back.
        while let Ok(Some(Request { id, command, .. })) = input.next_message().await {
            let answer = answer(&command);
            commands.try_send(command).expect("a test looks at its commands");
            match answer {
                Answer::Close => break,
                Answer::Nothing => {
                    tokio::spawn(hold(input, output));
                    break;
                }
                Answer::Reply(result, events) => {
                    say(&mut output, ServerMessage::Reply { id, result: *result }).await;
                    for (sequence, event) in events {
                        say(&mut output, ServerMessage::Event { sequence, event }).await;
                    }
                    continue;
                }
            }
        }
    }
}

/// Keeps a connection open without a word, until the other end closes it.
async fn hold(mut input: FrameReader<tokio::net::unix::OwnedReadHalf>, _output: OwnedWriteHalf) {
    while let Ok(Some(_)) = input.next_body().await {}
}

async fn say(output: &mut OwnedWriteHalf, message: ServerMessage) {
    // A program that has seen enough closes its end.
    let _ = write_message(output, &message, MAX_SERVER_MESSAGE_BYTES).await;
}
