//! The predictions that a guidance rule asks for.

use std::panic::{self, AssertUnwindSafe};

use anyhow::{Context, Result, bail};
use fewstep_models::Denoiser;
use fewstep_samplers::{Node, Pred};
use tch::{Kind, Tensor};

use crate::guidance::{Beside, Branches, Guide, Images, Preds, difference};

/// A network with the labels of a batch, and what its guide works with beside it.
pub(super) struct Networks<'a> {
    pub(super) denoiser: &'a dyn Denoiser,
    pub(super) class: Option<&'a Tensor>,
    pub(super) guide: &'a Guide,
}

impl Networks<'_> {
    /// What a rule asked for, as `x0`.
    ///
    /// # Shapes
    /// `x: [batch, c, h, w]`
    pub(super) fn branches(&self, branches: &Branches, x: &Tensor, nodes: &[Node]) -> Result<Preds> {
        let Branches { uncond, weak, classifier, .. } = branches;
        if [uncond, weak, classifier].into_iter().filter(|images| **images != Images::None).count() > 1 {
            bail!("a guidance rule compares with one other prediction, and this one asks for two");
        }
        let images = branches.other();
        let (some, of_some) = (images.take(x), nodes_of(images, nodes));
        let cond = || match &branches.cond {
            Images::All => predict(self.denoiser, x, nodes, Pred::X0, self.class),
            Images::None => Ok(x.zeros_like()),
            Images::Some(_) => {
                bail!("a guidance rule asks for the conditional prediction of some images only")
            }
        };
        let preds = |cond, other| Preds { cond, other, images: images.clone(), fresh: true };
        if *images == Images::None {
            return Ok(preds(cond()?, None));
        }
        if images == uncond
            && branches.cond == Images::All
            && self.guide.is_together(x.device())
            && let Some((cond, other)) = self.both(x, nodes, &some, &of_some)?
        {
            return Ok(preds(cond, Some(other)));
        }
        let cond = cond()?;
        let other = self.other(branches, &cond, &some, &of_some)?;
        Ok(preds(cond, Some(other)))
    }

    /// Both branches in one call; nothing if the memory does not allow it.
    fn both(
        &self,
        x: &Tensor,
        nodes: &[Node],
        some: &Tensor,
        of_some: &[Node],
    ) -> Result<Option<(Tensor, Tensor)>> {
        let Some(class) = self.class else { return Ok(None) };
        let nodes = if let [node] = nodes { vec![*node] } else { [nodes, of_some].concat() };
        let class = Tensor::cat(&[class, &self.null(some)?], 0);
        let x_both = Tensor::cat(&[x, some], 0);
        let both = panic::catch_unwind(AssertUnwindSafe(|| {
            predict(self.denoiser, &x_both, &nodes, Pred::X0, Some(&class))
        }));
        match both {
            Ok(Ok(both)) => {
                let (n, k) = (x.size()[0], some.size()[0]);
                return Ok(Some((both.narrow(0, 0, n), both.narrow(0, n, k))));
            }
            Ok(Err(error)) if out_of_memory(&format!("{error:#}")) => {}
            Ok(Err(error)) => return Err(error),
            // Inside of a network libtorch's errors come as panics.
            Err(panic) if panic.downcast_ref::<String>().is_some_and(|text| out_of_memory(text)) => {}
            Err(panic) => panic::resume_unwind(panic),
        }
        // Or every evaluation would fail first.
        self.guide.part();
        Ok(None)
    }

    /// The second prediction, for the images `some` of the batch; `cond` is the first one of the whole batch.
    fn other(&self, branches: &Branches, cond: &Tensor, some: &Tensor, nodes: &[Node]) -> Result<Tensor> {
        let images = branches.other();
        if images == &branches.uncond {
            return predict(self.denoiser, some, nodes, Pred::X0, Some(&self.null(some)?));
        }
        let class = self.class.map(|class| images.take(class));
        match self.guide.beside() {
            Beside::Weak(weak) => predict(&**weak, some, nodes, Pred::X0, class.as_ref()),
            Beside::Classifier(classifier) => {
                let class = class.context("the model has no label to look for")?;
                Ok(images.take(cond) - difference(&**classifier, some, nodes, &class)?)
            }
            Beside::Nothing => bail!("a guidance rule asks for a network that is not there"),
        }
    }

    /// "No label" for each of `x`.
    fn null(&self, x: &Tensor) -> Result<Tensor> {
        let null = self.denoiser.spec().classes.context("the model has no label to leave out")?;
        Ok(Tensor::full([x.size()[0]], null, (Kind::Int64, x.device())))
    }
}

fn out_of_memory(text: &str) -> bool {
    text.contains("out of memory")
}

/// The nodes of `images`; one node stands for all.
fn nodes_of(images: &Images, nodes: &[Node]) -> Vec<Node> {
    if let [node] = nodes {
        return vec![*node];
    }
    let mask = images.mask(nodes.len());
    nodes.iter().zip(mask).filter(|(_, kept)| *kept).map(|(node, _)| *node).collect()
}

/// One pass of a network.
pub(super) fn predict(
    denoiser: &dyn Denoiser,
    x: &Tensor,
    nodes: &[Node],
    want: Pred,
    class: Option<&Tensor>,
) -> Result<Tensor> {
    Ok(match nodes {
        [node] => denoiser.predict(x, node, want, class)?,
        _ => denoiser.predict_each(x, nodes, want, class)?,
    })
}
