//! Line plots as SVG text: any metric over any setting.

use super::axis::{Axis, Scale};
use super::canvas::{Anchor, Canvas, PALETTE, Result as DrawResult};
use crate::{Error, Result};
use plotters::prelude::*;

/// Plot frame in pixels: left, top, right, bottom.
const FRAME: (i32, i32, i32, i32) = (70, 62, 620, 426);
/// Smallest height of the figure, and the height of a legend entry.
const HEIGHT: u32 = 480;
const ENTRY: i32 = 22;
const INK: RGBColor = RGBColor(30, 30, 30);
const MUTED: RGBColor = RGBColor(100, 100, 100);
const GRID: RGBColor = RGBColor(228, 228, 228);
/// Pixels drawn and left out in the lines of levels, in turn.
const DASHES: [(i32, i32); 3] = [(8, 4), (2, 4), (14, 5)];

/// A figure: lines over one setting, with bands, and levels to compare them with.
///
/// The same plot gives the same bytes. Text uses the viewer's sans-serif font; nothing is embedded or fetched.
#[derive(Debug, Clone, PartialEq)]
pub struct Plot {
    /// Headline.
    pub title: String,
    /// Line below it.
    pub subtitle: String,
    /// Title and scale of the horizontal axis, and where its ticks stand.
    pub x: (String, Scale, Ticks),
    /// Title and scale of the vertical axis.
    pub y: (String, Scale),
    /// One line each, in the order of colours.
    pub series: Vec<Series>,
    /// Dashed horizontal lines, e.g. the value of real images.
    pub levels: Vec<Level>,
}

/// Where the ticks of an axis stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ticks {
    /// Where the data are: for settings that were chosen.
    AtData,
    /// At round numbers: for quantities.
    Round,
}

/// One line.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Its name in the legend.
    pub label: String,
    /// In the order in which they are joined.
    pub points: Vec<Point>,
}

/// One measurement.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Setting.
    pub x: f64,
    /// Value.
    pub y: f64,
    /// Half width of the band around it, e.g. a standard deviation; 0 for none.
    pub spread: f64,
}

impl Point {
    /// Ends of the band; where a logarithmic axis cannot hold the lower one, the value itself.
    fn band(&self, scale: Scale) -> (f64, f64) {
        let low = self.y - self.spread;
        (if scale.holds(low) { low } else { self.y }, self.y + self.spread)
    }
}

/// A value to compare with.
#[derive(Debug, Clone, PartialEq)]
pub struct Level {
    /// Its name in the legend.
    pub label: String,
    /// Where it stands.
    pub value: f64,
}

impl Plot {
    /// The figure. `name` is what messages call it. Points and levels that the axes cannot hold are left out.
    ///
    /// # Errors
    /// [`Error::Figure`] when no point is left.
    pub fn svg(&self, name: &'static str) -> Result<String> {
        let shown = self.shown();
        let points = || shown.series.iter().flat_map(|line| &line.points);
        if points().next().is_none() {
            let problem = format!("there is no value of `{}` that its axes can hold", self.y.0);
            return Err(Error::Figure { figure: name, problem });
        }
        let mut xs: Vec<f64> = points().map(|p| p.x).collect();
        xs.sort_by(f64::total_cmp);
        xs.dedup();
        let ends = points().flat_map(|p| {
            let (low, high) = p.band(self.y.1);
            [low, high]
        });
        let ys: Vec<f64> = ends.chain(shown.levels.iter().map(|level| level.value)).collect();
        let (left, top, right, bottom) = FRAME;
        let x = match self.x.2 {
            Ticks::AtData => Axis::at_values(self.x.1, &xs, (left, right)),
            Ticks::Round => Axis::round(self.x.1, &xs, (left, right)),
        };
        let y = Axis::round(self.y.1, &ys, (bottom, top));
        let mut svg = String::new();
        shown.draw(&mut svg, &x, &y).map_err(|e| Error::Figure { figure: name, problem: e.to_string() })?;
        Ok(svg)
    }

    /// The same without what the axes cannot hold; every line keeps its colour.
    fn shown(&self) -> Self {
        let mut shown = self.clone();
        for line in &mut shown.series {
            line.points.retain(|p| self.x.1.holds(p.x) && self.y.1.holds(p.y) && p.spread.is_finite());
        }
        shown.levels.retain(|level| self.y.1.holds(level.value));
        shown
    }

