//! The terminal: taken over while this value lives, and given back whatever happens: the end, an error, a panic, a stop.

use std::io::{self, Stdout, Write as _};
use std::os::fd::AsFd as _;
use std::sync::Once;

use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui::layout::Size;
use ratatui::{Frame, Terminal};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use tokio::sync::oneshot;

/// A terminal that shows nothing but the window.
#[derive(Debug)]
pub(crate) struct Screen {
    terminal: Terminal<CrosstermBackend<Stdout>>,
}

impl Screen {
    /// Takes the terminal over.
    ///
    /// # Errors
    /// What the system says; the terminal is then as it was.
    pub(crate) fn open() -> io::Result<Self> {
        give_back_on_panic();
        let screen = Self { terminal: Terminal::new(CrosstermBackend::new(io::stdout()))? };
        take_over()?;
        Ok(screen)
    }

    /// The terminal's size now.
    pub(crate) fn size(&self) -> io::Result<Size> {
        self.terminal.size()
    }

    /// Shows a frame.
    pub(crate) fn draw(&mut self, draw: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        self.terminal.draw(draw).map(drop)
    }

    /// Lets the next frame draw every cell. Not by [`Terminal::clear`], which asks the terminal where the cursor is, and
    /// so waits for an answer among the keys that somebody else reads.
    pub(crate) fn forget(&mut self) -> io::Result<()> {
        execute!(io::stdout(), Clear(ClearType::All))?;
        self.terminal = Terminal::new(CrosstermBackend::new(io::stdout()))?;
        Ok(())
    }

    /// Gives the terminal back for a while.
    pub(crate) fn pause(&self) {
        give_back();
    }

    /// Takes it over again: somebody else may have used it.
    pub(crate) fn go_on(&mut self) -> io::Result<()> {
        take_over()?;
        self.forget()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

/// Word that the terminal is gone. No signal need come with it; and whoever reads the keys of a terminal that is gone
/// reads nothing, over and over.
///
/// # Errors
/// What the system says.
pub(crate) fn watch_for_loss() -> io::Result<oneshot::Receiver<()>> {
    let terminal = io::stdin().as_fd().try_clone_to_owned()?;
    let (told, loss) = oneshot::channel();
    let wait = move || {
        // Asked for no event, it returns for the terminal's end alone.
        let mut only = [PollFd::new(&terminal, PollFlags::empty())];
        while poll(&mut only, None) == Err(Errno::INTR) {}
        // Nobody hears it when the window has been closed.
        let _ = told.send(());
    };
    std::thread::Builder::new().name("hang-up".to_owned()).spawn(wait)?;
    Ok(loss)
}

fn take_over() -> io::Result<()> {
    enable_raw_mode()?;
    execute!(io::stdout(), EnterAlternateScreen, EnableBracketedPaste).inspect_err(|_| give_back())
}

fn give_back() {
    // Where the terminal is gone, there is nothing left to give back.
    let _ = execute!(io::stdout(), DisableBracketedPaste, LeaveAlternateScreen, Show);
    let _ = disable_raw_mode();
    let _ = io::stdout().flush();
}

/// Once: the message of a panic belongs on a terminal that shows it.
fn give_back_on_panic() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            give_back();
            before(panic);
        }));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the next test runs on a terminal of its own.
    #[test]
    #[ignore = "takes the terminal over, and panics"]
    fn a_window_that_panics() {
        let mut screen = Screen::open().unwrap();
        screen.draw(|frame| frame.render_widget("a window", frame.area())).unwrap();
        panic!("a mistake in the window");
    }

    #[test]
    fn a_panic_is_told_on_a_terminal_that_was_given_back() {
        let own = std::env::current_exe().unwrap();
        let name = "chat::terminal::tests::a_window_that_panics";
        let command = format!("'{}' --ignored --exact --nocapture {name}; stty -a", own.display());
        let ran =
            std::process::Command::new("script").args(["-qec", &command, "/dev/null"]).output().unwrap();
        let shown = String::from_utf8_lossy(&ran.stdout);
        let told = shown.find("a mistake in the window").unwrap();
        let (before, after) = shown.split_at(told);
        assert!(before.contains("\u{1b}[?1049h"), "the window was open: {shown:?}");
        assert!(before.contains("\u{1b}[?2004l") && before.contains("\u{1b}[?1049l"), "{shown:?}");
        assert!(after.contains(" icanon ") && after.contains(" echo "), "{shown:?}");
    }
}
