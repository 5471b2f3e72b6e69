//! From keys to commands to calls.

use super::Show;
use crate::ask::Typed;
use crate::control::{Calls, keyframe};
use crate::output::Output;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use tokio::sync::{mpsc, watch};
use visavis_window::Action;

impl Show {
    /// Does to that of `calls` that is on the stage what keys ask for; `answers` goes to whoever asks about calls. `stop` is told to
    /// end the command.
    pub(crate) fn serve(
        &self,
        calls: Calls,
        answers: Option<mpsc::Sender<Typed>>,
        stop: watch::Sender<bool>,
        output: &Output,
    ) {
        let actions = self.0.actions.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut actions) = actions else { return };
        self.0.board(|board| board.asks(answers.is_some()));
        let (show, output) = (self.clone(), output.clone());
        tokio::spawn(async move {
            while let Some(action) = actions.recv().await {
                show.act(action, &calls, answers.as_ref(), &stop, &output).await;
            }
        });
    }

    async fn act(
        &self,
        action: Action,
        calls: &Calls,
        answers: Option<&mpsc::Sender<Typed>>,
        stop: &watch::Sender<bool>,
        output: &Output,
    ) {
        let on_stage = self.0.on_stage();
        let call = on_stage.and_then(|call| calls.numbered(call));
        match action {
            Action::Answer | Action::Decline => {
                let typed = if action == Action::Answer { Typed::Yes(on_stage) } else { Typed::No(on_stage) };
                if let Some(answers) = answers {
                    // Whoever asks has ended: then there is no question.
                    let _ = answers.try_send(typed);
                }
            }
            Action::HangUp | Action::Quit => match call {
                // It may end by itself meanwhile.
                Some(call) => drop(call.hangup().await),
                None => {
                    self.0.read.notify_waiters();
                    if action == Action::Quit && calls.latest().is_none() {
                        stop.send_replace(true);
                    }
                }
            },
            Action::Close => {
                self.0.closed.store(true, Ordering::Relaxed);
                self.0.read.notify_waiters();
                stop.send_replace(true);
            }
            Action::Mute => {
                let muted = !self.0.stage.is_muted();
                self.0.stage.set_muted(muted);
                // A microphone that began silent, or that a script silenced, is silent at its source, and others would begin so.
                calls.mute_all(muted);
                output.say(if muted { "muted: silence is sent" } else { "not muted any more" });
            }
            Action::Camera => {
                let off = self.0.stage.turn_camera();
                output.say(if off { "camera off: dark pictures are sent" } else { "camera on" });
            }
            Action::Keyframe => {
                let Some(call) = call else { return };
                let asked = match keyframe(&call).await {
                    Ok(()) => "a key frame was asked for".to_owned(),
                    Err(why) => format!("no key frame: {why}"),
                };
                self.0.stage.note(&asked);
                output.say(format!("call {}: {asked}", call.handle().0));
            }
        }
    }
}
