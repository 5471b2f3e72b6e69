//! The window on the screen: keys in, pixels out. What it shows is the stage's, how it looks is the painter's.

use crate::action::Action;
use crate::paint::{Painter, Style, window_size};
use crate::stage::{Phase, Stage};
use softbuffer::{Context, Surface};
use std::num::NonZeroU32;
use std::panic::{self, AssertUnwindSafe};
use std::rc::Rc;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};
use visavis_proto::Time;
use winit::application::ApplicationHandler;
use winit::dpi::PhysicalSize;
use winit::event::{ElementState, KeyEvent, WindowEvent};
use winit::event_loop::{ActiveEventLoop, ControlFlow, EventLoop};
use winit::keyboard::{Key, ModifiersState, NamedKey};
use winit::window::{Fullscreen, WindowAttributes, WindowId};

/// How often the timer is looked at.
const TICK: Duration = Duration::from_millis(250);

/// Why there is no window.
#[derive(Debug, thiserror::Error)]
pub enum WindowError {
    /// No screen, or one of the libraries that lead to it is not there.
    #[error("no window can be opened: {0}")]
    Open(String),
    /// It was there, and is no more.
    #[error("the window is lost: {0}")]
    Lost(String),
}

/// A way to the screen. It belongs to the main thread: some systems have windows nowhere else.
pub struct Window {
    events: EventLoop<()>,
    stage: Stage,
    title: String,
    size: (u32, u32),
}

impl Window {
    /// Finds the screen; the window is opened by [`Window::run`], for pictures of this size.
    ///
    /// # Errors
    ///
    /// [`WindowError::Open`] without a screen.
    pub fn new(title: &str, size: (u32, u32), stage: &Stage) -> Result<Window, WindowError> {
        let events = without_panic(|| EventLoop::new().map_err(|error| error.to_string()));
        let events = events.map_err(|error| WindowError::Open(in_words(&error)))?;
        Ok(Window { events, stage: stage.clone(), title: title.into(), size })
    }

    /// Shows the window until the stage is closed or somebody closes it; `clock` is read for when pictures are due.
    ///
    /// # Errors
    ///
    /// [`WindowError`] where it cannot be opened, or the screen goes away.
    pub fn run(
        self,
        clock: impl Fn() -> Time + 'static,
        act: impl FnMut(Action) + 'static,
    ) -> Result<(), WindowError> {
        let Window { events, stage, title, size } = self;
        let waker = events.create_proxy();
        // A window that has gone need not be woken.
        stage.tells(Some(Box::new(move || {
            let _ = waker.send_event(());
        })));
        let mut app = App {
            stage: stage.clone(),
            clock: Box::new(clock),
            act: Box::new(act),
            title,
            size,
            painter: Painter::new(),
            shown: None,
            help: false,
            modifiers: ModifiersState::empty(),
            drawn_at: Instant::now(),
            lost: None,
        };
        let ended = without_panic(|| events.run_app(&mut app).map_err(|error| error.to_string()));
        stage.tells(None);
        match app.lost.take() {
            Some(error) => Err(error),
            None => ended.map_err(WindowError::Lost),
        }
    }
}

/// What is wrong, without where in the library's source it was found out.
fn in_words(error: &str) -> String {
    let after = error.strip_prefix("os error at ").and_then(|rest| rest.split_once(": "));
    after.map_or(error, |(_, what)| what).trim_end_matches('.').to_owned()
}

/// Libraries that are loaded when they are needed end in a panic where they are not there: what it says is kept, and not
/// printed. Other threads panic as they always do.
fn without_panic<T>(run: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    let (ours, hook) = (thread::current().id(), Arc::new(panic::take_hook()));
    let theirs = hook.clone();
    panic::set_hook(Box::new(move |info| {
        if thread::current().id() != ours {
            theirs(info);
        }
    }));
    let result = panic::catch_unwind(AssertUnwindSafe(run));
    panic::set_hook(Box::new(move |info| hook(info)));
    result.unwrap_or_else(|panicked| {
        let text = panicked.downcast_ref::<String>().map(String::as_str);
        Err(text.or_else(|| panicked.downcast_ref::<&str>().copied()).unwrap_or("it failed").to_owned())
    })
}

/// What the event loop drives.
struct App {
    stage: Stage,
    clock: Box<dyn Fn() -> Time>,
    act: Box<dyn FnMut(Action)>,
    title: String,
    /// Of the pictures that the window is opened for.
    size: (u32, u32),
    painter: Painter,
    shown: Option<Shown>,
    help: bool,
    /// What is held down besides.
    modifiers: ModifiersState,
    drawn_at: Instant,
    lost: Option<WindowError>,
}

/// The window, once it is there.
struct Shown {
    window: Rc<winit::window::Window>,
    surface: Surface<Rc<winit::window::Window>, Rc<winit::window::Window>>,
}

