//! A logarithmic axis whose ticks stand where the data are.

/// Maps positive values to pixels.
pub(super) struct LogAxis {
    low: f64,
    high: f64,
    pixels: (i32, i32),
    ticks: Vec<f64>,
}

impl LogAxis {
    /// Axis with a tick at each positive value, and some air on both sides.
    pub(super) fn with_ticks(ticks: Vec<f64>, pixels: (i32, i32)) -> Self {
        let (low, high) = widen(span(&ticks), 0.04);
        Self { low, high, pixels, ticks }
    }

    /// Axis for positive values: it covers them all, with ticks at 1, 2 and 5 times powers of ten, or at powers of
    /// ten alone if those would be many.
    pub(super) fn for_values(values: &[f64], pixels: (i32, i32)) -> Self {
        let (low, high) = widen(span(values), 0.05);
        let multiples: &[i32] = if (high / low).log10() > 4.5 { &[1] } else { &[1, 2, 5] };
        let powers = low.log10().floor() as i32..=high.log10().ceil() as i32;
        let ticks = powers.flat_map(|p| multiples.iter().map(move |m| decimal(*m, p)));
        Self { low, high, pixels, ticks: ticks.filter(|t| (low..=high).contains(t)).collect() }
    }

    /// Pixel at which `value` stands.
    pub(super) fn pixel(&self, value: f64) -> i32 {
        let share = (value / self.low).ln() / (self.high / self.low).ln();
        self.pixels.0 + (share * f64::from(self.pixels.1 - self.pixels.0)).round() as i32
    }

    /// Pixel and text of each tick, ascending.
    pub(super) fn ticks(&self) -> impl Iterator<Item = (i32, String)> {
        self.ticks.iter().map(|tick| (self.pixel(*tick), tick.to_string()))
    }
}

/// `m * 10^p`, rounded as if it had been typed, so that its text is short.
fn decimal(m: i32, p: i32) -> f64 {
    if p < 0 { f64::from(m) / 10_f64.powi(-p) } else { f64::from(m) * 10_f64.powi(p) }
}

fn span(values: &[f64]) -> (f64, f64) {
    values.iter().fold((f64::INFINITY, 0.0), |(low, high), v| (v.min(low), v.max(high)))
}

/// Adds air: a share of the length of the axis, and never less than 15 %, for an axis with a single value.
fn widen((low, high): (f64, f64), share: f64) -> (f64, f64) {
    let air = ((high / low).ln() * share).max(0.15).exp();
    (low / air, high * air)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_have_short_texts_and_lie_within() {
        let axis = LogAxis::for_values(&[0.041, 180.0], (400, 0));
        let texts: Vec<String> = axis.ticks().map(|(_, text)| text).collect();
        assert_eq!(texts, ["0.05", "0.1", "0.2", "0.5", "1", "2", "5", "10", "20", "50", "100", "200"]);
        assert!(axis.ticks().all(|(pixel, _)| (0..=400).contains(&pixel)));
    }

    #[test]
    fn one_value_is_an_axis_too() {
        let axis = LogAxis::with_ticks(vec![10.0], (0, 100));
        assert_eq!(axis.ticks().collect::<Vec<_>>(), [(50, "10".to_owned())]);
    }
}
