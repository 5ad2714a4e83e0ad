//! Random combinations of solver, rule, path, step count, limits and end.

use fewstep_samplers::{End, GridRule, Path, registry, solver};

use super::{Knob, Random, knobs};

/// One combination, as text that reproduces it.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) number: u64,
    pub(crate) solver: String,
    pub(crate) rule: String,
    pub(crate) path: String,
    pub(crate) steps: usize,
    pub(crate) limits: (Option<f64>, Option<f64>),
    pub(crate) end: Option<End>,
    pub(crate) strength: Option<f64>,
}

/// The names of a registry with the parameters of each.
pub(crate) type Named = Vec<(&'static str, Vec<Knob>)>;

pub(crate) fn solvers() -> Named {
    registry().iter().map(|e| (e.name, knobs(e.name, |spec| solver(spec).map(drop)))).collect()
}

pub(crate) fn rules() -> Named {
    let parse = |spec: &str| spec.parse::<GridRule>().map(drop);
    GridRule::NAMES.iter().map(|(name, _)| (*name, knobs(name, parse))).collect()
}

fn path(r: &mut Random) -> String {
    let rows = r.below(60) + 2;
    // Few rows with large betas, so that they end in noise as a full table does.
    let beta_1 = (20.0 / rows as f64).min(0.95);
    match r.below(13) {
        // Full tables take long to integrate.
        0 if r.chance(0.2) => r.pick(&["ddpm", "sd"]).to_string(),
        0..=2 => format!("ddpm:rows={rows}:beta_1={beta_1}"),
        3 => format!("sd:rows={rows}:beta_1={beta_1}"),
        4 => "vp-linear".to_owned(),
        5 => format!("vp-linear:beta_0={}:beta_1={}", r.between(0.01, 1.0), r.between(1.0, 30.0)),
        6 | 7 => "vp-cosine".to_owned(),
        8 => format!("edm:sigma_min={}:sigma_max={}", r.between(1e-4, 0.1), r.between(10.0, 700.0)),
        9 => format!("ve:sigma_max={}", r.between(20.0, 100.0)),
        10 => "edm".to_owned(),
        _ => "flow".to_owned(),
    }
}

/// A rule that suits the path, nearly always.
fn rule(r: &mut Random, rules: &Named, path: &Path, steps: usize) -> String {
    let careless = r.chance(0.03);
    if r.chance(0.1) {
        return list(r, path, steps, careless);
    }
    loop {
        let (name, knobs) = r.pick(rules);
        let counts_rows = matches!(*name, "trailing" | "leading" | "linspace");
        let on_levels =
            matches!(*name, "karras" | "logsnr" | "exponential" | "poly-exponential" | "ays" | "gits");
        let suits = !(on_levels && *path == Path::Flow) && (!counts_rows || path.rows().is_some());
        if !(suits || careless) {
            continue;
        }
        let shift = ["shift", "tokens", "curve", "shift_terminal"];
        let is_shift = |knob: &Knob| shift.contains(&knob.key.as_str());
        let flow = *path == Path::Flow;
        let knobs: Vec<&Knob> = knobs.iter().filter(|k| careless || flow || !is_shift(k)).collect();
        let spec = r.spec(name, &knobs, 0.35);
        // The keys of a shift exclude each other; that is tested elsewhere.
        let (lo, hi) = path.range();
        let beyond = matches!(*name, "ays" | "gits") && path.rho(lo) > 0.0291
            || spec.contains("svd") && (path.rho(lo) > 0.002 || path.rho(hi) < 700.0);
        if careless || !beyond && spec.parse::<GridRule>().is_ok() {
            return spec;
        }
    }
}

/// Random nodes as a list of times, levels or half log-SNRs.
fn list(r: &mut Random, path: &Path, steps: usize, careless: bool) -> String {
    let (lo, hi) = path.range();
    let mut times: Vec<f64> = (0..=steps).map(|_| r.between(lo, hi)).collect();
    if r.chance(0.3) {
        times[0] = hi;
    }
    if !careless {
        times.sort_by(|a, b| b.total_cmp(a));
    }
    let flow = *path == Path::Flow;
    let (key, value): (_, fn(&Path, f64) -> f64) = match r.below(3) {
        0 => ("times", |_, t| t),
        1 if flow => ("sigmas", |_, t| t),
        1 => ("sigmas", |path, t| path.rho(t)),
        _ => ("lambdas", |path, t| path.lambda(t)),
    };
    let values: Vec<String> = times.iter().map(|t| value(path, *t).to_string()).collect();
    format!("{key}={}", values.join(","))
}

pub(crate) fn case(number: u64, solvers: &Named, rules: &Named) -> Case {
    let mut r = Random::new(number);
    let text = path(&mut r);
    let path: Path = text.parse().unwrap();
    let steps = 1 + r.below(20);
    let rule = rule(&mut r, rules, &path, steps);
    let (name, knobs) = r.pick(solvers);
    let solver = r.spec(name, &knobs.iter().collect::<Vec<_>>(), 0.3);
    let fixed = rule.contains('=') && rule.contains(',')
        || ["ays", "gits", "trailing", "leading"].iter().any(|name| rule.starts_with(name));
    let (lo, hi) = path.range();
    let limits = match r.below(4) {
        _ if fixed && !r.chance(0.02) => (None, None),
        0 => (Some(r.between(0.6 * hi + 0.4 * lo, hi)), Some(r.between(lo, 0.4 * hi + 0.6 * lo))),
        // The noisiest time of all, where alpha is 0 on two of the paths.
        1 if hi <= 1.0 => (Some(1.0), r.chance(0.5).then(|| r.between(lo, 0.4 * hi + 0.6 * lo))),
        _ => (None, None),
    };
    // A list has one length; an end at zero would make it longer.
    let end =
        if rule.contains(',') { None } else { r.pick(&[None, Some(End::TMin), Some(End::Zero)]).to_owned() };
    let strength = r.chance(0.15).then(|| r.between(0.01, 1.0));
    Case { number, solver, rule, path: text, steps, limits, end, strength }
}
