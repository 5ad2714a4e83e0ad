//! Random specifications from a seed, for tests.

pub(crate) mod case;

use std::fmt::Write as _;

use fewstep_samplers::Error;

/// A parameter and what it accepts.
#[derive(Debug)]
pub(crate) struct Knob {
    pub(crate) key: String,
    accepts: Accepts,
}

#[derive(Debug)]
enum Accepts {
    Number(f64, f64),
    Whole(usize, usize),
    Words(Vec<String>),
    /// A word or a number within the range.
    WordOr(Vec<String>, f64, f64),
    /// Whole numbers with `+` between them.
    Sum,
    /// At most so many digits, each within the range; or `none`.
    Digits(usize, (usize, usize)),
    /// Ranges of noise levels, `nodes x repeats @ low - high`; or `none`.
    Segments,
}

/// Finds the parameters of `name` and what they accept, by asking wrongly: the messages of errors name both.
pub(crate) fn knobs(name: &str, parse: impl Fn(&str) -> Result<(), Error>) -> Vec<Knob> {
    let Err(Error::UnknownParam { hint, .. }) = parse(&format!("{name}:no-such-key=1")) else {
        return Vec::new();
    };
    let Some((_, known)) = hint.split_once("known: ") else { return Vec::new() };
    let keys = known.split('`').skip(1).step_by(2);
    keys.map(|key| {
        let Err(Error::BadParam { expected, .. }) = parse(&format!("{name}:{key}=no-such-value")) else {
            panic!("{name}:{key} takes any text");
        };
        // A parameter that keeps its default in 20,000 cases is a parameter that nobody tests.
        let accepts = Accepts::read(&expected)
            .unwrap_or_else(|| panic!("no values for {name}:{key}, which takes {expected}: teach `Accepts`"));
        Knob { key: key.to_owned(), accepts }
    })
    .collect()
}

impl Accepts {
    fn read(expected: &str) -> Option<Self> {
        fn range<T: std::str::FromStr>(text: &str) -> Option<(T, T)> {
            let (lo, hi) = text.split_once(" to ")?;
            Some((lo.parse().ok()?, hi.parse().ok()?))
        }
        let number = |text: &str| text.strip_prefix("a number from ").and_then(range);
        if let Some((lo, hi)) = expected.strip_prefix("a whole number from ").and_then(range) {
            return Some(Self::Whole(lo, hi));
        }
        if let Some((lo, hi)) = number(expected) {
            return Some(Self::Number(lo, hi));
        }
        if expected.starts_with("whole numbers with `+`") {
            return Some(Self::Sum);
        }
        if expected.starts_with("none, or ranges like ") {
            return Some(Self::Segments);
        }
        if let Some((most, digits)) =
            expected.strip_prefix("none, or 1 to ").and_then(|text| text.split_once(" digits from "))
        {
            return Some(Self::Digits(most.parse().ok()?, range(digits.split(',').next()?)?));
        }
        if let Some((words, (lo, hi))) =
            expected.rsplit_once(", or ").and_then(|(words, rest)| Some((words, number(rest)?)))
        {
            return Some(Self::WordOr(words.split(", ").map(str::to_owned).collect(), lo, hi));
        }
        let words: Vec<String> = expected.split(" or ").map(str::to_owned).collect();
        let plain = words.len() > 1 && words.iter().all(|word| !word.contains([' ', ',']));
        plain.then_some(Self::Words(words))
    }
}

/// A small generator (SplitMix64); the same seed gives the same cases everywhere.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0xd134_2543_de82_ef95) ^ 0x5851_f42d_4c95_7f2d)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 to below 1.
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.unit() * n as f64) as usize
    }

    pub(crate) fn between(&mut self, lo: f64, hi: f64) -> f64 {
        (lo + self.unit() * (hi - lo)).clamp(lo, hi)
    }

    pub(crate) fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// `name` with each parameter set with probability `p`.
    pub(crate) fn spec(&mut self, name: &str, knobs: &[&Knob], p: f64) -> String {
        let mut spec = name.to_owned();
        for knob in knobs {
            if self.chance(p) {
                write!(spec, ":{}={}", knob.key, self.value(knob)).unwrap();
            }
        }
        spec
    }

    /// A value that the parameter accepts.
    pub(crate) fn value(&mut self, knob: &Knob) -> String {
        match &knob.accepts {
            Accepts::Whole(lo, hi) => (lo + self.below(hi.saturating_sub(*lo).min(10_000) + 1)).to_string(),
            Accepts::Words(words) => self.pick(words).clone(),
            Accepts::WordOr(words, ..) if self.chance(0.5) => self.pick(words).clone(),
            Accepts::Number(lo, hi) | Accepts::WordOr(_, lo, hi) => self.number(*lo, *hi),
            // Most grids have fewer steps than 12; repeats and any order are allowed.
            Accepts::Sum => self.joined(4, "+", |r| r.below(12).to_string()),
            Accepts::Digits(..) | Accepts::Segments if self.chance(0.15) => "none".to_owned(),
            Accepts::Digits(most, (lo, hi)) => {
                self.joined(*most, "", |r| (lo + r.below(hi - lo + 1)).to_string())
            }
            Accepts::Segments => self.joined(3, "+", Self::segment),
        }
    }

    /// An end of the range now and then, otherwise something within it; wide ranges by orders of magnitude.
    fn number(&mut self, lo: f64, hi: f64) -> String {
        match self.below(12) {
            0 => lo.to_string(),
            1 => hi.to_string(),
            _ if hi - lo > 50.0 => (lo + 10f64.powf(self.between(-3.0, 2.0))).min(hi).to_string(),
            _ => self.between(lo, hi).to_string(),
        }
    }

    /// Levels that most grids reach, over a factor that is seldom less than one of their steps.
    fn segment(&mut self) -> String {
        let low = 10f64.powf(self.between(-1.5, 0.3));
        let high = low * 10f64.powf(self.between(0.05, 1.0));
        format!("{}x{}@{low}-{high}", 2 + self.below(4), 1 + self.below(3))
    }

    /// From one to `most` pieces.
    fn joined(&mut self, most: usize, with: &str, piece: impl Fn(&mut Self) -> String) -> String {
        let pieces: Vec<String> = (0..=self.below(most)).map(|_| piece(self)).collect();
        pieces.join(with)
    }
}
