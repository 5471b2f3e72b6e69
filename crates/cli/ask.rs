//! Asking a person: each call that comes in rings until y or n is typed, or the caller gives up.

use crate::Failure;
use crate::control::stdin::{self, Line};
use crate::output::Output;
use crate::ring::Ringer;
use std::convert::Infallible;
use std::io::IsTerminal;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use visavis::proto::io::{MediaChoice, Party};
use visavis::{CallControl, Incoming};

/// What n answers with: 603 Decline (RFC 3261 section 21.6.2). Nobody else is to be tried for the same person.
const DECLINE: u16 = 603;
/// Proxies give up a transaction of which they hear nothing for three minutes; a provisional response every
/// minute keeps it (RFC 3261 section 13.3.1.1).
const RING_AGAIN: Duration = Duration::from_secs(60);
/// Answers that may wait for a question.
const AHEAD: usize = 16;

/// Where questions are put, one at a time.
#[derive(Clone, Debug)]
pub(crate) struct Questions(mpsc::UnboundedSender<Question>);

/// A call that nobody has answered yet.
#[derive(Debug)]
struct Question {
    control: CallControl,
    /// Who calls, with what.
    text: String,
    /// Told once it was answered.
    answered: oneshot::Sender<()>,
    /// Closes when the call is over: then there is nothing to be asked any more.
    withdrawn: oneshot::Receiver<Infallible>,
}

/// What somebody typed, or pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Typed {
    /// To the call of this number; `None`: to the one that is asked about.
    Yes(Option<u64>),
    No(Option<u64>),
    /// Something else.
    Unclear,
    /// Nobody types any more.
    End,
}

impl Questions {
    /// Asks whoever sits at the terminal, whose stdin is read from now on, or before the window (`window`: there is
    /// one). What is pressed there comes in by the sender.
    ///
    /// # Errors
    ///
    /// [`Failure::Usage`] where there is nobody.
    pub(crate) fn begin(
        ringer: Ringer,
        window: bool,
        output: &Output,
    ) -> Result<(Questions, mpsc::Sender<Typed>), Failure> {
        let needs = |what: &str| {
            Err(Failure::Usage(format!("--ask needs a person: {what}; a program answers with --control")))
        };
        let terminal = std::io::stdin().is_terminal();
        match (window, output.is_json(), terminal) {
            (false, true, _) => return needs("--json is for programs"),
            (false, _, false) => return needs("stdin is no terminal"),
            _ => {}
        }
        let (questions, asked) = mpsc::unbounded_channel();
        let (keys, typed) = mpsc::channel(AHEAD);
        if terminal && !output.is_json() {
            tokio::spawn(read_lines(stdin::lines(), keys.clone()));
        }
        tokio::spawn(ask(asked, typed, ringer, output.clone()));
        Ok((Questions(questions), keys))
    }

    /// Lets a call ring and has the question put; drop this when the call is over.
    pub(crate) async fn about(&self, control: CallControl, incoming: &Incoming) -> Infallible {
        let (answered, answer) = oneshot::channel();
        let (_while_it_rings, withdrawn) = oneshot::channel();
        let text = question(control.handle().0, &incoming.from, incoming.offered);
        let question = Question { control: control.clone(), text, answered, withdrawn };
        let put = self.0.send(question);
        tokio::select! {
            () = ring(&control) => {}
            _ = answer, if put.is_ok() => {}
        }
        std::future::pending().await
    }
}

/// Says 180 as often as it takes.
async fn ring(control: &CallControl) {
    while control.ring(180).await.is_ok() {
        tokio::time::sleep(RING_AGAIN).await;
    }
}

/// Puts one question after the other.
async fn ask(
    mut questions: mpsc::UnboundedReceiver<Question>,
    mut typed: mpsc::Receiver<Typed>,
    ringer: Ringer,
    output: Output,
) {
    let mut silent = false;
    while let Some(mut question) = questions.recv().await {
        if over(&mut question.withdrawn) {
            continue;
        }
        let mut answer = Typed::End;
        if !silent {
            // What was typed before the question is no answer to it.
            while typed.try_recv().is_ok() {}
            output.say(&question.text);
            answer = tokio::select! {
                answer = until_answered(&mut typed, question.control.handle().0, &output) => answer,
                _ = &mut question.withdrawn => continue,
                never = ringer.ring() => match never {},
            };
        }
        if answer == Typed::End && !silent {
            silent = true;
            output.say("nobody types any more: calls are declined from now on");
        }
        // The caller may give up meanwhile: then these are commands to a call that is over.
        let _ = match answer {
            Typed::Yes(_) => question.control.accept().await,
            _ => question.control.reject(DECLINE).await,
        };
        let _ = question.answered.send(());
    }
}

/// Waits until something is typed that is an answer about this call.
async fn until_answered(typed: &mut mpsc::Receiver<Typed>, call: u64, output: &Output) -> Typed {
    loop {
        match typed.recv().await {
            // Pressed before a window that showed another one.
            Some(Typed::Yes(Some(to)) | Typed::No(Some(to))) if to != call => {}
            Some(Typed::Unclear) => output.say("y answers, n declines"),
            answer => return answer.unwrap_or(Typed::End),
        }
    }
}

/// Hands on what is typed at the terminal, until nobody types any more.
async fn read_lines(mut lines: mpsc::Receiver<Line>, keys: mpsc::Sender<Typed>) {
    while let Some(line) = lines.recv().await {
        let text = line.text.map(|text| text.to_ascii_lowercase()).unwrap_or_default();
        let typed = match text.as_slice() {
            b"y" | b"yes" => Typed::Yes(None),
            b"n" | b"no" => Typed::No(None),
            _ => Typed::Unclear,
        };
        if keys.send(typed).await.is_err() {
            return;
        }
    }
}

fn over(withdrawn: &mut oneshot::Receiver<Infallible>) -> bool {
    !matches!(withdrawn.try_recv(), Err(oneshot::error::TryRecvError::Empty))
}

fn question(call: u64, from: &Party, offered: Option<MediaChoice>) -> String {
    let what = match offered {
        Some(MediaChoice { audio: true, video: true }) => "sound and pictures",
        Some(MediaChoice { audio: true, .. }) => "sound",
        Some(MediaChoice { video: true, .. }) => "pictures",
        Some(_) => "nothing",
        None => "nothing yet",
    };
    format!("call {call} from {from} offers {what}: answer it? y or n, then Enter")
}

#[cfg(all(test, feature = "window"))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_pressed_about_another_call_is_no_answer() {
        let (keys, mut typed) = mpsc::channel(AHEAD);
        for pressed in [Typed::Yes(Some(2)), Typed::No(Some(7)), Typed::No(Some(3)), Typed::Yes(None)] {
            keys.send(pressed).await.expect("room");
        }
        let output = Output::new(true);
        assert_eq!(until_answered(&mut typed, 3, &output).await, Typed::No(Some(3)));
        assert_eq!(until_answered(&mut typed, 4, &output).await, Typed::Yes(None));
        drop(keys);
        assert_eq!(until_answered(&mut typed, 5, &output).await, Typed::End);
    }
}
