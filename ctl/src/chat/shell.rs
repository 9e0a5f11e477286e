//! Runs the window: the terminal's and the daemon's words go into the model, its effects come out, frames are drawn.

use std::collections::VecDeque;
use std::future::{poll_fn, ready};
use std::io;
use std::time::{Duration, Instant};

use futures_core::Stream as _;
use jiff::tz::TimeZone;
use ratatui::crossterm::event::{Event as TerminalEvent, EventStream};
use ratatui::layout::Size;
use rustix::process::{Signal as Number, kill_current_process_group};
use secchat_ipc::UserName;
use secchat_ipc::time;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

use super::link::Link;
use super::model::{Effect, Input, Model, Moment};
use super::terminal::{Screen, watch_for_loss};
use super::view;
use crate::failure::Failure;
use crate::session::Session;

/// Shows the window until the person leaves it or a signal ends it.
pub(super) async fn run(session: &Session, peer: Option<UserName>) -> Result<(), Failure> {
    let (link, state) = Link::open(session).await?;
    let signals = Signals::new().map_err(|error| Failure::failed(format!("cannot start: {error}")))?;
    let screen = Screen::open().map_err(|error| broken(&error))?;
    let size = screen.size().map_err(|error| broken(&error))?;
    let model = Model::new(state, peer, TimeZone::system(), size);
    let shell = Shell { link, signals, screen, keys: EventStream::new(), model };
    // The terminal is given back before anything else happens.
    match shell.run().await.map_err(|error| broken(&error))? {
        End::Left => Ok(()),
        End::Signal(number) => {
            let error = signal_hook::low_level::emulate_default_handler(number.as_raw());
            Err(Failure::failed(format!("ended by signal {} ({error:?})", number.as_raw())))
        }
    }
}

struct Shell<'a> {
    link: Link<'a>,
    signals: Signals,
    screen: Screen,
    keys: EventStream,
    model: Model,
}

/// What happens next.
enum Next {
    Comes(Input),
    Continued,
    Ends(Number),
}

/// How it ends.
#[derive(Clone, Copy)]
enum End {
    Left,
    Signal(Number),
}

impl Shell<'_> {
    async fn run(mut self) -> io::Result<End> {
        let effects = self.model.settle();
        if let Some(end) = self.carry_out(effects).await? {
            return Ok(end);
        }
        loop {
            self.screen.draw(|frame| view::draw(frame, &self.model, time::now()))?;
            let mut next = Some(self.next().await?);
            // Whatever else is there already is taken in before the next frame, but not for ever.
            for _ in 0..MOST_BETWEEN_FRAMES {
                let Some(it) = next else { break };
                if let Some(end) = self.take(it).await? {
                    return Ok(end);
                }
                next = tokio::select! {
                    biased;
                    it = self.next() => Some(it?),
                    () = ready(()) => None,
                };
            }
            if let Some(it) = next
                && let Some(end) = self.take(it).await?
            {
                return Ok(end);
            }
        }
    }

    /// Cancel-safe.
    async fn next(&mut self) -> io::Result<Next> {
        loop {
            let event = tokio::select! {
                biased;
                signal = self.signals.next() => return Ok(signal),
                event = poll_fn(|context| Pin::new(&mut self.keys).poll_next(context)) => event,
                input = self.link.next() => return Ok(Next::Comes(input)),
            };
            let gone = || io::Error::new(io::ErrorKind::UnexpectedEof, "it is gone");
            match event.ok_or_else(gone)?? {
                TerminalEvent::Key(key) => return Ok(Next::Comes(Input::Key(key))),
                TerminalEvent::Paste(text) => return Ok(Next::Comes(Input::Paste(text))),
                TerminalEvent::Resize(width, height) => {
                    return Ok(Next::Comes(Input::Resize(Size { width, height })));
                }
                TerminalEvent::FocusGained | TerminalEvent::FocusLost | TerminalEvent::Mouse(_) => {}
            }
        }
    }

    async fn take(&mut self, next: Next) -> io::Result<Option<End>> {
        let input = match next {
            Next::Comes(input) => input,
            Next::Ends(number) => return Ok(Some(End::Signal(number))),
            Next::Continued => self.go_on()?,
        };
        let effects = self.handle(input);
        self.carry_out(effects).await
    }

    fn handle(&mut self, input: Input) -> Vec<Effect> {
        self.model.handle(input, Moment { instant: Instant::now(), unix: time::now() })
    }

    async fn carry_out(&mut self, effects: Vec<Effect>) -> io::Result<Option<End>> {
        let mut effects = VecDeque::from(effects);
        while let Some(effect) = effects.pop_front() {
            match effect {
                Effect::Ask { ticket, command } => self.link.ask(ticket, command),
                Effect::Suspend => {
                    let resized = self.suspend().await?;
                    effects.extend(self.handle(resized));
                }
                Effect::Redraw => self.screen.forget()?,
                Effect::Leave => return Ok(Some(End::Left)),
            }
        }
        Ok(None)
    }

    /// Stops this job as the terminal itself would, and comes back when the shell continues it.
    async fn suspend(&mut self) -> io::Result<Input> {
        self.screen.pause();
        kill_current_process_group(Number::TSTP)?;
        // The stop may take a moment to come; and where no shell could continue the job, it never comes.
        let _ = tokio::time::timeout(TIME_TO_STOP, self.signals.continued.recv()).await;
        self.go_on()
    }

    /// Takes the terminal over again, of whatever size it is now.
    fn go_on(&mut self) -> io::Result<Input> {
        self.screen.go_on()?;
        self.screen.size().map(Input::Resize)
    }
}

/// The signals that a program on a whole terminal has to answer.
#[derive(Debug)]
struct Signals {
    continued: Signal,
    terminate: Signal,
    hang_up: Signal,
    interrupt: Signal,
    quit: Signal,
    /// What the terminal's own signal tells, where it does not come.
    loss: oneshot::Receiver<()>,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            continued: signal(SignalKind::from_raw(Number::CONT.as_raw()))?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
            loss: watch_for_loss()?,
        })
    }

    async fn next(&mut self) -> Next {
        tokio::select! {
            _ = self.continued.recv() => Next::Continued,
            _ = self.terminate.recv() => Next::Ends(Number::TERM),
            _ = self.hang_up.recv() => Next::Ends(Number::HUP),
            _ = self.interrupt.recv() => Next::Ends(Number::INT),
            _ = self.quit.recv() => Next::Ends(Number::QUIT),
            _ = &mut self.loss => Next::Ends(Number::HUP),
        }
    }
}

fn broken(error: &io::Error) -> Failure {
    Failure::failed(format!("cannot use the terminal: {error}"))
}

/// Taken in before a frame is drawn: enough for a burst, few enough for a person to see it move.
const MOST_BETWEEN_FRAMES: usize = 64;

/// How long a stop signal may take.
const TIME_TO_STOP: Duration = Duration::from_millis(200);
