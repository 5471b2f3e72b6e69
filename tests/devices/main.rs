//! Devices as a shell script meets them: without the feature one line that says how to get them, with it real
//! callbacks on a sound server of the test's own.

#[cfg(not(feature = "devices"))]
mod without;

#[cfg(all(feature = "devices", target_os = "linux"))]
mod camera;
// The helpers are those of the tests with peers; not all of them are needed here.
#[allow(dead_code)]
#[cfg(all(feature = "devices", target_os = "linux"))]
#[path = "../interop/harness.rs"]
mod harness;
#[cfg(all(feature = "devices", target_os = "linux"))]
mod lost;
#[cfg(all(feature = "devices", target_os = "linux"))]
mod refused;
#[cfg(all(feature = "devices", target_os = "linux"))]
mod server;
#[cfg(all(feature = "devices", target_os = "linux"))]
mod sound;
