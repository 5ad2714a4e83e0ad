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
    /// The message is of a kind that this file does not know; the parameter keeps its default.
    Unknown,
}

/// Finds the parameters of `name` and what they accept, by asking wrongly: the messages of errors name both.
pub(crate) fn knobs(name: &str, parse: impl Fn(&str) -> Result<(), Error>) -> Vec<Knob> {
    let Err(Error::UnknownParam { hint, .. }) = parse(&format!("{name}:no-such-key=1")) else {
        return Vec::new();
    };
    let Some((_, known)) = hint.split_once("known: ") else { return Vec::new() };
    let keys = known.split('`').skip(1).step_by(2);
    keys.map(|key| {
        let accepts = match parse(&format!("{name}:{key}=no-such-value")) {
            Err(Error::BadParam { expected, .. }) => Accepts::read(&expected),
            _ => Accepts::Unknown,
        };
        Knob { key: key.to_owned(), accepts }
    })
    .collect()
}

impl Accepts {
    fn read(expected: &str) -> Self {
        fn range<T: std::str::FromStr>(text: &str) -> Option<(T, T)> {
            let (lo, hi) = text.split_once(" to ")?;
            Some((lo.parse().ok()?, hi.parse().ok()?))
        }
        let whole = expected.strip_prefix("a whole number from ").and_then(range);
        let number = expected.strip_prefix("a number from ").and_then(range);
        match (whole, number) {
            (Some((lo, hi)), _) => Self::Whole(lo, hi),
            (_, Some((lo, hi))) => Self::Number(lo, hi),
            _ => {
                let words: Vec<String> = expected.split(" or ").map(str::to_owned).collect();
                let plain = words.len() > 1 && words.iter().all(|word| !word.contains([' ', ',']));
                if plain { Self::Words(words) } else { Self::Unknown }
            }
        }
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
            if self.chance(p)
                && let Some(value) = self.value(&knob.accepts)
            {
                write!(spec, ":{}={value}", knob.key).unwrap();
            }
        }
        spec
    }

    /// An end of the range now and then, otherwise something within it; wide ranges by orders of magnitude.
    fn value(&mut self, accepts: &Accepts) -> Option<String> {
        Some(match accepts {
            Accepts::Number(lo, hi) => match self.below(12) {
                0 => lo.to_string(),
                1 => hi.to_string(),
                _ if hi - lo > 50.0 => (lo + 10f64.powf(self.between(-3.0, 2.0))).min(*hi).to_string(),
                _ => self.between(*lo, *hi).to_string(),
            },
            Accepts::Whole(lo, hi) => (lo + self.below(hi.saturating_sub(*lo).min(10_000) + 1)).to_string(),
            Accepts::Words(words) => self.pick(words).clone(),
            Accepts::Unknown => return None,
        })
    }
}
