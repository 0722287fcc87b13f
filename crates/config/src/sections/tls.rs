//! TLS.

use crate::declare::{flag, integer, section, text, word, words};
use crate::parameter::Parameter;
use crate::sections::why;
use crate::text::Text;

section! {
    /// Ports, protocols, certificates.
    pub struct Tls {
        /// 0: no TLS listener.
        pub port: u16,
        /// TLS on the cluster bus.
        pub cluster: bool,
        /// TLS to the primary.
        pub replication: bool,
        /// Whether clients must show a certificate.
        pub auth_clients: AuthClients,
        /// Versions, e.g. `TLSv1.2 TLSv1.3`; empty: the library's choice.
        pub protocols: Text,
        /// Ciphers up to TLS 1.2.
        pub ciphers: Text,
        /// Ciphers of TLS 1.3.
        pub ciphersuites: Text,
        /// The server's order of ciphers counts.
        pub prefer_server_ciphers: bool,
        /// Resumption.
        pub sessions: TlsSessions,
        /// Certificates and keys.
        pub files: TlsFiles,
    }
    in tls
}

section! {
    /// Resumption of TLS sessions.
    pub struct TlsSessions {
        /// Whether sessions are kept.
        pub caching: bool,
        /// Sessions kept; 0: no limit.
        pub count_max: u32,
        /// How long.
        pub timeout_seconds: u32,
    }
}

section! {
    /// Paths and passwords of certificates and keys; empty: none.
    pub struct TlsFiles {
        /// Certificate of the server.
        pub cert: Text,
        /// Its key.
        pub key: Text,
        /// Password of that key.
        pub key_password: Text,
        /// Certificate for connections that the server opens.
        pub client_cert: Text,
        /// Its key.
        pub client_key: Text,
        /// Password of that key.
        pub client_key_password: Text,
        /// Diffie-Hellman parameters.
        pub dh_params: Text,
        /// Authorities.
        pub ca_cert: Text,
        /// Directory of authorities.
        pub ca_cert_directory: Text,
    }
}

words! {
    /// `tls-auth-clients`.
    pub enum AuthClients {
        /// They need no certificate.
        No = "no",
        /// They need one.
        Yes = "yes",
        /// One that is shown must be valid.
        Optional = "optional",
    }
}

macro_rules! tls {
    ($name:literal, $kind:expr, $doc:literal) => {
        Parameter::new($name, $kind, $doc).inert(why::TLS)
    };
}

pub(crate) const PARAMETERS: &[Parameter] = &[
    tls!("tls-port", integer!(tls.port, 0, 0, 65535), "TLS port; 0: none.").guards(
        |config| config.tls.port != 0,
        "TLS is not in this version: set it to 0, and let a TLS proxy in front of the server (or a \
         unix socket, see unixsocket) keep others from reading along",
    ),
    tls!("tls-cluster", flag!(tls.cluster, false), "TLS on the cluster bus."),
    tls!("tls-replication", flag!(tls.replication, false), "TLS to the primary."),
    tls!(
        "tls-auth-clients",
        word!(tls.auth_clients: AuthClients, "yes"),
        "Whether clients must show a certificate."
    ),
    tls!("tls-protocols", text!(tls.protocols, ""), "Versions of TLS."),
    tls!("tls-ciphers", text!(tls.ciphers, ""), "Ciphers up to TLS 1.2."),
    tls!("tls-ciphersuites", text!(tls.ciphersuites, ""), "Ciphers of TLS 1.3."),
    tls!(
        "tls-prefer-server-ciphers",
        flag!(tls.prefer_server_ciphers, false),
        "The server's order of ciphers counts."
    ),
    tls!("tls-session-caching", flag!(tls.sessions.caching, true), "Keep sessions."),
    tls!(
        "tls-session-cache-size",
        integer!(tls.sessions.count_max, 20_480, 0, i32::MAX),
        "Sessions kept; 0: no limit."
    ),
    tls!(
        "tls-session-cache-timeout",
        integer!(tls.sessions.timeout_seconds, 300, 0, i32::MAX),
        "Seconds that a session is kept."
    ),
    tls!("tls-cert-file", text!(tls.files.cert, ""), "Certificate."),
    tls!("tls-key-file", text!(tls.files.key, ""), "Key."),
    tls!("tls-key-file-pass", text!(tls.files.key_password, ""), "Password of the key.")
        .sensitive(),
    tls!(
        "tls-client-cert-file",
        text!(tls.files.client_cert, ""),
        "Certificate for connections that the server opens."
    ),
    tls!("tls-client-key-file", text!(tls.files.client_key, ""), "Key of that certificate."),
    tls!(
        "tls-client-key-file-pass",
        text!(tls.files.client_key_password, ""),
        "Password of that key."
    )
    .sensitive(),
    tls!("tls-dh-params-file", text!(tls.files.dh_params, ""), "Diffie-Hellman parameters."),
    tls!("tls-ca-cert-file", text!(tls.files.ca_cert, ""), "Authorities."),
    tls!("tls-ca-cert-dir", text!(tls.files.ca_cert_directory, ""), "Directory of authorities."),
];
