//! Specifications of every deterministic method, from the registry.

use fewstep_samplers::{registry, solver};

/// Variants with an order that is not that of the entry's defaults, or that a default of another family would hide.
const VARIANTS: &[(&str, u32)] = &[
    ("dpmpp-2m:type=heun", 2),
    ("dpm-2m:type=taylor", 2),
    ("dpmpp-3m:type=exact", 3),
    ("dpm-3m:type=exact", 3),
    ("lms:order=1", 1),
    ("lms:order=2", 2),
    ("lms:order=3", 3),
    ("ipndm:order=1", 1),
    ("ipndm:order=2", 2),
    ("ipndm:order=3", 2),
    // The exact start of the order test hides the warm-up, which has its golden values.
    ("pndm:warm_up=plms", 2),
    ("exp-ab:order=3:pred=x0", 3),
    ("exp-ab:pred=x0:in=share", 4),
    ("exp-ab:order=3:pred=x0:in=lambda", 3),
    ("exp-ab:pred=flow:in=share", 4),
    ("exp-ab:order=3:pred=flow", 3),
    ("exp-ab:order=2:in=share", 2),
    // The corrector adds one order, if the last steps keep theirs.
    ("unipc:lower_order_final=false", 3),
    ("unipc:order=1:lower_order_final=false", 2),
    ("unipc:order=1:corrector=false:lower_order_final=false", 1),
    ("unipc:order=1:variant=bh1:pred=eps:lower_order_final=false", 2),
    ("unipc:order=2:corrector=false:lower_order_final=false", 2),
    ("unipc:order=2:variant=bh1:lower_order_final=false", 3),
    ("unipc:order=2:pred=eps:lower_order_final=false", 3),
    ("unipc:order=3:lower_order_final=false", 4),
    ("unipc:order=3:corrector=false:lower_order_final=false", 3),
    ("unipc:order=3:variant=bh1:pred=eps:lower_order_final=false", 4),
    // Probability flow by the stochastic families.
    ("sde-dpmpp-1:tau=0", 1),
    ("sde-dpmpp-2m:tau=0", 2),
    ("sde-dpmpp-3m:tau=0", 2),
    ("sde-dpmpp-3m:tau=0:type=exact", 3),
    ("sa-solver:tau=0:lower_order_final=false", 2),
    ("sa-solver:tau=0:lower_order_final=false:corrector=0", 2),
    ("sa-solver:tau=0:lower_order_final=false:corrector=0:slope=exact", 2),
    ("sa-solver:tau=0:lower_order_final=false:mode=pece", 2),
    ("sa-solver:tau=0:lower_order_final=false:predictor=3:corrector=4", 4),
    ("sa-solver:tau=0:lower_order_final=false:predictor=3:corrector=4:mode=pece", 4),
    ("sa-solver:tau=0:lower_order_final=false:predictor=4:corrector=0", 4),
    // The last step alone, of order 1, errs in second order.
    ("sa-solver:tau=0:predictor=3:corrector=4", 2),
];

/// The specification of a stochastic method that switches its noise off.
fn without_noise(name: &str) -> Option<String> {
    let off = ["eta=0", "tau=0", "gamma=0", "segments=none"];
    off.iter().map(|p| format!("{name}:{p}")).find(|spec| solver(spec).is_ok())
}

/// Every entry with its defaults or its deterministic limit, and the variants.
pub(crate) fn everything() -> Vec<(String, u32)> {
    let mut specs: Vec<(String, u32)> =
        VARIANTS.iter().map(|(spec, order)| ((*spec).to_owned(), *order)).collect();
    for entry in registry() {
        let name = entry.name.to_owned();
        let spec = if entry.deterministic { Some(name) } else { without_noise(entry.name) };
        // DDPM alone cannot do without noise; `stochastic.rs` measures its order in distribution.
        assert!(spec.is_some() || entry.name == "ddpm", "{} has no deterministic limit", entry.name);
        specs.extend(spec.map(|spec| (spec, entry.order)));
    }
    specs
}
