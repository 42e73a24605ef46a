//! Small plots, as pictures inside the page.

use maud::{Markup, html};

/// The size of a plot, in units of its own.
const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 200.0;
/// What is left free around it, for what its axes say.
const MARGIN: f64 = 44.0;

/// One thing that was measured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Point {
    pub(super) x: f64,
    pub(super) y: f64,
    /// What is usual there.
    pub(super) usual: f64,
    /// Whether it is far off that.
    pub(super) is_far: bool,
}

/// An axis, in powers of ten.
struct Axis {
    /// The exponents of its ends.
    ends: (f64, f64),
    /// The places of its ends.
    places: (f64, f64),
}

impl Axis {
    /// The axis that has all those values.
    fn of(values: impl Iterator<Item = f64>, places: (f64, f64)) -> Self {
        let logarithms = values.filter(|value| *value > 0.0).map(f64::log10);
        let ends = logarithms.fold((f64::MAX, f64::MIN), |(least, most), value| {
            (least.min(value), most.max(value))
        });
        let ends = match ends.0 <= ends.1 {
            true => (ends.0.floor(), ends.1.ceil().max(ends.0.floor() + 1.0)),
            false => (0.0, 1.0),
        };
        Self { ends, places }
    }

    fn place(&self, value: f64) -> f64 {
        let part =
            (value.max(f64::MIN_POSITIVE).log10() - self.ends.0) / (self.ends.1 - self.ends.0);
        self.places.0 + part.clamp(0.0, 1.0) * (self.places.1 - self.places.0)
    }

    /// Its powers of ten, and their places.
    fn marks(&self) -> impl Iterator<Item = (f64, f64)> {
        let powers = std::iter::successors(Some(self.ends.0), |power| Some(power + 1.0));
        let powers = powers.take_while(|power| *power <= self.ends.1);
        powers
            .map(|power| 10_f64.powf(power))
            .map(|value| (value, self.place(value)))
    }
}

/// What was measured against what is usual, on axes in powers of ten; the words for values of each axis are the caller's.
pub(super) fn scatter(
    label: &str,
    points: &[Point],
    x_words: impl Fn(f64) -> String,
    y_words: impl Fn(f64) -> String,
) -> Markup {
    let x = Axis::of(points.iter().map(|point| point.x), (MARGIN, WIDTH - 8.0));
    let y_values = points.iter().flat_map(|point| [point.y, point.usual]);
    let y = Axis::of(y_values, (HEIGHT - 20.0, 8.0));
    let number = |value: f64| format!("{value:.1}");
    html! {
        svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label=(label) {
            @for (value, place) in y.marks() {
                line class="mark" x1=(number(MARGIN)) x2=(number(WIDTH)) y1=(number(place)) y2=(number(place)) {}
                text x=(number(MARGIN - 4.0)) y=(number(place + 3.0)) text-anchor="end" { (y_words(value)) }
            }
            @for (value, place) in x.marks() {
                line class="mark" x1=(number(place)) x2=(number(place)) y1="0" y2=(number(HEIGHT - 16.0)) {}
                text x=(number(place)) y=(number(HEIGHT - 4.0)) text-anchor="middle" { (x_words(value)) }
            }
            @for point in points {
                line class="usual" x1=(number(x.place(point.x) - 3.0)) x2=(number(x.place(point.x) + 3.0))
                    y1=(number(y.place(point.usual))) y2=(number(y.place(point.usual))) {}
            }
            @for point in points {
                circle class=(if point.is_far { "far" } else { "near" }) r="2.5"
                    cx=(number(x.place(point.x))) cy=(number(y.place(point.y))) {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_lie_within_the_plot_and_far_ones_are_told_apart() {
        let point = |x, y, is_far| Point {
            x,
            y,
            usual: 1e6,
            is_far,
        };
        let points = [
            point(0.0, 0.0, false),
            point(1e3, 1e6, false),
            point(1e9, f64::MAX, true),
        ];
        let plot = scatter("a & b", &points, |_| "<x>".to_owned(), |_| String::new()).into_string();
        assert_eq!(plot.matches("class=\"near\"").count(), 2);
        assert_eq!(plot.matches("class=\"far\"").count(), 1);
        assert!(
            plot.contains("a &amp; b") && plot.contains("&lt;x&gt;"),
            "{plot}"
        );
        assert!(!plot.contains("NaN") && !plot.contains("inf"), "{plot}");
    }

    #[test]
    fn nothing_measured_is_an_empty_plot() {
        let plot = scatter("none", &[], |_| String::new(), |_| String::new()).into_string();
        assert!(plot.contains("<svg") && !plot.contains("circle"), "{plot}");
    }
}
