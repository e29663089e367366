//! `Retry-After` (RFC 9110 10.2.3): seconds, or a date in one of HTTP's three forms.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::http::first_value;

/// How long the answer asks the client to wait. A date is compared with the server's `Date`, if there is one,
/// since the clocks may differ.
pub(super) fn retry_after(headers: &[(String, Vec<u8>)], now: SystemTime) -> Option<Duration> {
    let text = |name| std::str::from_utf8(first_value(headers, name)?).ok();
    let asked = text("Retry-After")?;
    if !asked.is_empty() && asked.bytes().all(|byte| byte.is_ascii_digit()) {
        // So many digits that they are no number mean very long as well.
        return Some(Duration::from_secs(asked.parse::<u32>().unwrap_or(u32::MAX).into()));
    }
    let ours = || i64::try_from(now.duration_since(UNIX_EPOCH).ok()?.as_secs()).ok();
    let from = text("Date").and_then(seconds).or_else(ours)?;
    let seconds = seconds(asked)?.saturating_sub(from).clamp(0, u32::MAX.into());
    u64::try_from(seconds).ok().map(Duration::from_secs)
}

/// The seconds of a date since 1970 (RFC 9110 5.6.7).
fn seconds(date: &str) -> Option<i64> {
    let parts: Vec<&str> = date.split([' ', ',', '-']).filter(|part| !part.is_empty()).collect();
    let (day, month, year, time) = match *parts.as_slice() {
        [_, day, month, year, time, "GMT"] => (day, month, year, time),
        [_, month, day, time, year] => (day, month, year, time),
        _ => return None,
    };
    let number = |text: &str, from: i64, to: i64| {
        let is_short = text.len() <= 4 && text.bytes().all(|byte| byte.is_ascii_digit());
        let number: i64 = is_short.then(|| text.parse().ok())??;
        (from..=to).contains(&number).then_some(number)
    };
    let day = number(day, 1, 31)?;
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = months.iter().position(|name| *name == month)? as i64 + 1;
    let year = match (number(year, 0, 9999)?, year.len()) {
        (year, 4) => year,
        (year @ ..70, 2) => 2000 + year,
        (year, 2) => 1900 + year,
        _ => return None,
    };
    let (hour, rest) = time.split_once(':')?;
    let (minute, second) = rest.split_once(':')?;
    // 60: a leap second.
    let (hour, minute, second) = (number(hour, 0, 23)?, number(minute, 0, 59)?, number(second, 0, 60)?);
    Some(((days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second)
}

/// The days from 1970 to a date. Years begin in March, so that the leap day is the last one.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let in_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + in_year - 719_468
}

/// Any value is a bounded wait or none.
#[cfg(fuzzing)]
pub fn fuzz(data: &[u8]) {
    let headers = [("retry-after".to_owned(), data.to_vec())];
    if let Some(wait) = retry_after(&headers, UNIX_EPOCH) {
        assert!(wait.as_secs() <= u32::MAX.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_forms_of_a_date_are_the_same() {
        for date in
            ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"]
        {
            assert_eq!(seconds(date), Some(784_111_777), "{date}");
        }
        assert_eq!(seconds("Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
        assert_eq!(seconds("Thu, 29 Feb 2024 23:59:60 GMT"), Some(1_709_251_200));
        assert_eq!(seconds("Saturday, 01-Jan-00 00:00:00 GMT"), Some(946_684_800));
        for date in
            ["", "soon", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Foo 1994 08:49:37 GMT", "a b c d e f GMT"]
        {
            assert_eq!(seconds(date), None, "{date}");
        }
        for time in ["24:00:00", "00:60:00", "00:00:61", "00:00", "+1:00:00", "x"] {
            assert_eq!(seconds(&format!("Sun, 06 Nov 1994 {time} GMT")), None, "{time}");
        }
    }

    #[test]
    fn seconds_and_dates_say_how_long_to_wait() {
        let now = UNIX_EPOCH + Duration::from_secs(784_111_777);
        let wait = |asked: &str, date: Option<&str>| {
            let date = date.map(|date| ("date".to_owned(), date.as_bytes().to_vec()));
            let asked = ("retry-after".to_owned(), asked.as_bytes().to_vec());
            let headers: Vec<_> = date.into_iter().chain([asked]).collect();
            retry_after(&headers, now).map(|wait| wait.as_secs())
        };
        assert_eq!(wait("120", None), Some(120));
        assert_eq!(wait(" 0 ", None), Some(0));
        assert_eq!(wait("99999999999999999999", None), Some(u32::MAX.into()));
        assert_eq!(wait("Sun, 06 Nov 1994 08:50:37 GMT", None), Some(60));
        assert_eq!(wait("Sun, 06 Nov 1994 08:48:37 GMT", None), Some(0), "it is over");
        assert_eq!(
            wait("Tue, 08 Nov 1994 00:00:30 GMT", Some("Tue, 08 Nov 1994 00:00:00 GMT")),
            Some(30),
            "the server's clock counts"
        );
        for asked in ["", "-1", "1.5", "soon"] {
            assert_eq!(wait(asked, None), None, "{asked}");
        }
    }
}
