//! `use_flow_sigmas`: the multistep schedulers on the flow path.

use super::levels::LevelRule;
use super::schedule::{Final, Schedule, Timing};
use super::{bad_steps, error, shifted};
use crate::spec::Params;
use crate::{Path, Result};

/// `num_train_timesteps`, by which times are multiplied before they are cut to whole numbers.
const TRAIN_STEPS: f64 = 1000.0;

/// From where levels are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Top {
    /// From 1 - 1/1000 down to the 0 that is left out (DPM-Solver, DEIS).
    BelowOne,
    /// From 1, which is then lowered by 1e-6, down to the 1/1000 that is left out (UniPC).
    One,
}

/// Equal steps of the flow time, shifted once.
#[derive(Clone, Copy, Debug)]
pub(super) struct FlowSigmas {
    shift: f64,
    top: Top,
}

impl FlowSigmas {
    pub(super) fn read(p: &mut Params, top: Top) -> Result<Option<Self>> {
        let used = p.flag("use_flow_sigmas", false)?;
        let shift = p.number("flow_shift", 1.0, 1e-3..=1e3)?;
        Ok(used.then_some(Self { shift, top }))
    }

    pub(super) fn schedule(self, timing: Timing, name: &str, path: &Path, steps: usize) -> Result<Schedule> {
        if *path != Path::Flow {
            let reason = format!("has no flow sigmas on path `{path}`");
            return Err(error(name, &reason, "use path `flow`, or drop `use_flow_sigmas`"));
        }
        if let Some(rule) = timing.levels {
            let reason = if self.top == Top::One && rule == LevelRule::Karras {
                "makes times of the flow path of karras levels, which is not repeated here".to_owned()
            } else {
                format!("takes {} levels of a noise table for times of the flow path", rule.word())
            };
            return Err(error(name, &reason, "drop `use_flow_sigmas` or the other rule"));
        }
        if steps == 0 || steps > TRAIN_STEPS as usize {
            return Err(bad_steps(name, steps, format!("ask for 1 to {TRAIN_STEPS}")));
        }
        // numpy's own order of operations: where a level is a thousandth, it decides which whole number is left.
        let stride = (1.0 / TRAIN_STEPS - 1.0) / steps as f64;
        let shift = |t: f64| shifted(t, self.shift);
        let from_one = |i: usize| if i == steps { 1.0 / TRAIN_STEPS } else { i as f64 * stride + 1.0 };
        let mut sigmas: Vec<f64> = match self.top {
            Top::BelowOne => (1..=steps).rev().map(|i| shift(1.0 - from_one(i))).collect(),
            Top::One => (0..steps).map(|i| shift(from_one(i))).collect(),
        };
        if (sigmas[0] - 1.0).abs() < 1e-6 {
            sigmas[0] -= 1e-6;
        }
        let times: Vec<f64> = sigmas.iter().map(|t| (t * TRAIN_STEPS).trunc() / TRAIN_STEPS).collect();
        if times.contains(&0.0) {
            let remedy = "ask for fewer steps or a larger `flow_shift`";
            return Err(error(name, "asks the network at time 0, where it says nothing", remedy));
        }
        let last = sigmas[steps - 1];
        let end = match timing.last {
            Final::Zero => 0.0,
            Final::Repeat => last,
            // Whatever the path, this is the lowest level of the default noise table.
            Final::SigmaMin => Path::ddpm().rho(0.0),
        };
        if end > last {
            let remedy = "ask for fewer steps, or use `final_sigmas_type=zero`";
            return Err(error(name, "goes back up to 0.01 in the last step", remedy));
        }
        sigmas.push(end);
        let levels = sigmas.iter().map(|&t| path.node(t)).collect();
        Ok(Schedule { levels, times, rule: "diffusers flow".to_owned() })
    }
}
