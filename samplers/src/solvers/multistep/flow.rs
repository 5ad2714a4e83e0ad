//! Adams-Bashforth on the flow velocity.

use super::kernel::Variable;
use super::rule::Rule;
use super::{Multistep, entry};
use crate::{Entry, Pred};

/// Two-step Adams-Bashforth on the velocity `eps - x0`, linear in `t` on the flow path and in
/// `sigma / (alpha + sigma)` on others, where it is the same method after scaling. Finite at both ends of the path.
pub(crate) const ENTRY_FLOW_AB2: Entry = entry(
    "flow-ab2",
    "Flow",
    "Adams-Bashforth on the flow velocity, linear in t",
    "",
    2,
    "Liu et al. 2022, arXiv 2209.03003, eq. 1; Hairer, Norsett, Wanner 1993, section III.5",
    |_| {
        let rule = Rule::Exact(Variable::Share);
        Ok(Box::new(Multistep::plain("flow-ab2".to_owned(), Pred::Flow, rule, 2)))
    },
);
