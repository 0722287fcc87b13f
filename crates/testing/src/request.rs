//! Requests, as clients send them.

/// Appends a command as a RESP array of bulk strings.
pub fn encode<A: AsRef<[u8]>>(arguments: &[A], out: &mut Vec<u8>) {
    let mut writer = resp::Writer::new(out, resp::Protocol::Resp2);
    writer.array(arguments.len());
    for argument in arguments {
        writer.bulk(argument.as_ref());
    }
}
