//! Networks that tests and benchmarks of the CPU engine have in common.

use std::cell::RefCell;

use fewstep_models::{Params, Scope, UNet2d, UNet2dConfig, Weights, zoo};
use tch::{Device, Kind};

/// The first built-in network.
pub(crate) fn built_in() -> (UNet2dConfig, Params) {
    let builtin = &zoo::BUILTIN[0];
    let config = UNet2dConfig::from_json(builtin.name, builtin.config).unwrap().0;
    let weights =
        RefCell::new(Weights::parse(builtin.name, builtin.weights, Device::Cpu, Kind::Float).unwrap());
    let _ = UNet2d::new(&Scope::root(&weights), config.clone());
    (config, weights.into_inner().finish().unwrap())
}

/// 1.16 million weights at 28x28, attention on the lower two levels.
pub(crate) fn with_attention() -> UNet2dConfig {
    let names = |list: [&str; 3]| list.map(String::from).to_vec();
    UNet2dConfig {
        in_channels: 1,
        out_channels: 1,
        block_out_channels: vec![32, 64, 64],
        layers_per_block: 1,
        attention_head_dim: Some(32),
        num_class_embeds: Some(11),
        down_block_types: names(["DownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D"]),
        up_block_types: names(["AttnUpBlock2D", "AttnUpBlock2D", "UpBlock2D"]),
        ..UNet2dConfig::default()
    }
}
