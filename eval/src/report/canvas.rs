//! Shapes and text on an SVG, in pixels: the few that figures need, over plotters' SVG backend.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// Outcome of a drawing call.
pub(super) type Result = std::result::Result<(), DrawingAreaErrorKind<std::io::Error>>;

/// Palette of Okabe & Ito (2008), safe for colour-blind readers, without its yellow, which is weak on white.
pub(super) const PALETTE: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(230, 159, 0),
    RGBColor(40, 40, 40),
];

/// Outlines of markers around (0, 0). Six of them against seven colours: 42 series before one repeats.
const OUTLINES: [&[(i32, i32)]; 5] = [
    &[(-4, -4), (4, -4), (4, 4), (-4, 4)],
    &[(0, -6), (5, 4), (-5, 4)],
    &[(0, -6), (6, 0), (0, 6), (-6, 0)],
    &[(0, 6), (5, -4), (-5, -4)],
    &[
        (-2, -5),
        (2, -5),
        (2, -2),
        (5, -2),
        (5, 2),
        (2, 2),
        (2, 5),
        (-2, 5),
        (-2, 2),
        (-5, 2),
        (-5, -2),
        (-2, -2),
    ],
];

/// plotters divides font sizes by this before it writes them.
const FONT_UNIT: f64 = 1.24;

/// Which end of a text stands at its position; vertically it is centred.
#[derive(Clone, Copy)]
pub(super) enum Anchor {
    Left,
    Middle,
    Right,
}

pub(super) struct Canvas<'a>(DrawingArea<SVGBackend<'a>, Shift>);

impl<'a> Canvas<'a> {
    /// A white canvas that writes into `svg`.
    pub(super) fn new(
        svg: &'a mut String,
        size: (u32, u32),
    ) -> std::result::Result<Self, DrawingAreaErrorKind<std::io::Error>> {
        let area = SVGBackend::with_string(svg, size).into_drawing_area();
        area.fill(&WHITE)?;
        Ok(Self(area))
    }

    /// Closes the document.
    pub(super) fn finish(self) -> Result {
        self.0.present()
    }

    /// Polyline.
    pub(super) fn path(&self, points: &[(i32, i32)], colour: RGBColor, width: u32) -> Result {
        self.0.draw(&PathElement::new(points.to_vec(), colour.stroke_width(width)))
    }

    /// Closed shape in a pale tint of `colour`.
    pub(super) fn tint(&self, outline: Vec<(i32, i32)>, colour: RGBColor) -> Result {
        self.0.draw(&Polygon::new(outline, colour.mix(0.15)))
    }

    /// Horizontal dashed line.
    pub(super) fn dashed(
        &self,
        (left, y): (i32, i32),
        length: i32,
        (on, off): (i32, i32),
        colour: RGBColor,
    ) -> Result {
        let mut x = 0;
        while x < length {
            self.path(&[(left + x, y), (left + (x + on).min(length), y)], colour, 2)?;
            x += on + off;
        }
        Ok(())
    }

    /// Marker of series `i`, with a thin white rim that keeps neighbours apart.
    pub(super) fn marker(&self, i: usize, (x, y): (i32, i32)) -> Result {
        let colour = PALETTE[i % PALETTE.len()];
        let Some(outline) = (i % (OUTLINES.len() + 1)).checked_sub(1).map(|shape| OUTLINES[shape]) else {
            self.0.draw(&Circle::new((x, y), 6, WHITE.filled()))?;
            return self.0.draw(&Circle::new((x, y), 5, colour.filled()));
        };
        let outline: Vec<(i32, i32)> = outline.iter().map(|(dx, dy)| (x + dx, y + dy)).collect();
        let rim: Vec<(i32, i32)> = outline.iter().chain(&outline[..1]).copied().collect();
        self.path(&rim, WHITE, 3)?;
        self.0.draw(&Polygon::new(outline, colour.filled()))
    }

    /// Text of `size` pixels.
    pub(super) fn text(
        &self,
        text: &str,
        at: (i32, i32),
        size: f64,
        colour: RGBColor,
        anchor: Anchor,
    ) -> Result {
        self.styled(text, at, FontDesc::from(("sans-serif", size * FONT_UNIT)), colour, anchor)
    }

    /// Bold text that starts at `at`.
    pub(super) fn bold_text(&self, text: &str, at: (i32, i32), size: f64, colour: RGBColor) -> Result {
        let font = FontDesc::from(("sans-serif", size * FONT_UNIT)).style(FontStyle::Bold);
        self.styled(text, at, font, colour, Anchor::Left)
    }

    /// Text that reads upwards, centred at `at`.
    pub(super) fn upward_text(&self, text: &str, at: (i32, i32), size: f64, colour: RGBColor) -> Result {
        let font = FontDesc::from(("sans-serif", size * FONT_UNIT)).transform(FontTransform::Rotate270);
        self.styled(text, at, font, colour, Anchor::Middle)
    }

    fn styled(
        &self,
        text: &str,
        at: (i32, i32),
        font: FontDesc<'_>,
        colour: RGBColor,
        anchor: Anchor,
    ) -> Result {
        let horizontal = match anchor {
            Anchor::Left => HPos::Left,
            Anchor::Middle => HPos::Center,
            Anchor::Right => HPos::Right,
        };
        let style = TextStyle::from(font).color(&colour).pos(Pos::new(horizontal, VPos::Center));
        self.0.draw_text(text, &style, at)
    }
}
