//! Writes one picture of the test pattern as a PNG file: `pattern [WIDTH HEIGHT [NUMBER [MICROSECONDS]]] FILE`.

use std::error::Error;
use std::fs::File;
use visavis_media::sink::png::write_png;
use visavis_media::source::pattern::{Pattern, Stamp};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let file = arguments.pop().unwrap_or_else(|| "pattern.png".into());
    let figure =
        |index: usize, otherwise: u64| arguments.get(index).map_or(Ok(otherwise), |text| text.parse::<u64>());
    let size = (figure(0, 1280)?.try_into()?, figure(1, 720)?.try_into()?);
    let stamp =
        Stamp { number: figure(2, 1234)?.try_into()?, captured_us: figure(3, 1_700_000_000_433_333)? };
    let picture = Pattern::new(size.0, size.1)?.draw(stamp);
    write_png(&picture, File::create(file)?)?;
    Ok(())
}
