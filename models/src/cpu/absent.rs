//! The CPU engine where there is none: it is written for x86-64.

use std::time::Duration;

use tch::Tensor;

use crate::error::Result;
use crate::params::Params;
use crate::unet2d::UNet2dConfig;

/// A kind of work in the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {}

impl Section {
    /// There is none.
    pub const ALL: [Self; 0] = [];
}

/// Never built on this processor.
#[derive(Debug)]
pub enum CpuUNet {}

impl CpuUNet {
    /// # Errors
    /// Always.
    pub fn new(_config: &UNet2dConfig, _params: &Params) -> std::result::Result<Self, String> {
        Err("the engine is written for x86-64".into())
    }

    /// # Errors
    /// Never: there is none.
    pub fn variants(
        _config: &UNet2dConfig,
        _params: &Params,
    ) -> std::result::Result<Vec<(&'static str, Self)>, String> {
        Ok(vec![])
    }

    /// See there.
    #[must_use]
    pub fn share(&self) -> Self {
        match *self {}
    }

    /// See there.
    pub fn profile(&self, _on: bool) {
        match *self {}
    }

    /// See there.
    pub fn spent(&self) -> Vec<(Section, Duration)> {
        match *self {}
    }

    /// # Errors
    /// See there.
    pub fn forward(&self, _x: &Tensor, _t: &Tensor, _class: Option<&Tensor>) -> Result<Tensor> {
        match *self {}
    }
}
