//! Axes: values to pixels, and where ticks stand.

/// How values are laid along an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Equal differences have equal lengths.
    Linear,
    /// Equal ratios have equal lengths; only positive values have a place.
    Log,
}

impl Scale {
    /// Whether a value has a place.
    pub(super) fn holds(self, value: f64) -> bool {
        value.is_finite() && (self == Self::Linear || value > 0.0)
    }

    fn forward(self, value: f64) -> f64 {
        if self == Self::Log { value.ln() } else { value }
    }
}

/// Maps values to pixels.
pub(super) struct Axis {
    scale: Scale,
    /// Ends, as `scale` sees them.
    low: f64,
    high: f64,
    pixels: (i32, i32),
    ticks: Vec<f64>,
}

impl Axis {
    /// Axis with a tick at each of these values, and some air on both sides.
    pub(super) fn at_values(scale: Scale, ticks: &[f64], pixels: (i32, i32)) -> Self {
        let (low, high) = span(scale, ticks, 0.04);
        Self { scale, low, high, pixels, ticks: ticks.to_vec() }
    }

    /// Axis that covers these values, with ticks at round numbers: on a logarithmic axis 1, 2 and 5 times powers of ten,
    /// or powers of ten alone if those would be many.
    pub(super) fn round(scale: Scale, values: &[f64], pixels: (i32, i32)) -> Self {
        let (low, high) = span(scale, values, 0.05);
        let ticks: Vec<f64> = match scale {
            Scale::Log => log_ticks(low.exp(), high.exp()),
            Scale::Linear => linear_ticks(low, high),
        };
        let inside = |tick: &f64| (low..=high).contains(&scale.forward(*tick));
        Self { scale, low, high, pixels, ticks: ticks.into_iter().filter(inside).collect() }
    }

    /// Pixel at which `value` stands.
    pub(super) fn pixel(&self, value: f64) -> i32 {
        let share = (self.scale.forward(value) - self.low) / (self.high - self.low);
        self.pixels.0 + (share * f64::from(self.pixels.1 - self.pixels.0)).round() as i32
    }

    /// Pixel and text of each tick, in the order in which they were given.
    pub(super) fn ticks(&self) -> impl Iterator<Item = (i32, String)> {
        self.ticks.iter().map(|tick| (self.pixel(*tick), tick.to_string()))
    }
}

fn log_ticks(low: f64, high: f64) -> Vec<f64> {
    let multiples: &[i32] = if (high / low).log10() > 4.5 { &[1] } else { &[1, 2, 5] };
    let powers = low.log10().floor() as i32..=high.log10().ceil() as i32;
    powers.flat_map(|p| multiples.iter().map(move |m| decimal(*m, p))).collect()
}

/// Multiples of 1, 2 or 5 times a power of ten, four to ten of them.
fn linear_ticks(low: f64, high: f64) -> Vec<f64> {
    let rough = (high - low) / 8.0;
    let power = rough.log10().floor() as i32;
    let steps = [(1, power), (2, power), (5, power), (1, power + 1)];
    let (multiple, power) =
        steps.into_iter().find(|(m, p)| decimal(*m, *p) >= rough).unwrap_or((1, power + 1));
    let step = decimal(multiple, power);
    let (first, last) = ((low / step).ceil() as i32, (high / step).floor() as i32);
    (first..=last).filter_map(|i| i.checked_mul(multiple)).map(|i| decimal(i, power)).collect()
}

/// `m * 10^p`, rounded as if it had been typed, so that its text is short.
fn decimal(m: i32, p: i32) -> f64 {
    if p < 0 { f64::from(m) / 10_f64.powi(-p) } else { f64::from(m) * 10_f64.powi(p) }
}

/// Ends with air: a share of the length, and for an axis with a single value 15 % of it or one unit.
fn span(scale: Scale, values: &[f64], share: f64) -> (f64, f64) {
    let ends = values.iter().map(|v| scale.forward(*v));
    let (low, high) =
        ends.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (v.min(low), v.max(high)));
    let least = match scale {
        Scale::Log => 0.15,
        Scale::Linear if high > low => 0.0,
        Scale::Linear => (0.15 * high.abs()).max(f64::MIN_POSITIVE.sqrt()),
    };
    let air = ((high - low) * share).max(if least == 0.0 || high != 0.0 { least } else { 1.0 });
    (low - air, high + air)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(axis: &Axis) -> Vec<String> {
        axis.ticks().map(|(_, text)| text).collect()
    }

    #[test]
    fn ticks_have_short_texts_and_lie_within() {
        let axis = Axis::round(Scale::Log, &[0.041, 180.0], (400, 0));
        assert_eq!(
            texts(&axis),
            ["0.05", "0.1", "0.2", "0.5", "1", "2", "5", "10", "20", "50", "100", "200"]
        );
        assert!(axis.ticks().all(|(pixel, _)| (0..=400).contains(&pixel)));
        let axis = Axis::round(Scale::Linear, &[-0.03, 0.3], (400, 0));
        assert_eq!(texts(&axis), ["0", "0.05", "0.1", "0.15", "0.2", "0.25", "0.3"]);
        let axis = Axis::round(Scale::Linear, &[0.0, 1700.0], (0, 400));
        assert_eq!(texts(&axis), ["0", "500", "1000", "1500"]);
    }

    #[test]
    fn one_value_is_an_axis_too() {
        for scale in [Scale::Log, Scale::Linear] {
            let axis = Axis::at_values(scale, &[10.0], (0, 100));
            assert_eq!(axis.ticks().collect::<Vec<_>>(), [(50, "10".to_owned())]);
        }
        assert_eq!(Axis::round(Scale::Linear, &[0.0], (0, 100)).pixel(0.0), 50);
    }
}