    fn draw(&self, svg: &mut String, x: &Axis, y: &Axis) -> DrawResult {
        let (left, top, right, _) = FRAME;
        let labels =
            self.series.iter().map(|line| &line.label).chain(self.levels.iter().map(|level| &level.label));
        let longest = labels.map(|label| label.chars().count()).max().unwrap_or(0);
        let width = right as u32 + 72 + 7 * longest.max(14) as u32;
        // A long legend stretches the figure rather than leaving it.
        let entries = (self.series.len() + self.levels.len()) as u32;
        let canvas = Canvas::new(svg, (width, HEIGHT.max(top as u32 + ENTRY as u32 * entries + 30)))?;
        self.axes(&canvas, x, y)?;
        canvas.bold_text(&self.title, (left, 22), 15.0, INK)?;
        canvas.text(&self.subtitle, (left, 43), 12.0, MUTED, Anchor::Left)?;
        for (level, dash) in self.levels.iter().zip(DASHES.into_iter().cycle()) {
            canvas.dashed((left, y.pixel(level.value)), right - left, dash, MUTED)?;
        }
        for (i, line) in self.series.iter().enumerate() {
            self.band(&canvas, i, line, x, y)?;
        }
        for (i, line) in self.series.iter().enumerate() {
            let pixels: Vec<(i32, i32)> = line.points.iter().map(|p| (x.pixel(p.x), y.pixel(p.y))).collect();
            canvas.path(&pixels, PALETTE[i % PALETTE.len()], 2)?;
        }
        // Markers above all lines, so that none hides where another was measured.
        for (i, line) in self.series.iter().enumerate() {
            for p in &line.points {
                canvas.marker(i, (x.pixel(p.x), y.pixel(p.y)))?;
            }
        }
        self.legend(&canvas)?;
        canvas.finish()
    }

    /// A tinted band along a line, and a bar at each of its points.
    fn band(&self, canvas: &Canvas<'_>, i: usize, line: &Series, x: &Axis, y: &Axis) -> DrawResult {
        if line.points.iter().all(|p| p.spread <= 0.0) {
            return Ok(());
        }
        let colour = PALETTE[i % PALETTE.len()];
        let ends = line.points.iter().map(|p| {
            let (low, high) = p.band(self.y.1);
            (x.pixel(p.x), y.pixel(low), y.pixel(high))
        });
        let upper = ends.clone().map(|(at, _, high)| (at, high));
        canvas.tint(upper.chain(ends.clone().rev().map(|(at, low, _)| (at, low))).collect(), colour)?;
        for (at, low, high) in ends.filter(|(_, low, high)| low != high) {
            canvas.path(&[(at, low), (at, high)], colour, 2)?;
        }
        Ok(())
    }

    fn axes(&self, canvas: &Canvas<'_>, x: &Axis, y: &Axis) -> DrawResult {
        let (left, top, right, bottom) = FRAME;
        for (at, text) in y.ticks() {
            canvas.path(&[(left, at), (right, at)], GRID, 1)?;
            canvas.text(&text, (left - 9, at), 12.0, INK, Anchor::Right)?;
        }
        let mut free_from = i32::MIN;
        for (at, text) in x.ticks() {
            canvas.path(&[(at, top), (at, bottom)], GRID, 1)?;
            canvas.path(&[(at, bottom), (at, bottom + 5)], INK, 1)?;
            // Crowded numbers are left out; their ticks stay.
            let half = 4 * text.len() as i32;
            if at - half >= free_from {
                canvas.text(&text, (at, bottom + 17), 12.0, INK, Anchor::Middle)?;
                free_from = at + half + 3;
            }
        }
        canvas.path(&[(left, top), (left, bottom), (right, bottom)], INK, 1)?;
        canvas.text(&self.x.0, (i32::midpoint(left, right), bottom + 40), 13.0, INK, Anchor::Middle)?;
        canvas.upward_text(&self.y.0, (18, i32::midpoint(top, bottom)), 13.0, INK)
    }

    fn legend(&self, canvas: &Canvas<'_>) -> DrawResult {
        let (left, mut at) = (FRAME.2 + 18, FRAME.1 + 10);
        for (i, line) in self.series.iter().enumerate() {
            canvas.path(&[(left, at), (left + 30, at)], PALETTE[i % PALETTE.len()], 2)?;
            canvas.marker(i, (left + 15, at))?;
            canvas.text(&line.label, (left + 40, at), 12.5, INK, Anchor::Left)?;
            at += ENTRY;
        }
        at += 8;
        for (level, dash) in self.levels.iter().zip(DASHES.into_iter().cycle()) {
            canvas.dashed((left, at), 30, dash, MUTED)?;
            canvas.text(&level.label, (left + 40, at), 12.5, MUTED, Anchor::Left)?;
            at += ENTRY;
        }
        Ok(())
    }
}
