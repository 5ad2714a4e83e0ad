//! The text form of plans, for people.

use std::fmt::{self, Write as _};

use super::{Op, Plan, Pred};

impl Plan {
    /// The plan as a text table: one line per step with time, noise level, `lambda` (half the log-SNR) and the
    /// evaluations so far, and under it the ops of that step. Slot `s0` is the initial state.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = format!(
            "{} on {}, grid {}: {} steps, {} evaluations, {} noise draws\n",
            self.solver,
            self.path,
            self.grid,
            self.steps,
            self.nfe(),
            self.draws()
        );
        text.push_str(" step            t        sigma       lambda   nfe\n");
        self.push_row(&mut text, "start", 0, 0);
        let (mut nfe, mut body) = (0, String::new());
        for op in &self.ops {
            match op {
                Op::Eval { out, x, node, pred } => {
                    nfe += 1;
                    let name = match pred {
                        Pred::Eps => "eps",
                        Pred::X0 => "x0",
                        Pred::Flow => "flow",
                    };
                    let t = self.nodes.get(*node).map_or(f64::NAN, |n| n.t);
                    let _ = writeln!(body, "        s{} = {name}(s{}, t={})", out.0, x.0, short(t));
                }
                Op::Renoise { out, of } => {
                    let _ = writeln!(body, "        s{} = renoise(s{})", out.0, of.0);
                }
                Op::Lin { out, terms } => {
                    let _ = write!(body, "        s{} =", out.0);
                    for (i, (c, slot)) in terms.iter().enumerate() {
                        let sign = if *c < 0.0 {
                            " -"
                        } else if i > 0 {
                            " +"
                        } else {
                            ""
                        };
                        let _ = write!(body, "{sign} {} s{}", short(c.abs()), slot.0);
                    }
                    body.push('\n');
                }
                Op::Noise { out, draw } => {
                    let _ = writeln!(body, "        s{} = noise {draw}", out.0);
                }
                Op::Brownian { out, from, to } => {
                    let _ = writeln!(body, "        s{} = brownian {}..{}", out.0, short(*from), short(*to));
                }
                Op::EndStep { step, node, .. } => {
                    self.push_row(&mut text, &(step + 1).to_string(), *node, nfe);
                    text.push_str(&body);
                    body.clear();
                }
            }
        }
        text.push_str(&body);
        text
    }

    fn push_row(&self, text: &mut String, label: &str, node: usize, nfe: usize) {
        if let Some(n) = self.nodes.get(node) {
            let (t, sigma, lambda) = (short(n.t), short(n.sigma), short(n.lambda()));
            let _ = writeln!(text, "{label:>5} {t:>12} {sigma:>12} {lambda:>12} {nfe:>5}");
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.table())
    }
}

/// About six significant digits, in plain notation where that is short.
fn short(v: f64) -> String {
    let size = v.abs();
    if size == 0.0 || !v.is_finite() {
        format!("{v}")
    } else if (1e-3..1e5).contains(&size) {
        let digits = (5 - size.log10().floor() as i32).clamp(0, 8) as usize;
        format!("{v:.digits$}")
    } else {
        format!("{v:.4e}")
    }
}
