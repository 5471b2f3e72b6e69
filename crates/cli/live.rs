//! Devices in calls: from what was typed to sources and sinks, and what became of them.

use crate::Failure;
use crate::args::LiveArgs;
use crate::output::Output;
use std::sync::Arc;
use visavis::Options;
use visavis::proto::io::CallHandle;
use visavis::report::DeviceReport;

/// The devices of a command's calls; without the feature, or where none was asked for, there are none.
#[derive(Clone, Default)]
pub(crate) struct Live {
    #[cfg(feature = "devices")]
    devices: Option<visavis::Devices>,
    /// Who is told that the microphone is silent, or is not any more.
    told: Option<Arc<dyn Fn(bool) + Send + Sync>>,
}

/// What a build without devices says.
#[cfg(not(feature = "devices"))]
pub(crate) fn missing() -> Failure {
    Failure::Missing(
        "this build knows no devices; build it with `cargo build --release --features devices` (Debian needs \
         `apt-get install pkg-config libasound2-dev libclang-dev` for that)"
            .into(),
    )
}

impl Live {
    /// Puts devices into what calls send and into where it goes.
    #[cfg(not(feature = "devices"))]
    pub(crate) fn begin(args: &LiveArgs, _: &mut Options, _: &Output) -> Result<Self, Failure> {
        if args.any() { Err(missing()) } else { Ok(Live::default()) }
    }

    /// Puts devices into what calls send and into where it goes.
    #[cfg(feature = "devices")]
    pub(crate) fn begin(args: &LiveArgs, options: &mut Options, output: &Output) -> Result<Self, Failure> {
        use visavis::media_codecs::live::voice::VoiceConfig;
        use visavis::{DeviceOptions, Devices, Sending, TestSources};
        if !args.any() {
            return Ok(Live::default());
        }
        let wanted = DeviceOptions {
            microphone: args.mic.as_deref().map(choice),
            speaker: args.speaker.as_deref().map(choice),
            camera: args.camera.as_deref().map(choice),
            muted: args.mute,
            voice: VoiceConfig {
                echo: !args.no_echo_cancel,
                noise: !args.no_noise_suppression,
                gain: !args.no_gain_control,
            },
        };
        let otherwise = match &options.media.send {
            Sending::Sources(sources) => Arc::clone(sources),
            Sending::Nothing | Sending::Echo | Sending::Mirror => Arc::new(TestSources::default()),
        };
        let said = output.clone();
        let devices =
            Devices::new(wanted, options.clock, otherwise, move |call, event| tell(&said, call, &event));
        if args.mic.is_some() || args.camera.is_some() {
            options.media.send = Sending::Sources(Arc::new(devices.clone()));
        }
        if args.speaker.is_some() {
            options.media.receive.sinks = Some(Arc::new(devices.clone()));
        }
        Ok(Live { devices: Some(devices), told: None })
    }

    /// Has `told` hear of it when a microphone is silenced, or is heard again.
    #[cfg(feature = "window")]
    pub(crate) fn tells(&mut self, told: impl Fn(bool) + Send + Sync + 'static) {
        self.told = Some(Arc::new(told));
    }

    /// Silences a call's microphone or lets it be heard; whether it has one.
    pub(crate) fn set_muted(&self, call: CallHandle, muted: bool) -> bool {
        #[cfg(feature = "devices")]
        let has = self.devices.as_ref().is_some_and(|devices| devices.set_muted(call, muted));
        #[cfg(not(feature = "devices"))]
        let has = {
            let _ = call;
            false
        };
        if let Some(told) = self.told.as_ref().filter(|_| has) {
            told(muted);
        }
        has
    }

    /// Lets calls that are yet to come begin with a silent microphone, or not.
    #[cfg(feature = "window")]
    pub(crate) fn begin_muted(&self, muted: bool) {
        #[cfg(feature = "devices")]
        if let Some(devices) = &self.devices {
            devices.begin_muted(muted);
        }
        #[cfg(not(feature = "devices"))]
        let _ = muted;
    }

    /// What the devices did in a call.
    pub(crate) fn report(&self, call: CallHandle) -> Option<DeviceReport> {
        #[cfg(feature = "devices")]
        return self.devices.as_ref()?.report(call);
        #[cfg(not(feature = "devices"))]
        return {
            let _ = call;
            None
        };
    }
}

impl std::fmt::Debug for Live {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Live")
    }
}

/// What is typed for a device.
#[cfg(feature = "devices")]
pub(crate) fn choice(text: &str) -> visavis::media_codecs::device::Choice {
    match text.parse() {
        Ok(choice) => choice,
        Err(never) => match never {},
    }
}

#[cfg(feature = "devices")]
fn tell(output: &Output, call: CallHandle, event: &visavis::DeviceEvent) {
    use serde_json::json;
    use visavis::DeviceEvent as E;
    let id = call.0;
    match event {
        E::Opened { kind, name, form } => {
            output.event(
                "device-opened",
                || json!({ "call": id, "kind": kind.to_string(), "name": name, "form": form }),
            );
            output.say(format!("call {id}: {kind} {name} is open: {form}"));
        }
        E::Gone { error, instead } => {
            output.event("device-gone", || {
                json!({
                    "call": id, "kind": error.kind.to_string(), "name": error.name, "text": error.to_string(),
                    "instead": instead,
                })
            });
            let instead = instead.map_or_else(String::new, |instead| format!("; {instead} is sent instead"));
            output.say(format!("call {id}: {error}{instead}"));
        }
        E::Back { kind, name, form } => {
            output.event(
                "device-back",
                || json!({ "call": id, "kind": kind.to_string(), "name": name, "form": form }),
            );
            output.say(format!("call {id}: {kind} {name} is back: {form}"));
        }
        E::Taken { by } => {
            output.event("devices-taken", || json!({ "call": id, "by": by.0 }));
            output.say(format!("call {id}: the devices are those of call {}; it goes on without them", by.0));
        }
        _ => {}
    }
}
