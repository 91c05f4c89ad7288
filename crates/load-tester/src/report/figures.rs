//! Numbers as people read them: with units, thousands apart, and a dash for what was not measured.

/// What stands for a number that was not measured.
pub(super) const NOT_MEASURED: &str = "–";

/// `1,234,567`.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Three digits that say something: `0.123`, `1.23`, `12.3`, `1,234`; never more than `decimals` after
/// the point.
pub(super) fn amount(number: f64, decimals: usize) -> String {
    let size = number.abs();
    let telling = match size {
        _ if size < 1.0 => 3,
        _ if size < 10.0 => 2,
        _ if size < 100.0 => 1,
        _ => 0,
    };
    let text = format!("{:.*}", telling.min(decimals), number);
    match text.parse::<i64>() {
        Ok(whole) if whole >= 0 => count(whole as u64),
        _ => text,
    }
}

/// A number with its unit, or a dash.
pub(super) fn with_unit(number: Option<f64>, unit: &str) -> String {
    match number {
        Some(number) => format!("{} {unit}", amount(number, 3)),
        None => NOT_MEASURED.to_owned(),
    }
}

/// Milliseconds, to the microsecond where they are few.
pub(super) fn ms(number: Option<f64>) -> String {
    with_unit(number, "ms")
}

/// Bytes in kB, MB or GB of a thousand.
pub(super) fn bytes(number: Option<f64>) -> String {
    let Some(number) = number else {
        return NOT_MEASURED.to_owned();
    };
    let (divisor, unit) = match number.abs() {
        size if size < 1e6 => (1e3, "kB"),
        size if size < 1e9 => (1e6, "MB"),
        _ => (1e9, "GB"),
    };
    with_unit(Some(number / divisor), unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_at_a_glance() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(amount(0.1234, 3), "0.123");
        assert_eq!(amount(3.456, 3), "3.46");
        assert_eq!(amount(3.456, 1), "3.5");
        assert_eq!(amount(28_400.4, 3), "28,400");
        assert_eq!(ms(None), "–");
        assert_eq!(bytes(Some(21_500.0)), "21.5 kB");
        assert_eq!(bytes(Some(14_200_000.0)), "14.2 MB");
        assert_eq!(bytes(Some(-2_000.0)), "-2.00 kB");
    }
}
