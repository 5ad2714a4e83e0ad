//! Ancestral methods: each step goes down further than asked and makes up the difference with noise.

mod ddpm;
mod dpmpp_2s_a;
mod dpmpp_sde;
mod euler_a;

pub(crate) use ddpm::ENTRY as ENTRY_DDPM;
pub(crate) use dpmpp_2s_a::ENTRY as ENTRY_DPMPP_2S_A;
pub(crate) use dpmpp_sde::ENTRY as ENTRY_DPMPP_SDE;
pub(crate) use euler_a::ENTRY as ENTRY_EULER_A;

pub use ddpm::Ddpm;
pub use dpmpp_2s_a::Dpmpp2sA;
pub use dpmpp_sde::DpmppSde;
pub use euler_a::EulerA;

use crate::spec::Params;
use crate::{Grid, Node, Plan, PlanBuilder, Pred, Result, Slot};

/// The step `x' = keep x + pull x0 + noise z`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Transfer {
    pub(crate) keep: f64,
    pub(crate) pull: f64,
    pub(crate) noise: f64,
}

/// The noise at the end of a step, `sigma'`, in two independent parts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Split {
    /// Noise that the state keeps.
    pub down: f64,
    /// Fresh noise.
    pub up: f64,
}

impl Split {
    /// The share `eta` (0 to 1) of the noise that one step of the reverse diffusion adds: `up = eta sigma'
    /// sqrt(1 - e^(-2h))`, `down^2 + up^2 = sigma'^2` (arXiv 2010.02502, eq. 16).
    pub(super) fn ancestral(from: &Node, to: &Node, eta: f64) -> Self {
        if to.sigma == 0.0 {
            return Self { down: 0.0, up: 0.0 };
        }
        // h is infinite when the step starts at alpha = 0; the exponentials then give exactly 0 and -1.
        let h = to.lambda() - from.lambda();
        // Not from sigma'^2 - up^2, which cancels when the step is long.
        let down = ((1.0 - eta) * (1.0 + eta) + eta * eta * (-2.0 * h).exp()).sqrt();
        Self { down: to.sigma * down, up: to.sigma * eta * (-f64::exp_m1(-2.0 * h)).sqrt() }
    }

    /// The same with fresh noise of another size, which the rest does not make up for.
    pub(super) fn scaled(self, s_noise: f64) -> Self {
        Self { up: self.up * s_noise, ..self }
    }

    /// The step that is exact for a constant `x0`: `x' = alpha' x0 + down eps + up z`, with `eps` eliminated in favour of
    /// `x0`. The coefficients are finite both at `alpha` = 0 and at `sigma'` = 0.
    pub(super) fn transfer(self, from: &Node, to: &Node) -> Transfer {
        let keep = self.down / from.sigma;
        Transfer { keep, pull: to.alpha - from.alpha * keep, noise: self.up }
    }

    /// Adds [`Split::transfer`].
    pub(super) fn step(
        self,
        b: &mut PlanBuilder,
        (from, to): (&Node, &Node),
        x: Slot,
        x0: Slot,
        noise: impl FnOnce(&mut PlanBuilder) -> Slot,
    ) -> Slot {
        let step = self.transfer(from, to);
        let mut terms = vec![(step.keep, x), (step.pull, x0)];
        if step.noise > 0.0 {
            terms.push((step.noise, noise(b)));
        }
        b.lin(&terms)
    }

    /// Adds the fresh part to the state `x` at the lower level.
    fn add(self, b: &mut PlanBuilder, x: Slot, noise: impl FnOnce(&mut PlanBuilder) -> Slot) -> Slot {
        if self.up > 0.0 {
            let z = noise(b);
            return b.lin(&[(1.0, x), (self.up, z)]);
        }
        x
    }
}

/// The plan of a first-order method, given how each step splits its noise. With `fresh` the noise of every step is
/// independent of the grid's; without, it is the increment of the image's Brownian path.
pub(super) fn first_order(
    name: String,
    grid: &Grid,
    fresh: bool,
    split: impl Fn(&Node, &Node) -> Split,
) -> Result<Plan> {
    let mut b = PlanBuilder::new(name, grid);
    let mut x = b.state();
    for (i, pair) in grid.nodes().windows(2).enumerate() {
        let (from, to) = (&pair[0], &pair[1]);
        let x0 = b.eval(x, i, Pred::X0);
        let noise = |b: &mut PlanBuilder| if fresh { b.noise() } else { b.brownian(from, to) };
        x = split(from, to).step(&mut b, (from, to), x, x0, noise);
        b.end_step(x);
    }
    b.finish()
}

/// Raises the noise level of `x` from `from` to `to` with fresh noise: in `x / alpha` its variance is
/// `rho'^2 - rho^2`.
pub(super) fn raise(b: &mut PlanBuilder, x: Slot, from: &Node, to: &Node, s_noise: f64) -> Slot {
    let keep = to.alpha / from.alpha;
    let before = keep * from.sigma;
    let added = ((to.sigma - before) * (to.sigma + before)).max(0.0).sqrt() * s_noise;
    let mut terms = vec![(keep, x)];
    if added > 0.0 {
        terms.push((added, b.noise()));
    }
    b.lin(&terms)
}

/// Share and size of the noise, the parameters of most methods here.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Noise {
    /// Share of the noise of the reverse diffusion, 0 (none) to 1.
    pub eta: f64,
    /// Standard deviation of the fresh noise, about 1.
    pub s_noise: f64,
}

/// The parameters of [`Noise`] as help text.
const PARAMS: &str = "eta=1 (share of ancestral noise, 0 to 1), s_noise=1 (its size, 0 to 2)";

impl Noise {
    fn from_params(p: &mut Params) -> Result<Self> {
        Ok(Self { eta: p.number("eta", 1.0, 0.0..=1.0)?, s_noise: p.number("s_noise", 1.0, 0.0..=2.0)? })
    }

    fn name(self, solver: &str) -> String {
        crate::spec::spec_text(solver, &[("eta", self.eta, 1.0), ("s_noise", self.s_noise, 1.0)])
    }

    fn split(self, from: &Node, to: &Node) -> Split {
        Split::ancestral(from, to, self.eta).scaled(self.s_noise)
    }
}
