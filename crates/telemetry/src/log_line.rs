//! The form of a log line: time, level mark, message.
//!
//! ```text
//!   2026-11-21T04:02:01.123Z * listening on port 6379
//!   2026-11-21T04:02:07.004Z # log write failed: No space left on device
//!   path=data/shard-0.1.incr.aof
//! ```
//!
//! The marks are Redis': `.` debug, `-` verbose, `*` notice, `#` warning. The time is UTC. Fields
//! of the event follow its message as `name=value`. Line feeds and other control characters in what
//! is logged are escaped: whatever a peer sends, one event is one line.

use std::fmt::{self, Write};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Writes events as lines.
pub(super) struct Line;

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        write_time(&mut writer, now)?;
        write!(writer, " {}", mark(*event.metadata().level()))?;
        let mut fields = Fields { writer: &mut writer, result: Ok(()) };
        event.record(&mut fields);
        fields.result?;
        writer.write_char('\n')
    }
}

/// Writes an event's fields, each after a space: the message bare, others with their names.
struct Fields<'a, W> {
    writer: &'a mut W,
    /// The first error; nothing is written after it.
    result: fmt::Result,
}

impl<W: Write> Fields<'_, W> {
    fn write(&mut self, name: &str, value: fmt::Arguments<'_>) -> fmt::Result {
        self.result?;
        self.writer.write_char(' ')?;
        if name != "message" {
            write!(self.writer, "{name}=")?;
        }
        Escaped(&mut *self.writer).write_fmt(value)
    }
}

impl<W: Write> Visit for Fields<'_, W> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.result = self.write(field.name(), format_args!("{value}"));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.result = self.write(field.name(), format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.result = self.write(field.name(), format_args!("{value:?}"));
    }
}

/// Passes text on with its control characters escaped.
struct Escaped<'a, W>(&'a mut W);

impl<W: Write> Write for Escaped<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some(at) = rest.find(char::is_control) {
            let (plain, control) = rest.split_at(at);
            self.0.write_str(plain)?;
            let mut after = control.chars();
            if let Some(control) = after.next() {
                write!(self.0, "{}", control.escape_default())?;
            }
            rest = after.as_str();
        }
        self.0.write_str(rest)
    }
}

/// Redis' mark for a level.
const fn mark(level: Level) -> char {
    match level {
        Level::TRACE => '.',
        Level::DEBUG => '-',
        Level::INFO => '*',
        _ => '#',
    }
}

/// Writes a time since 1970 in the form of RFC 3339, in UTC, with milliseconds.
fn write_time(writer: &mut impl Write, since_1970: Duration) -> fmt::Result {
    let seconds = since_1970.as_secs();
    let (year, month, day) = date(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    let millis = since_1970.subsec_millis();
    write!(writer, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

/// The date of a day, counted from 1970-01-01, in the Gregorian calendar.
///
/// Counts in years that begin on 1 March, so that the leap day is a year's last. 400 years have
/// 146,097 days; from 0000-03-01 to 1970-01-01 there are 719,468.
const fn date(days_since_1970: u64) -> (u64, u64, u64) {
    let days = days_since_1970 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    // Leaves out the leap days before this day: one in 1,460 days, but not each 36,524th, but the
    // 146,096th.
    let leap_days = day_of_era / 1460 - day_of_era / 36_524 + day_of_era / 146_096;
    let year_of_era = (day_of_era - leap_days) / 365;
    let first_day = 365 * year_of_era + year_of_era / 4 - year_of_era / 100;
    let day_of_year = day_of_era - first_day;
    // From March on, five months have 153 days, again and again.
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = 400 * era + year_of_era + (month <= 2) as u64;
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::{Duration, Escaped, Write, date, write_time};

    #[test]
    fn dates_of_four_centuries() {
        let (mut year, mut month, mut day) = (1970, 1, 1);
        for days in 0..146_100 {
            assert_eq!(date(days), (year, month, day));
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let length = match month {
                2 => 28 + u64::from(leap),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            day += 1;
            if day > length {
                (day, month) = (1, month + 1);
            }
            if month > 12 {
                (month, year) = (1, year + 1);
            }
        }
    }

    #[test]
    fn times_are_rfc_3339() {
        let mut text = String::new();
        // date -u -d @1795233721 says Sat Nov 21 04:02:01 UTC 2026.
        write_time(&mut text, Duration::from_millis(1_795_233_721_007)).expect("a string");
        assert_eq!(text, "2026-11-21T04:02:01.007Z");
    }

    #[test]
    fn one_event_is_one_line() {
        let mut text = String::new();
        let name = "\td\u{1b}[0m";
        write!(Escaped(&mut text), "a\r\nb{name}c").expect("a string");
        assert_eq!(text, "a\\r\\nb\\td\\u{1b}[0mc");
    }
}
