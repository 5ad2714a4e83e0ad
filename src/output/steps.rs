//! A figure of where the steps of a plan stand.

use anyhow::{Result, anyhow};
use fewstep_samplers::{Node, Op, Plan};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

const SIZE: (u32, u32) = (760, 250);
const LEFT: i32 = 96;
const RIGHT: i32 = 736;
/// Heights of the two axes: the path's time, and the log signal-to-noise ratio.
const ROWS: (i32, i32) = (86, 186);
const INK: RGBColor = RGBColor(30, 30, 30);
const MUTED: RGBColor = RGBColor(140, 140, 140);
const STEP: RGBColor = RGBColor(0, 114, 178);
const STAGE: RGBColor = RGBColor(213, 94, 0);

/// The nodes of a plan on two axes, noise on the left: its time, and `lambda = ln(alpha / sigma)`; a line joins the two
/// places of a node. Filled marks are the ends of steps, hollow ones other evaluations, arrows stand for infinite
/// `lambda`. The same plan gives the same bytes.
///
/// # Errors
/// If the figure cannot be drawn.
pub fn steps_svg(plan: &Plan) -> Result<String> {
    let mut svg = String::new();
    draw(plan, &mut svg).map_err(|e| anyhow!("cannot draw the steps: {e}"))?;
    Ok(svg)
}

/// Linear map of an interval onto the axis, from noise to data.
struct Axis {
    noise: f64,
    data: f64,
}

impl Axis {
    fn new(values: impl Iterator<Item = f64> + Clone, towards_data: f64) -> Self {
        let signed = values.filter(|v| v.is_finite()).map(|v| v * towards_data);
        let (lo, hi) = signed.fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), v| (lo.min(v), hi.max(v)));
        // A single finite place needs some room around it.
        let (lo, hi) = if hi > lo { (lo, hi) } else { (lo.min(0.0) - 1.0, lo.max(0.0) + 1.0) };
        Self { noise: lo * towards_data, data: hi * towards_data }
    }

    /// Infinite values stand a little outside, where the arrows are.
    fn pixel(&self, value: f64) -> i32 {
        let share = (value - self.noise) / (self.data - self.noise);
        if share.is_nan() || share == f64::NEG_INFINITY {
            LEFT - 14
        } else if share == f64::INFINITY {
            RIGHT + 14
        } else {
            LEFT + (share * f64::from(RIGHT - LEFT)).round() as i32
        }
    }
}

fn draw(plan: &Plan, svg: &mut String) -> Result<(), DrawingAreaErrorKind<std::io::Error>> {
    let area = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let label = |text: &str, at: (i32, i32), size: f64, colour: RGBColor, side: HPos| {
        let style = TextStyle::from(("sans-serif", size)).color(&colour).pos(Pos::new(side, VPos::Center));
        area.draw_text(text, &style, at)
    };
    let evaluated: Vec<usize> = plan
        .ops
        .iter()
        .filter_map(|op| if let Op::Eval { node, .. } = op { Some(*node) } else { None })
        .collect();
    let shown: Vec<usize> =
        (0..plan.nodes.len()).filter(|i| *i <= plan.steps || evaluated.contains(i)).collect();
    let at = |i: usize| plan.nodes[i];
    let time = Axis::new(shown.iter().map(|&i| at(i).t), -1.0);
    let snr = Axis::new(shown.iter().map(|&i| at(i).lambda()), 1.0);
    let place = |node: &Node| ((time.pixel(node.t), ROWS.0), (snr.pixel(node.lambda()), ROWS.1));

    let title =
        format!("{} on {}, {}: {} steps, {} NFE", plan.solver, plan.path, plan.grid, plan.steps, plan.nfe());
    // Long lists of times would leave the figure.
    let title =
        if title.chars().count() > 96 { title.chars().take(95).chain(['…']).collect() } else { title };
    label(&title, (20, 24), 17.0, INK, HPos::Left)?;
    for (name, y, axis) in [("time", ROWS.0, &time), ("lambda", ROWS.1, &snr)] {
        area.draw(&PathElement::new(vec![(LEFT, y), (RIGHT, y)], INK.stroke_width(1)))?;
        label(name, (20, y), 15.0, INK, HPos::Left)?;
        let outside = if y == ROWS.0 { -22 } else { 24 };
        for (value, x) in [(axis.noise, LEFT), (axis.data, RIGHT)] {
            label(&short(value), (x, y + outside), 14.0, INK, HPos::Center)?;
        }
    }
    label("noise", (LEFT, SIZE.1 as i32 - 14), 14.0, MUTED, HPos::Left)?;
    label("data", (RIGHT, SIZE.1 as i32 - 14), 14.0, MUTED, HPos::Right)?;
    for &i in &shown {
        let (up, down) = place(&at(i));
        let colour = if i <= plan.steps { STEP.mix(0.35) } else { STAGE.mix(0.25) };
        area.draw(&PathElement::new(vec![(up.0, up.1 + 5), (down.0, down.1 - 5)], colour.stroke_width(1)))?;
    }
    for &i in shown.iter().rev() {
        let (up, down) = place(&at(i));
        for (x, y) in [up, down] {
            if !(LEFT..=RIGHT).contains(&x) {
                let tip = if x < LEFT { x - 6 } else { x + 6 };
                area.draw(&Polygon::new(vec![(tip, y), (x, y - 5), (x, y + 5)], STEP.filled()))?;
            } else if i <= plan.steps {
                area.draw(&Circle::new((x, y), 4, STEP.filled()))?;
            } else {
                area.draw(&Circle::new((x, y), 3, WHITE.filled()))?;
                area.draw(&Circle::new((x, y), 3, STAGE.stroke_width(1)))?;
            }
        }
    }
    area.present()
}

fn short(value: f64) -> String {
    let text = if value == 0.0 || (0.001..10_000.0).contains(&value.abs()) {
        format!("{value:.4}")
    } else {
        return format!("{value:.1e}");
    };
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use fewstep_samplers::{GridRule, Path, solver};

    fn figure(name: &str, path: &str, steps: usize) -> (Plan, String) {
        let path: Path = path.parse().unwrap();
        let grid = GridRule::default_for(&path).grid(&path, steps, None, None, None).unwrap();
        let plan = solver(name).unwrap().plan(&grid).unwrap();
        let svg = steps_svg(&plan).unwrap();
        (plan, svg)
    }

    #[test]
    fn every_node_stands_on_both_axes() {
        // 7 nodes; the last has sigma = 0, where lambda is infinite: an arrow.
        let (_, svg) = figure("heun", "edm", 6);
        assert_eq!(
            (svg.matches("<circle").count(), svg.matches("<polygon").count()),
            (2 * 7 - 1, 1),
            "{svg}"
        );
        // On the flow path both ends are infinite.
        let (_, svg) = figure("ddim", "flow", 3);
        assert_eq!(
            (svg.matches("<circle").count(), svg.matches("<polygon").count()),
            (2 * 4 - 2, 2),
            "{svg}"
        );
        assert!(svg.contains("ddim on flow, uniform-t: 3 steps, 3 NFE"));
    }

    #[test]
    fn one_step_has_a_figure_too() {
        let (_, svg) = figure("ddim", "flow", 1);
        assert!(svg.starts_with("<svg") && !svg.contains("NaN"), "{svg}");
    }
}
