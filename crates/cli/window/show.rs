//! Opening the window, and telling it what happens.

use super::board::Board;
use super::media::{Pictures, Tapped};
use crate::Failure;
use crate::live::Live;
use crate::session::Watch;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, mpsc};
use visavis::{CallRecord, Clock, Options, Sending, Verdict};
use visavis_window::{Action, Stage, Window};

/// How long the end of a call stays on the screen, where nobody presses a key.
const LINGER: Duration = Duration::from_secs(3);

/// The window, as the command beside it sees it. Clones are the same one.
#[derive(Clone, Debug)]
pub(crate) struct Show(pub(super) Arc<Shared>);

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) stage: Stage,
    board: Mutex<Board>,
    /// What keys ask for, until somebody serves it.
    pub(super) actions: Mutex<Option<mpsc::UnboundedReceiver<Action>>>,
    /// Somebody has read how a call ended.
    pub(super) read: Notify,
    /// Nobody reads any more.
    pub(super) closed: AtomicBool,
}

/// Opens a window for pictures of this size, and does `work` beside it, until that is done. The window that is closed
/// hangs up.
///
/// # Errors
///
/// [`Failure::Missing`] where there is no screen; what `work` says.
pub(crate) fn beside(
    title: &str,
    size: (u32, u32),
    work: impl FnOnce(Show) -> Result<(), Failure> + Send,
) -> Result<(), Failure> {
    let missing = |error: visavis_window::WindowError| {
        Failure::Missing(format!(
            "{error}; --window needs a desktop (DISPLAY or WAYLAND_DISPLAY) and, on Debian, libx11-6 libxcursor1 libxi6 \
             libxkbcommon-x11-0"
        ))
    };
    let stage = Stage::new();
    let window = Window::new(title, size, &stage).map_err(missing)?;
    let (keys, actions) = mpsc::unbounded_channel();
    let lost = keys.clone();
    let show = Show(Arc::new(Shared {
        stage: stage.clone(),
        board: Mutex::default(),
        actions: Mutex::new(Some(actions)),
        read: Notify::new(),
        closed: AtomicBool::new(false),
    }));
    let clock = Clock::start();
    std::thread::scope(|scope| {
        let work = std::thread::Builder::new().name("visavis-command".into()).spawn_scoped(scope, || {
            // However the work ends, nobody would close the window then.
            let _closes = Closes(stage.clone());
            work(show)
        });
        let work = work.map_err(|error| Failure::Missing(format!("cannot start a thread: {error}")))?;
        let shown = window.run(
            move || clock.now(),
            // Nobody takes it where the command has ended.
            move |action| {
                let _ = keys.send(action);
            },
        );
        if shown.is_err() {
            // Nobody sees or hears what goes on; where the command has ended, nobody takes it.
            let _ = lost.send(Action::Close);
        }
        let done = work.join().unwrap_or_else(|panicked| std::panic::resume_unwind(panicked));
        // A call that failed because its window was gone is none that failed by itself.
        shown.map_err(missing).and(done)
    })
}

/// Closes the window when it goes out of scope.
struct Closes(Stage);

impl Drop for Closes {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Show {
    /// Has everything that calls send and receive shown; `muted` says that they begin with silence.
    pub(crate) fn arm(&self, options: &mut Options, muted: bool) {
        let stage = &self.0.stage;
        stage.set_muted(muted);
        if let Sending::Sources(sources) = &mut options.media.send {
            *sources = Arc::new(Tapped { sources: sources.clone(), stage: stage.clone() });
        }
        let sinks = &mut options.media.receive.sinks;
        *sinks = Some(Arc::new(Pictures { others: sinks.take(), stage: stage.clone() }));
    }

    /// Has it shown whether the microphone is silent, whoever silences it.
    pub(crate) fn follow(&self, live: &mut Live) {
        let stage = self.0.stage.clone();
        live.tells(move |muted| stage.set_muted(muted));
    }

    /// Looks on at calls that are followed.
    pub(crate) fn watch(&self) -> Arc<dyn Watch> {
        self.0.clone()
    }

    /// Says what is waited for while there is no call.
    pub(crate) fn idle(&self, what: String) {
        self.0.board(|board| board.idle(what));
    }

    /// Shows how a call ended, for as long as somebody may want to read it.
    pub(crate) async fn over(&self, call: u64, record: &CallRecord, verdict: &Verdict) {
        self.0.board(|board| board.judged(call, record, verdict));
        let read = self.0.read.notified();
        if !self.0.closed.load(Ordering::Relaxed) {
            tokio::select! {
                () = tokio::time::sleep(LINGER) => {}
                () = read => {}
            }
        }
        self.0.board(|board| board.forget(call));
    }
}

impl Shared {
    /// The call that is on the stage; it may be over.
    pub(super) fn on_stage(&self) -> Option<u64> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner).current().0
    }

    /// Changes what is known of calls, and with that what is on the stage.
    pub(super) fn board(&self, change: impl FnOnce(&mut Board)) {
        let mut board: MutexGuard<'_, Board> = self.board.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut board);
        let (call, facts) = board.current();
        self.stage.tell(call, facts);
    }
}
