//! One plot as SVG: axes with round numbers, lines or bars. It knows nothing of reports.

use super::super::figures::amount;
use super::escape;

const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 52.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 34.0;
/// With more, single points are no longer to be hit with a mouse.
const MOST_MARKED: usize = 150;

/// A plot.
pub(super) struct Chart {
    pub(super) title: String,
    /// What the horizontal axis counts: `seconds`.
    pub(super) across: &'static str,
    /// The unit upwards: `ms`.
    pub(super) unit: &'static str,
    pub(super) series: Vec<Series>,
    pub(super) shape: Shape,
}

/// One line of a plot.
pub(super) struct Series {
    pub(super) name: &'static str,
    /// Across and up; a gap where nothing was measured.
    pub(super) points: Vec<(f64, Option<f64>)>,
}

/// How the series are drawn.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Lines,
    /// Bars between edges that grow by a factor: one more point than bars, its height not drawn.
    LogarithmicBars,
}

/// From values to places in the picture.
struct Scale {
    from: f64,
    to: f64,
    start: f64,
    end: f64,
}

impl Scale {
    fn place(&self, value: f64) -> f64 {
        let span = self.to - self.from;
        let share = if span > 0.0 {
            (value - self.from) / span
        } else {
            0.5
        };
        self.start + share * (self.end - self.start)
    }
}

impl Chart {
    /// The figure, or nothing if nothing was measured.
    pub(super) fn draw(&self) -> String {
        let points = || self.series.iter().flat_map(|series| &series.points);
        let heights = points().filter_map(|(_, up)| *up);
        let Some(highest) = heights.reduce(f64::max) else {
            return String::new();
        };
        let steps = round_steps(0.0, if highest > 0.0 { highest } else { 1.0 });
        let up = Scale {
            from: 0.0,
            to: steps.last().copied().unwrap_or(1.0),
            start: HEIGHT - BOTTOM,
            end: TOP,
        };
        let across = points().map(|(across, _)| self.position(*across));
        let across = Scale {
            from: across.clone().fold(f64::INFINITY, f64::min),
            to: across.fold(f64::NEG_INFINITY, f64::max),
            start: LEFT,
            end: WIDTH - RIGHT,
        };
        let mut svg = String::new();
        for step in &steps {
            let y = up.place(*step);
            svg += &format!(
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
                 <text class=\"up\" x=\"{:.1}\" y=\"{:.1}\">{}</text>\n",
                WIDTH - RIGHT,
                LEFT - 6.0,
                y + 3.5,
                escape(&step_text(*step)),
            );
        }
        svg += &self.across_axis(&across);
        for (number, series) in self.series.iter().enumerate() {
            svg += &match self.shape {
                // The stronger colour is for the higher of two lines.
                Shape::Lines if self.series.len() == 1 => self.lines(2, series, &across, &up),
                Shape::Lines => self.lines(number + 1, series, &across, &up),
                Shape::LogarithmicBars => self.bars(series, &across, &up),
            };
        }
        format!(
            "<figure>\n<figcaption>{}{}</figcaption>\n\
             <svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">\n{svg}</svg>\n</figure>\n",
            escape(&self.title),
            self.legend(),
            escape(&self.title),
        )
    }

    fn position(&self, across: f64) -> f64 {
        match self.shape {
            Shape::Lines => across,
            Shape::LogarithmicBars => across.max(f64::MIN_POSITIVE).log10(),
        }
    }

    fn legend(&self) -> String {
        if self.series.len() < 2 {
            return String::new();
        }
        let names = self.series.iter().enumerate().map(|(number, series)| {
            format!(
                "<span class=\"key s{}\">{}</span>",
                number + 1,
                escape(series.name)
            )
        });
        names.collect()
    }

    fn across_axis(&self, across: &Scale) -> String {
        let (values, texts): (Vec<f64>, Vec<String>) = match self.shape {
            Shape::Lines => {
                let steps = round_steps(across.from, across.to).into_iter();
                steps.map(|step| (step, step_text(step))).unzip()
            }
            Shape::LogarithmicBars => {
                let powers = across.from.floor() as i32..=across.to.ceil() as i32;
                let marks =
                    powers.flat_map(|power| [1.0, 2.0, 5.0].map(|mark| mark * 10f64.powi(power)));
                marks.map(|mark| (mark.log10(), step_text(mark))).unzip()
            }
        };
        let baseline = HEIGHT - BOTTOM;
        let mut svg = format!(
            "<line class=\"axis\" x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{baseline}\" y2=\"{baseline}\"/>\n",
            WIDTH - RIGHT
        );
        let inside = across.from - 1e-9..=across.to + 1e-9;
        for (value, text) in values.iter().zip(&texts) {
            if inside.contains(value) {
                svg += &format!(
                    "<text class=\"across\" x=\"{:.1}\" y=\"{:.1}\">{}</text>\n",
                    across.place(*value),
                    baseline + 15.0,
                    escape(text)
                );
            }
        }
        svg + &format!(
            "<text class=\"unit\" x=\"{:.1}\" y=\"{:.1}\">{}</text>\n",
            (LEFT + WIDTH - RIGHT) / 2.0,
            HEIGHT - 4.0,
            escape(self.across)
        )
    }

