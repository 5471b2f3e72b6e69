use super::*;
use crate::stage::Facts;
use visavis_media::picture::Component;
use visavis_media::pixel::{PixelFormat, to_picture};
use visavis_media::source::pattern::{Pattern, Reading, Stamp};
use visavis_proto::Time;

const SCALE: f64 = 1.0;

fn style() -> Style {
    Style { scale: SCALE, help: false, now: Instant::now() }
}

/// A picture of one grey.
fn grey(width: u32, height: u32, luma: u8) -> Picture {
    let mut picture = Picture::new(width, height).unwrap();
    picture.plane_mut(Component::Y).fill(luma);
    picture
}

fn draw(screen: &Screen, style: Style, width: usize, height: usize) -> Vec<u32> {
    let mut pixels = vec![0x00de_adbe; width * height];
    Painter::new().draw(screen, style, &mut pixels, width, height);
    assert!(!pixels.contains(&0x00de_adbe), "every pixel is drawn");
    pixels
}

fn up(peer: &str) -> Screen {
    let facts = Facts { phase: Phase::Up(Instant::now()), peer: peer.into(), ..Facts::default() };
    Screen { facts, ..Screen::default() }
}

#[test]
fn a_window_of_the_pictures_size_shows_it_pixel_for_pixel() {
    let stamp = Stamp::new(4_711, Time::from_millis(5));
    let pattern = Pattern::new(640, 480).unwrap().draw(stamp);
    let (width, height) = window_size((640, 480), SCALE);
    assert_eq!(width, 640);
    let screen = Screen { remote: Some(pattern.clone()), own: Some(pattern), ..up("Ann") };
    let pixels = draw(&screen, style(), 640, height as usize);
    let top = Bars::of(Type::for_scale(SCALE)).top;
    let middle = &pixels[top * 640..][..480 * 640];
    let octets: Vec<u8> = middle.iter().flat_map(|pixel| pixel.to_le_bytes()).collect();
    let seen = to_picture(PixelFormat::Bgrx, (640, 480), &octets).unwrap();
    assert_eq!(Stamp::read(&seen), Reading::Stamp(stamp));
}

#[test]
fn a_picture_keeps_its_shape_in_a_window_of_another() {
    let screen = Screen { remote: Some(grey(320, 240, 180)), ..up("Ann") };
    let bars = Bars::of(Type::for_scale(SCALE));
    let (width, room) = (1_000, 480);
    let pixels = draw(&screen, style(), width, room + bars.top + bars.bottom);
    // 640 of the 1000 columns, in the middle.
    for row in [bars.top, bars.top + room / 2, bars.top + room - 1] {
        let row = &pixels[row * width..][..width];
        let lit: Vec<usize> = (0..width).filter(|&x| row[x] != BACK).collect();
        assert_eq!((lit.first(), lit.last(), lit.len()), (Some(&180), Some(&819), 640));
    }
    let (width, height) = (480, 900);
    let pixels = draw(&screen, style(), width, height + bars.top + bars.bottom);
    let lit = |y: usize| pixels[(bars.top + y) * width + 240] != BACK;
    assert_eq!((0..height).filter(|&y| lit(y)).count(), 360);
    assert!(lit(270) && lit(629) && !lit(269) && !lit(630));
}

#[test]
fn our_own_picture_is_small_mirrored_and_in_the_upper_right_corner() {
    let mut own = grey(320, 240, 16);
    own.plane_mut(Component::Y).chunks_mut(320).for_each(|row| row[..160].fill(235));
    let screen = Screen { own: Some(own), ..up("Ann") };
    let bars = Bars::of(Type::for_scale(SCALE));
    let (width, height) = (640, 480 + bars.top + bars.bottom);
    let pixels = draw(&screen, style(), width, height);
    let at = |x: usize, y: usize| pixels[(bars.top + bars.pad + y) * width + width - bars.pad - 160 + x];
    assert!(at(40, 60) < 0x0020_0000, "what was bright on the left is dark there");
    assert!(at(120, 60) > 0x00e0_0000, "and bright on the right");
    assert_eq!((at(0, 0), at(159, 119)), (EDGE, EDGE));
}

