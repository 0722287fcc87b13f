//! The configuration as core threads use it (`core_settings`), and what else happens when a
//! directive changes (`acts`).

pub(crate) mod acts;
mod core_settings;

pub(crate) use core_settings::{OutputLimit, Settings, TelemetrySettings, fsync_policy, log};
