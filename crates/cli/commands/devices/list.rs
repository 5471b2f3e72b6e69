//! The list of devices.

use crate::output::Output;
use serde_json::json;
use visavis::media_codecs::device::camera::{self, CameraDevice, CameraMode};
use visavis::media_codecs::device::sound::{self, SoundDevice};
use visavis::media_codecs::device::{DeviceError, DeviceKind};

/// Lists what is there; what does not open is in it with the reason.
pub(super) fn run(output: &Output) {
    for kind in [DeviceKind::Microphone, DeviceKind::Speaker] {
        heading(output, kind);
        let devices = sound::list(kind);
        for device in &devices {
            one(output, device);
        }
        none(output, kind, devices.is_empty());
    }
    heading(output, DeviceKind::Camera);
    let cameras = camera::list();
    for (index, device) in cameras.iter().enumerate() {
        one_camera(output, index, device);
    }
    none(output, DeviceKind::Camera, cameras.is_empty());
}

fn heading(output: &Output, kind: DeviceKind) {
    output.say(format!("{kind}s"));
}

fn none(output: &Output, kind: DeviceKind, none: bool) {
    if none {
        output.say(format!("  no {kind} here; calls go on with the test pattern and its tone"));
    }
}

fn one(output: &Output, device: &SoundDevice) {
    let index = device.index;
    let offers: Vec<_> = device
        .offers
        .iter()
        .map(|(rates, channels, form)| {
            json!({ "rates": [rates.start(), rates.end()], "channels": channels, "format": form })
        })
        .collect();
    output.event("device", || {
        let shape = device.opens.as_ref().ok();
        json!({
            "kind": device.kind.to_string(), "index": index, "name": device.name, "default": device.default,
            "opens": device.opens.is_ok(), "error": error(&device.opens),
            "sample_rate": shape.map(|s| s.sample_rate), "channels": shape.map(|s| s.channels),
            "format": shape.map(|s| s.form()), "offers": offers,
        })
    });
    let state = match &device.opens {
        Ok(shape) => {
            let rates = device.offers.iter().map(|(rates, ..)| rates);
            let lowest = rates.clone().map(|r| *r.start()).min().unwrap_or(shape.sample_rate);
            let highest = rates.map(|r| *r.end()).max().unwrap_or(shape.sample_rate);
            let (rate, channels, form) = (shape.sample_rate, shape.channels, shape.form());
            format!("opens with {rate} Hz, {channels} ch, {form} (offers {lowest} to {highest} Hz)")
        }
        Err(error) => format!("does not open: {error}"),
    };
    let mark = if device.default { "*" } else { " " };
    output.say(format!("  {mark}{index:2}  {}: {state}", device.name));
}

fn one_camera(output: &Output, index: usize, device: &CameraDevice) {
    let modes: &[CameraMode] = device.opens.as_deref().unwrap_or_default();
    output.event("device", || {
        let offers: Vec<_> =
            modes.iter().map(|m| json!({ "size": m.size, "fps": m.fps, "format": m.form() })).collect();
        json!({
            "kind": "camera", "index": index, "name": device.name, "opens": device.opens.is_ok(),
            "error": error(&device.opens), "offers": offers,
        })
    });
    match &device.opens {
        Ok(_) => output.say(format!("   {index:2}  {}: opens", device.name)),
        Err(error) => output.say(format!("   {index:2}  {}: does not open: {error}", device.name)),
    }
    for mode in modes {
        let (width, height) = mode.size;
        output.say(format!("         {width}x{height} {} fps {}", mode.fps, mode.form()));
    }
}

fn error<T>(opens: &Result<T, DeviceError>) -> Option<String> {
    opens.as_ref().err().map(ToString::to_string)
}