#[test]
fn what_is_not_sent_and_how_the_call_stands_is_said_above_the_pictures() {
    let bars = Bars::of(Type::for_scale(SCALE));
    let header = |screen: &Screen| draw(screen, style(), 640, 400)[..bars.top * 640].to_vec();
    let has = |pixels: &[u32], colour: Colour| pixels.contains(&colour);
    let plain = header(&up("Ann"));
    assert!(has(&plain, TEXT) && !has(&plain, WARN));
    let muted = header(&Screen { muted: true, ..up("Ann") });
    let dark = header(&Screen { camera_off: true, ..up("Ann") });
    assert!(has(&muted, WARN) && has(&dark, WARN) && muted != dark);
    // However long a name is, the timer is there.
    let long = header(&up(&"A name without end ".repeat(20)));
    let timer = |pixels: &[u32]| {
        let columns = 640 - bars.pad - 5 * Type::for_scale(SCALE).advance()..640;
        pixels.chunks(640).map(|row| row[columns.clone()].to_vec()).collect::<Vec<_>>()
    };
    assert_eq!(timer(&long), timer(&plain));
    assert_ne!(long, plain);
}

#[test]
fn the_end_of_a_call_says_whether_it_was_good() {
    let end = |good| {
        let facts = Facts {
            phase: Phase::Over { lasted: Some(Duration::from_secs(3_725)), good: Some(good) },
            words: vec!["hung up here".into(), "verdict".into()],
            ..Facts::default()
        };
        draw(&Screen { facts, remote: Some(grey(64, 48, 200)), ..Screen::default() }, style(), 640, 400)
    };
    let (good, bad) = (end(true), end(false));
    assert!(good.contains(&GOOD) && !good.contains(&BAD));
    assert!(bad.contains(&BAD) && !bad.contains(&GOOD));
    assert_eq!(clock(Duration::from_secs(3_725)), "1:02:05");
    assert_eq!(clock(Duration::from_secs(65)), "01:05");
}

#[test]
fn every_size_and_phase_can_be_drawn() {
    let lasted = Some(Duration::from_secs(1));
    let phases = [
        Phase::Waiting,
        Phase::Calling,
        Phase::Ringing,
        Phase::Up(Instant::now()),
        Phase::Over { lasted, good: Some(true) },
        Phase::Over { lasted: None, good: None },
    ];
    let mut painter = Painter::new();
    for phase in phases {
        for (width, height) in [(0, 0), (1, 1), (7, 300), (300, 7), (40, 60), (333, 111), (1_024, 768)] {
            let facts = Facts {
                phase: phase.clone(),
                peer: "Ann <sip:ann@192.0.2.7>".into(),
                words: vec!["one".into(), "and another".into()],
                quality: vec!["a line".into(), "another".into(), "one too many".into()],
            };
            let (remote, own) = (Some(grey(48, 640, 99)), Some(grey(640, 16, 99)));
            let note = Some("for a moment".into());
            let screen = Screen { facts, remote, own, muted: true, camera_off: true, note };
            for help in [false, true] {
                for scale in [1.0, 1.25, 1.5, 2.0] {
                    let mut pixels = vec![0; width * height];
                    painter.draw(&screen, Style { scale, help, ..style() }, &mut pixels, width, height);
                }
            }
        }
    }
}

#[test]
fn a_picture_that_did_not_change_is_not_scaled_again() {
    let mut painter = Painter::new();
    let picture = grey(64, 48, 99);
    let screen = Screen { remote: Some(picture.clone()), ..up("Ann") };
    let mut pixels = vec![0; 640 * 480];
    let mut scaled = || {
        painter.draw(&screen, style(), &mut pixels, 640, 480);
        painter.remote.last.clone().map(|(_, drawn)| drawn).unwrap()
    };
    let (first, second) = (scaled(), scaled());
    assert!(first.shares_pixels_with(&second) && !first.shares_pixels_with(&picture));
}
