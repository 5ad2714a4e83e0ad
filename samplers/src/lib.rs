//! Paths, step grids and solvers that compile to plans: pure `f64` mathematics, no tensors.
//!
//! ```text
//! Path (alpha, sigma of t) + Grid (where the steps stand) + Solver  ──►  Plan (data)
//! ```
//!
//! A fast sampler is a straight-line program over tensor slots whose scalar coefficients are known before the
//! network is called for the first time. This crate computes that program, the [`Plan`]; whoever owns the tensors
//! runs it. Nothing here reads a file, a clock, the environment or a random number, and nothing prints.
//!
//! Notation, everywhere: a noisy state is `x = alpha * x0 + sigma * eps`; `rho = sigma / alpha` is the noise level
//! of the EDM paper, `lambda = ln(alpha / sigma)` half the log signal-to-noise ratio, `h` a step in `lambda`.
//!
//! ```
//! use fewstep_samplers::{GridRule, Path, exact::Mixture, interpreter, solver};
//!
//! let path: Path = "edm".parse()?;
//! let grid = "karras:rho=7".parse::<GridRule>()?.grid(&path, 8, None, None, None)?;
//! let plan = solver("heun")?.plan(&grid)?;
//! assert_eq!(plan.nfe(), 15); // the step into sigma = 0 needs one evaluation
//!
//! // Run it in f64 on data with a known denoiser.
//! let data = Mixture::gaussian(0.5)?;
//! let start = vec![plan.init_scale()];
//! let x = interpreter::run(&plan, &data, start, |_| vec![0.0], |_, _, _| {})?;
//! assert!(x[0] > 0.0 && x[0] < 1.0);
//! # Ok::<(), fewstep_samplers::Error>(())
//! ```

pub mod compat;
pub mod dynamic;
mod entry;
mod error;
pub mod exact;
mod grid;
pub mod interpreter;
mod node;
mod path;
mod phi;
mod plan;
mod quadrature;
mod registry;
pub mod solvers;
mod spec;
pub mod text;

pub use entry::{Build, Entry};
pub use error::{Error, Result};
pub use grid::{AysTable, End, Grid, GridRule, Shift, ShiftCurve, Shifted};
pub use node::Node;
pub use path::{BetaTable, Betas, Path};
pub use plan::{NoiseKey, Op, Plan, PlanBuilder, Pred, Questions, Slot};
pub use registry::{registry, solver};
pub use solvers::Solver;
pub use spec::{Params, unknown};
