//! Plots on logarithmic axes, as pictures inside the page.

use maud::{Markup, html};
use std::fmt::Write;

/// The size of a plot, in units of its own.
const WIDTH: f64 = 480.0;
const HEIGHT: f64 = 280.0;
/// What is left free for the words of its axes.
const LEFT: f64 = 58.0;
const BELOW: f64 = 34.0;
const AROUND: f64 = 10.0;

/// What a point was measured for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum MarkKind {
    Other,
    Fitted,
    HeldOut,
}

impl MarkKind {
    const ALL: [Self; 3] = [Self::Other, Self::Fitted, Self::HeldOut];

    fn class(self) -> &'static str {
        match self {
            Self::Other => "other",
            Self::Fitted => "fitted",
            Self::HeldOut => "held",
        }
    }
}

/// A point.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) kind: MarkKind,
}

/// A line, and how far below and above it there may be something: as factors.
pub(super) struct Curve<'a> {
    pub(super) line: &'a [(f64, f64)],
    pub(super) band: [f64; 2],
}

/// A plot.
pub(super) struct Plot<'a> {
    /// What it shows, for those who do not see it.
    pub(super) label: &'a str,
    pub(super) marks: &'a [Mark],
    pub(super) curve: Curve<'a>,
    pub(super) x_title: &'a str,
}

/// A logarithmic axis.
struct Axis {
    /// The logarithms of its ends.
    ends: (f64, f64),
    /// The places of its ends.
    places: (f64, f64),
}

impl Axis {
    /// The axis that has all those values, and a little more.
    fn of(values: impl Iterator<Item = f64>, places: (f64, f64)) -> Self {
        let usable = values.filter(|value| value.is_finite() && *value > 0.0);
        let ends = usable
            .map(f64::log10)
            .fold((f64::MAX, f64::MIN), |(least, most), value| {
                (least.min(value), most.max(value))
            });
        let (least, most) = if ends.0 <= ends.1 { ends } else { (0.0, 1.0) };
        let more = ((most - least) * 0.06).max(0.08);
        Self {
            ends: (least - more, most + more),
            places,
        }
    }

    fn place(&self, value: f64) -> f64 {
        let part =
            (value.max(f64::MIN_POSITIVE).log10() - self.ends.0) / (self.ends.1 - self.ends.0);
        self.places.0 + part.clamp(0.0, 1.0) * (self.places.1 - self.places.0)
    }

    /// Values that are told, and their places: powers of ten, and what is between them where there are few.
    fn marks(&self) -> Vec<(f64, f64)> {
        let width = self.ends.1 - self.ends.0;
        let within: &[f64] = match width {
            ..1.1 => &[1.0, 1.5, 2.0, 3.0, 5.0, 7.0],
            1.1..2.2 => &[1.0, 2.0, 5.0],
            _ => &[1.0],
        };
        // Some six of them, however many powers there are.
        let step = (width / 6.0).ceil().max(1.0);
        let mut marks = Vec::new();
        let mut power = self.ends.0.floor();
        while power <= self.ends.1 {
            for factor in within {
                let value = factor * 10_f64.powf(power);
                let is_inside = (self.ends.0..=self.ends.1).contains(&value.log10());
                if is_inside && power.rem_euclid(step) == 0.0 {
                    marks.push((value, self.place(value)));
                }
            }
            power += 1.0;
        }
        marks
    }
}

fn number(value: f64) -> String {
    format!("{value:.1}")
}