    fn lines(&self, number: usize, series: &Series, across: &Scale, up: &Scale) -> String {
        let mut path = String::new();
        let mut marks = String::new();
        let mut is_drawing = false;
        for (x, y) in &series.points {
            let Some(y) = y else {
                is_drawing = false;
                continue;
            };
            let (place_x, place_y) = (across.place(*x), up.place(*y));
            let command = if is_drawing { 'L' } else { 'M' };
            path += &format!("{command}{place_x:.1} {place_y:.1}");
            is_drawing = true;
            if series.points.len() <= MOST_MARKED {
                let tip = format!(
                    "{}: {} {} at {} {}",
                    series.name,
                    amount(*y, 3),
                    self.unit,
                    step_text(*x),
                    self.across
                );
                marks += &format!(
                    "<circle class=\"s{number}\" cx=\"{place_x:.1}\" cy=\"{place_y:.1}\" r=\"2.2\"><title>{}</title></circle>\n",
                    escape(&tip)
                );
            }
        }
        format!("<path class=\"s{number}\" d=\"{path}\"/>\n{marks}")
    }

    fn bars(&self, series: &Series, across: &Scale, up: &Scale) -> String {
        let mut bars = String::new();
        for pair in series.points.windows(2) {
            let [(from, Some(height)), (to, _)] = pair else {
                continue;
            };
            let x = across.place(self.position(*from));
            let width = across.place(self.position(*to)) - x;
            let y = up.place(*height);
            let tip = format!(
                "{} {} from {} to {} {}",
                amount(*height, 3),
                self.unit,
                amount(*from, 3),
                amount(*to, 3),
                self.across
            );
            bars += &format!(
                "<rect class=\"s2\" x=\"{:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{:.1}\"><title>{}</title></rect>\n",
                x + 0.5,
                (width - 1.0).max(0.5),
                HEIGHT - BOTTOM - y,
                escape(&tip)
            );
        }
        bars
    }
}

/// Round numbers from at most `from` to at least `to`, four or five steps apart.
fn round_steps(from: f64, to: f64) -> Vec<f64> {
    let span = if to > from { to - from } else { 1.0 };
    let power = 10f64.powf((span / 4.0).log10().floor());
    let factor = span / 4.0 / power;
    let factor = [1.0, 2.0, 2.5, 5.0]
        .into_iter()
        .find(|round| factor <= *round);
    let step = factor.unwrap_or(10.0) * power;
    let first = (from / step).floor() as i64;
    let last = (to / step - 1e-9).ceil() as i64;
    (first..=last.max(first + 1))
        .map(|number| number as f64 * step)
        .collect()
}

/// A round number, without digits that say nothing.
fn step_text(step: f64) -> String {
    let text = amount(step, 3);
    if !text.contains('.') {
        return text;
    }
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_have_round_numbers_that_hold_all_values() {
        assert_eq!(round_steps(0.0, 4.0), [0.0, 1.0, 2.0, 3.0, 4.0]);
        assert_eq!(
            round_steps(0.0, 28_400.0),
            [0.0, 10_000.0, 20_000.0, 30_000.0]
        );
        assert_eq!(round_steps(1.0, 20.0), [0.0, 5.0, 10.0, 15.0, 20.0]);
        for to in [1e-3, 0.7, 3.0, 99.0, 1e7] {
            let steps = round_steps(0.0, to);
            assert!(
                *steps.last().unwrap() >= to && steps.len() <= 7,
                "{steps:?}"
            );
        }
    }

    #[test]
    fn a_gap_in_what_was_measured_is_a_gap_in_the_line() {
        let points = vec![
            (1.0, Some(2.0)),
            (2.0, Some(3.0)),
            (3.0, None),
            (4.0, Some(1.0)),
        ];
        let chart = Chart {
            title: "a & b".to_owned(),
            across: "seconds",
            unit: "ms",
            series: vec![Series {
                name: "p50",
                points,
            }],
            shape: Shape::Lines,
        };
        let svg = chart.draw();
        let path = svg.lines().find(|line| line.starts_with("<path")).unwrap();
        assert_eq!(path.matches('M').count(), 2, "{path}");
        assert_eq!(path.matches('L').count(), 1, "{path}");
        assert!(svg.contains("a &amp; b"));
        assert!(svg.contains("p50: 3.00 ms at 2 seconds"), "{svg}");
    }

    #[test]
    fn nothing_measured_is_no_plot_and_nothing_but_zero_is_one() {
        let chart = |height| Chart {
            title: String::new(),
            across: "seconds",
            unit: "%",
            series: vec![Series {
                name: "",
                points: vec![(1.0, height)],
            }],
            shape: Shape::Lines,
        };
        assert_eq!(chart(None).draw(), "");
        let svg = chart(Some(0.0)).draw();
        assert!(
            svg.contains("<svg") && !svg.contains("NaN") && !svg.contains("inf"),
            "{svg}"
        );
    }
}
