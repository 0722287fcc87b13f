//! What the server says of itself when it starts: who it is, where it runs, what it reads and
//! writes, where it listens.

use std::path::PathBuf;

use config::Config;

use crate::info::{BOBBIN_VERSION, REDIS_VERSION};
use crate::settings;

/// Says it, in a few lines of the log.
pub(crate) fn say(config: &Config, config_file: Option<&str>, shards: usize, cpus: &[usize]) {
    for line in lines(config, config_file, shards, cpus) {
        tracing::info!("{line}");
    }
}

fn lines(config: &Config, config_file: Option<&str>, shards: usize, cpus: &[usize]) -> [String; 4] {
    let used: Vec<String> = cpus.iter().take(shards).map(ToString::to_string).collect();
    let process = std::process::id();
    [
        format!(
            "Bobbin {BOBBIN_VERSION}, which answers as Redis {REDIS_VERSION}, process {process}"
        ),
        format!("{shards} shards, one thread each, on CPUs {}", used.join(",")),
        match config_file {
            Some(file) => format!("Configuration: {file}"),
            None => "Configuration: no file, so CONFIG REWRITE has nowhere to write".to_owned(),
        },
        format!("{}. {}", data(config), listening(config)),
    ]
}

fn data(config: &Config) -> String {
    let directory = PathBuf::from(settings::log(config).directory);
    let full = directory.canonicalize().unwrap_or(directory);
    if !config.log.enabled {
        return format!("Data: in memory only (appendonly no), directory {}", full.display());
    }
    let folder = full.join(config.log.directory_name.as_path());
    let fsync = config.log.fsync.as_str();
    format!("Data: logged to {} (appendfsync {fsync})", folder.display())
}

fn listening(config: &Config) -> String {
    let network = &config.network;
    let mut places = Vec::new();
    if network.port != 0 {
        let bind: Vec<String> = network.bind.iter().map(ToString::to_string).collect();
        places.push(format!("port {} of {}", network.port, bind.join(" ")));
    }
    if !network.unix_socket.is_empty() {
        places.push(format!("socket {}", network.unix_socket));
    }
    match places.is_empty() {
        true => "Listening nowhere".to_owned(),
        false => format!("Listening: {}", places.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::lines;
    use config::Config;

    #[test]
    fn it_says_version_shards_cpus_files_and_port() {
        let mut config = Config::default();
        config.log.enabled = true;
        let said = lines(&config, Some("/etc/bobbin.conf"), 2, &[0, 3, 5]).join("\n");
        for word in
            ["Bobbin 0.", "2 shards", "CPUs 0,3", "/etc/bobbin.conf", "appendonlydir", "port 6379"]
        {
            assert!(said.contains(word), "{word} in {said}");
        }
        config.log.enabled = false;
        config.network.port = 0;
        let said = lines(&config, None, 1, &[7]).join("\n");
        assert!(said.contains("in memory only") && said.contains("Listening nowhere"), "{said}");
    }
}