impl Plot<'_> {
    /// Draws it; the words for values of each axis are the caller's.
    pub(super) fn draw(
        &self,
        x_words: &dyn Fn(f64) -> String,
        y_words: &dyn Fn(f64) -> String,
    ) -> Markup {
        let of_marks = |get: &dyn Fn(&Mark) -> f64| self.marks.iter().map(get).collect::<Vec<_>>();
        let line = self.curve.line;
        let xs = of_marks(&|mark| mark.x)
            .into_iter()
            .chain(line.iter().map(|(x, _)| *x));
        let ys = of_marks(&|mark| mark.y)
            .into_iter()
            .chain(line.iter().map(|(_, y)| *y));
        let x = Axis::of(xs, (LEFT, WIDTH - AROUND));
        let y = Axis::of(ys, (HEIGHT - BELOW, AROUND));
        let path = |factor: f64, points: &mut dyn Iterator<Item = &(f64, f64)>| {
            let mut path = String::new();
            for (at, value) in points {
                let (at, value) = (x.place(*at), y.place(value * factor));
                let _ = write!(
                    path,
                    "{}{at:.1} {value:.1}",
                    if path.is_empty() { "" } else { " L" }
                );
            }
            path
        };
        let [low, high] = self.curve.band;
        let (above, below) = (
            path(high, &mut line.iter()),
            path(low, &mut line.iter().rev()),
        );
        let (bottom, right) = (number(HEIGHT - BELOW), number(WIDTH - AROUND));
        html! {
            svg.plot viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label=(self.label) {
                title { (self.label) }
                @for (value, place) in y.marks() {
                    line class="grid" x1=(number(LEFT)) x2=(right) y1=(number(place)) y2=(number(place)) {}
                    text x=(number(LEFT - 6.0)) y=(number(place + 3.5)) text-anchor="end" { (y_words(value)) }
                }
                @for (value, place) in x.marks() {
                    line class="grid" x1=(number(place)) x2=(number(place)) y1=(number(AROUND)) y2=(bottom) {}
                    text x=(number(place)) y=(number(HEIGHT - BELOW + 14.0)) text-anchor="middle" { (x_words(value)) }
                }
                text class="axis" x=(number((LEFT + WIDTH - AROUND) / 2.0)) y=(number(HEIGHT - 4.0)) text-anchor="middle" { (self.x_title) }
                @if !line.is_empty() {
                    path class="band" d=(format!("M{above} L{below} Z")) {}
                    path class="line" d=(format!("M{}", path(1.0, &mut line.iter()))) {}
                }
                @for kind in MarkKind::ALL {
                    @for mark in self.marks.iter().filter(|mark| mark.kind == kind) {
                        circle class=(kind.class()) r=(if kind == MarkKind::Other { "2" } else { "3.4" })
                            cx=(number(x.place(mark.x))) cy=(number(y.place(mark.y))) {}
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(marks: &[Mark], line: &[(f64, f64)]) -> String {
        let plot = Plot {
            label: "a & b",
            marks,
            curve: Curve {
                line,
                band: [0.9, 1.1],
            },
            x_title: "<n>",
        };
        plot.draw(&|x| format!("{x:.0}"), &|y| format!("{y:.0}"))
            .into_string()
    }

    #[test]
    fn points_and_line_lie_within_the_plot() {
        let mark = |x, y, kind| Mark { x, y, kind };
        let marks = [
            mark(0.0, 0.0, MarkKind::Other),
            mark(1e3, 1e6, MarkKind::Fitted),
            mark(1e9, f64::MAX, MarkKind::HeldOut),
        ];
        let svg = drawn(&marks, &[(1e3, 1e6), (1e9, 1e12)]);
        for class in ["other", "fitted", "held"] {
            assert_eq!(svg.matches(&format!("class=\"{class}\"")).count(), 1);
        }
        assert!(
            svg.contains("a &amp; b") && svg.contains("&lt;n&gt;"),
            "{svg}"
        );
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }

    #[test]
    fn axes_have_marks_however_wide_they_are() {
        for (least, most) in [(5.0, 5.0), (100.0, 900.0), (1e3, 1e6), (1.0, 1e18)] {
            let axis = Axis::of([least, most].into_iter(), (0.0, 100.0));
            let marks = axis.marks();
            assert!((1..=9).contains(&marks.len()), "{least} {most}: {marks:?}");
        }
        assert!(drawn(&[], &[]).contains("<svg"));
    }
}