impl Shown {
    fn open(
        events: &ActiveEventLoop,
        title: &str,
        size: (u32, u32),
    ) -> Result<Self, Box<dyn std::error::Error>> {
        let scale = events.primary_monitor().map_or(1.0, |monitor| monitor.scale_factor());
        let (width, height) = window_size(size, scale);
        let attributes = WindowAttributes::default()
            .with_title(title)
            .with_inner_size(PhysicalSize::new(width, height))
            .with_min_inner_size(PhysicalSize::new(160, 120));
        let window = Rc::new(events.create_window(attributes)?);
        let surface = Surface::new(&Context::new(window.clone())?, window.clone())?;
        Ok(Shown { window, surface })
    }
}

impl App {
    fn draw(&mut self) -> Result<(), softbuffer::SoftBufferError> {
        let Some(Shown { window, surface }) = &mut self.shown else { return Ok(()) };
        let PhysicalSize { width, height } = window.inner_size();
        let (Some(columns), Some(rows)) = (NonZeroU32::new(width), NonZeroU32::new(height)) else {
            return Ok(());
        };
        surface.resize(columns, rows)?;
        let mut pixels = surface.buffer_mut()?;
        let now = Instant::now();
        let style = Style { scale: window.scale_factor(), help: self.help, now };
        self.painter.draw(&self.stage.screen(), style, &mut pixels, width as usize, height as usize);
        window.pre_present_notify();
        pixels.present()?;
        self.drawn_at = now;
        Ok(())
    }

    fn redraw(&self) {
        if let Some(shown) = &self.shown {
            shown.window.request_redraw();
        }
    }

    fn key(&mut self, key: &Key) {
        match key {
            // One after the other, as everywhere: first what covers the call, then the call.
            Key::Named(NamedKey::Escape) if self.help => self.help = false,
            Key::Named(NamedKey::Escape) if self.fullscreen() => self.turn_fullscreen(),
            Key::Named(NamedKey::Escape) => (self.act)(Action::HangUp),
            Key::Named(NamedKey::F11) => self.turn_fullscreen(),
            Key::Named(NamedKey::F1) => self.help = !self.help,
            // Shift types another letter; the others make it a command to somebody else.
            Key::Character(_) if !(self.modifiers - ModifiersState::SHIFT).is_empty() => return,
            Key::Character(text) => match text.as_str() {
                "?" => self.help = !self.help,
                "f" | "F" => self.turn_fullscreen(),
                text => {
                    if let Some(action) = text.chars().next().and_then(Action::of_key) {
                        (self.act)(action);
                    }
                }
            },
            _ => return,
        }
        self.redraw();
    }

    fn fullscreen(&self) -> bool {
        self.shown.as_ref().is_some_and(|shown| shown.window.fullscreen().is_some())
    }

    fn turn_fullscreen(&self) {
        if let Some(shown) = &self.shown {
            let on = shown.window.fullscreen().is_none();
            shown.window.set_fullscreen(on.then_some(Fullscreen::Borderless(None)));
        }
    }
}

impl ApplicationHandler for App {
    fn resumed(&mut self, events: &ActiveEventLoop) {
        if self.shown.is_some() {
            return;
        }
        match Shown::open(events, &self.title, self.size) {
            Ok(shown) => self.shown = Some(shown),
            Err(error) => {
                self.lost = Some(WindowError::Open(error.to_string()));
                events.exit();
            }
        }
    }

    fn user_event(&mut self, events: &ActiveEventLoop, (): ()) {
        if self.stage.is_closed() {
            events.exit();
        }
    }

    fn window_event(&mut self, events: &ActiveEventLoop, _: WindowId, event: WindowEvent) {
        match event {
            WindowEvent::CloseRequested | WindowEvent::Destroyed => {
                (self.act)(Action::Close);
                events.exit();
            }
            WindowEvent::RedrawRequested => {
                if let Err(error) = self.draw() {
                    self.lost = Some(WindowError::Lost(error.to_string()));
                    events.exit();
                }
            }
            WindowEvent::Resized(_)
            | WindowEvent::ScaleFactorChanged { .. }
            | WindowEvent::Occluded(false) => {
                self.redraw();
            }
            WindowEvent::KeyboardInput {
                event: KeyEvent { logical_key, state: ElementState::Pressed, repeat: false, .. },
                is_synthetic: false,
                ..
            } => self.key(&logical_key),
            WindowEvent::ModifiersChanged(modifiers) => self.modifiers = modifiers.state(),
            _ => {}
        }
    }

    fn about_to_wait(&mut self, events: &ActiveEventLoop) {
        if self.stage.is_closed() {
            return events.exit();
        }
        let (changed, due) = self.stage.look((self.clock)());
        let ticks = matches!(self.stage.phase(), Phase::Up(_));
        if changed || ticks && self.drawn_at.elapsed() >= TICK {
            self.redraw();
        }
        let tick = ticks.then_some(TICK);
        let wait = due.into_iter().chain(tick).min();
        events.set_control_flow(wait.map_or(ControlFlow::Wait, ControlFlow::wait_duration));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_a_library_is_an_error_in_its_words() {
        let failed = without_panic::<()>(|| panic!("libnothing.so could not be loaded."));
        assert_eq!(failed.map_err(|error| in_words(&error)), Err("libnothing.so could not be loaded".into()));
        assert_eq!(without_panic(|| Ok(1)), Ok(1));
        assert_eq!(in_words("os error at /somewhere/mod.rs:7: no display"), "no display");
    }
}
