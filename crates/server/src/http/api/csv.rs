//! A table as CSV (RFC 4180) that a spreadsheet shows and never computes. It knows nothing of what is in it.

use protocol::Timestamp;

/// A table, row by row.
#[derive(Debug)]
pub(super) struct Table {
    text: String,
}

impl Table {
    pub(super) fn new<const N: usize>(heads: [&str; N]) -> Self {
        let mut table = Self {
            text: String::new(),
        };
        table.row(heads);
        table
    }

    pub(super) fn row<const N: usize>(&mut self, fields: [&str; N]) {
        let fields = fields.map(field);
        self.text.push_str(&fields.join(","));
        self.text.push_str("\r\n");
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }
}

/// A field that is shown as it is. What begins like a formula is one to a spreadsheet, and names are
/// strangers' to choose: an apostrophe before it makes it text. Full-width forms count, which some
/// spreadsheets take for the same.
fn field(text: &str) -> String {
    let is_formula = text
        .trim_start_matches([' ', '\u{feff}'])
        .starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    let text = match is_formula {
        true => format!("'{text}"),
        false => text.to_owned(),
    };
    match text.contains([',', '"', '\r', '\n', ';', '\t']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text,
    }
}

/// A moment as RFC 3339 in UTC, to the second: what spreadsheets read, and sort.
pub(super) fn moment(at: Timestamp) -> String {
    let seconds = at.0 / 1_000;
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (rest / 3_600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// The date so many days after 1970-01-01: the years counted from March, so that a leap day is the last.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let months_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * months_from_march + 2) / 5 + 1;
    let month = if months_from_march < 10 {
        months_from_march + 3
    } else {
        months_from_march - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_never_a_formula() {
        for name in [
            "=1+1",
            "+1",
            "-1",
            "@SUM(A1)",
            "\t=1",
            "\r=1",
            " =1",
            "\u{feff}=1",
            "＝1",
            "=HYPERLINK(\"http://evil.example\",\"x\")",
        ] {
            let shown = field(name);
            assert!(shown.trim_start_matches('"').starts_with('\''), "{shown}");
        }
        assert_eq!(field("Ann-Marie = 1"), "Ann-Marie = 1");
    }

    #[test]
    fn what_would_break_a_row_is_quoted() {
        let mut table = Table::new(["name", "role"]);
        table.row(["Ann \"A\" B", "x,\r\ny"]);
        assert_eq!(
            table.into_text(),
            "name,role\r\n\"Ann \"\"A\"\" B\",\"x,\r\ny\"\r\n"
        );
    }

    #[test]
    fn moments_are_those_of_the_calendar() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_767_225_599, "2025-12-31T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(moment(Timestamp(seconds * 1_000 + 999)), text);
        }
    }
}
