//! The CPU engine against libtorch, on the built-in network and on random ones.

#![expect(clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods, reason = "a test")]

mod nets;

use std::cell::RefCell;

use fewstep_models::cpu::CpuUNet;
use fewstep_models::{Denoiser, Fresh, Given, ModelFolder, NetDenoiser, Params, Scope, UNet2d, UNet2dConfig};
use fewstep_samplers::Pred;
use tch::{Device, Kind, Tensor};

struct Case {
    name: &'static str,
    config: UNet2dConfig,
    net: UNet2d,
    params: Params,
    /// Height and width of its images.
    size: [i64; 2],
}

impl Case {
    fn built_in() -> Self {
        let (config, params) = nets::built_in();
        let given = RefCell::new(Given(&params));
        let net = UNet2d::new(&Scope::root(&given), config.clone());
        Self { name: "built-in", config, net, params, size: [28, 28] }
    }

    fn random(name: &'static str, config: UNet2dConfig, size: [i64; 2]) -> Self {
        let fresh = RefCell::new(Fresh::new(Device::Cpu));
        let net = UNet2d::new(&Scope::root(&fresh), config.clone());
        let params = fresh.into_inner().into_params();
        // Fresh networks have silent layers and plain norms, behind which errors would hide.
        for (name, tensor) in &params {
            let mut tensor = tensor.shallow_clone();
            if name.contains("conv2") || name.contains("conv_out") {
                let _ = tensor.normal_(0.0, 0.05);
            } else if name.contains("norm") {
                let noise = tensor.randn_like() * 0.3;
                let _ = tensor.g_add_(&noise);
            }
        }
        Self { name, config, net, params, size }
    }

    /// Images, times and labels for a batch of `b`.
    fn ask(&self, b: i64) -> (Tensor, Tensor, Option<Tensor>) {
        self.ask_sized(b, self.size)
    }

    fn ask_sized(&self, b: i64, [height, width]: [i64; 2]) -> (Tensor, Tensor, Option<Tensor>) {
        let float = (Kind::Float, Device::Cpu);
        let x = Tensor::randn([b, self.config.in_channels, height, width], float);
        let t = Tensor::rand([b], float) * 900.0;
        let class = self.config.num_class_embeds.map(|n| Tensor::randint(n, [b], (Kind::Int64, Device::Cpu)));
        (x, t, class)
    }
}

/// Nothing is a multiple of sixteen, and most options differ from their defaults; `heads_of_24` and the fixtures of
/// `parity.rs` have the others.
fn odd_net(time: &str) -> UNet2dConfig {
    UNet2dConfig {
        in_channels: 3,
        out_channels: 2,
        block_out_channels: vec![24, 40, 56],
        layers_per_block: 2,
        norm_num_groups: 4,
        attention_head_dim: Some(8),
        downsample_padding: 0,
        center_input_sample: true,
        mid_block_scale_factor: 1.4,
        resnet_time_scale_shift: time.into(),
        ..nets::with_attention()
    }
}

/// Two levels, the lower of so many pixels that its images go through one part after the other, and a map there with more
/// channels than its skip.
fn in_parts() -> UNet2dConfig {
    let names = |list: [&str; 2]| list.map(String::from).to_vec();
    UNet2dConfig {
        block_out_channels: vec![32, 64],
        down_block_types: names(["DownBlock2D", "AttnDownBlock2D"]),
        up_block_types: names(["AttnUpBlock2D", "UpBlock2D"]),
        ..nets::with_attention()
    }
}

/// The middle level is the widest.
fn widest_in_the_middle() -> UNet2dConfig {
    UNet2dConfig {
        block_out_channels: vec![32, 64, 32],
        layers_per_block: 2,
        down_block_types: vec!["DownBlock2D".into(); 3],
        up_block_types: vec!["UpBlock2D".into(); 3],
        ..nets::with_attention()
    }
}

/// Heads that are no whole number of blocks, no attention in the middle, no labels, another order of sines and cosines.
fn heads_of_24() -> UNet2dConfig {
    UNet2dConfig {
        block_out_channels: vec![24, 48, 48],
        norm_num_groups: 8,
        attention_head_dim: Some(24),
        add_attention: false,
        num_class_embeds: None,
        flip_sin_to_cos: false,
        freq_shift: 1,
        ..nets::with_attention()
    }
}

fn cases() -> Vec<Case> {
    tch::set_num_threads(1);
    tch::manual_seed(0);
    vec![
        Case::built_in(),
        Case::random("32-64-64", nets::with_attention(), [28, 28]),
        Case::random("odd channels", odd_net("default"), [20, 20]),
        Case::random("odd channels, scale and shift", odd_net("scale_shift"), [36, 36]),
        Case::random("in parts", in_parts(), [32, 32]),
        Case::random("widest in the middle", widest_in_the_middle(), [32, 32]),
        // The coarsest level has three pixels.
        Case::random("heads of 24", heads_of_24(), [4, 12]),
    ]
}

fn available() -> bool {
    let (config, params) = nets::built_in();
    let refused = CpuUNet::new(&config, &params).err();
    if let Some(reason) = &refused {
        println!("nothing was compared: {reason}");
    }
    refused.is_none()
}

fn relative(got: &Tensor, want: &Tensor) -> f64 {
    let largest = |t: &Tensor| f64::try_from(t.abs().max()).unwrap();
    largest(&(got - want)) / largest(want)
}

#[test]
fn engine_equals_libtorch() {
    if !available() {
        return;
    }
    let _no_grad = tch::no_grad_guard();
    for case in cases() {
        let engines = CpuUNet::variants(&case.config, &case.params).unwrap();
        for b in [1, 3, 17] {
            let (x, t, class) = case.ask(b);
            let want = case.net.forward(&x, &t, class.as_ref()).unwrap();
            for (set, engine) in &engines {
                let got = engine.forward(&x, &t, class.as_ref()).unwrap();
                let error = relative(&got, &want);
                println!("{set}, {} x {b}: {error:.1e}", case.name);
                assert!(error < 1e-5, "{set}, {} x {b}: {error:.1e}", case.name);
            }
        }
    }
}

#[test]
fn an_image_does_not_depend_on_its_batch() {
    if !available() {
        return;
    }
    let _no_grad = tch::no_grad_guard();
    for case in cases() {
        let (x, t, class) = case.ask(37);
        for (set, engine) in CpuUNet::variants(&case.config, &case.params).unwrap() {
            let whole = engine.forward(&x, &t, class.as_ref()).unwrap();
            for (start, len) in [(0, 1), (5, 3), (20, 17), (36, 1)] {
                let class = class.as_ref().map(|c| c.narrow(0, start, len));
                let (x, t) = (x.narrow(0, start, len), t.narrow(0, start, len));
                let part = engine.forward(&x, &t, class.as_ref()).unwrap();
                let same = part == whole.narrow(0, start, len);
                assert!(same, "{set}, {}: images {start} and on", case.name);
            }
        }
    }
}

/// Buffers are used again: what an earlier call left in them must not show, whatever its size and values.
#[test]
fn calls_do_not_see_each_other() {
    if !available() {
        return;
    }
    let _no_grad = tch::no_grad_guard();
    tch::set_num_threads(1);
    tch::manual_seed(2);
    let case = Case::random("odd channels", odd_net("default"), [20, 20]);
    let used = CpuUNet::variants(&case.config, &case.params).unwrap();
    for size in [[20, 20], [12, 28], [36, 8], [20, 20]] {
        let (x, t, class) = case.ask_sized(3, size);
        let bad = Tensor::full_like(&x, f64::NAN);
        for ((set, used), (_, new)) in used.iter().zip(CpuUNet::variants(&case.config, &case.params).unwrap())
        {
            let want = new.forward(&x, &t, class.as_ref()).unwrap();
            let again = used.forward(&x, &t, class.as_ref()).unwrap();
            assert!(again == want, "{set}, {size:?}");
            let nan = used.forward(&bad, &t, class.as_ref()).unwrap();
            assert!(nan.isnan().all().int64_value(&[]) == 1, "{set}, {size:?}");
        }
    }
}

#[test]
fn an_image_that_is_not_finite_spoils_no_other() {
    if !available() {
        return;
    }
    let _no_grad = tch::no_grad_guard();
    for case in cases() {
        let (x, t, class) = case.ask(17);
        let bad = x.copy();
        let _ = bad.get(5).fill_(f64::NAN);
        for (set, engine) in CpuUNet::variants(&case.config, &case.params).unwrap() {
            let want = engine.forward(&x, &t, class.as_ref()).unwrap();
            let got = engine.forward(&bad, &t, class.as_ref()).unwrap();
            let same = |from, len| got.narrow(0, from, len) == want.narrow(0, from, len);
            assert!(same(0, 5) && same(6, 11), "{set}, {}", case.name);
            assert!(got.get(5).isfinite().any().int64_value(&[]) == 0, "{set}, {}", case.name);
        }
    }
}

#[test]
fn denoiser_takes_the_engine_and_a_node_for_each_image() {
    if !available() {
        return;
    }
    let _no_grad = tch::no_grad_guard();
    tch::set_num_threads(1);
    let folder = ModelFolder::open("fmnist-edm").unwrap();
    let fast = folder.load(Device::Cpu, Kind::Float).unwrap();
    let params = folder.load(Device::Cpu, Kind::Float).unwrap().into_params();
    let eager = NetDenoiser::eager(folder.config.clone(), params, folder.spec.clone(), Kind::Float);
    let bf16 = folder.load(Device::Cpu, Kind::BFloat16).unwrap();
    let params = folder.load(Device::Cpu, Kind::BFloat16).unwrap().into_params();
    let params = params.into_iter().map(|(name, t)| (name, t.to_kind(Kind::Float))).collect();
    let eager_rounded = NetDenoiser::eager(folder.config.clone(), params, folder.spec.clone(), Kind::Float);
    let nodes: Vec<_> = [0.9, 0.5, 0.1].map(|t| folder.spec.path.node(t)).to_vec();
    tch::manual_seed(1);
    let x = Tensor::randn([3, 1, 28, 28], (Kind::Float, Device::Cpu));
    let class = Tensor::from_slice(&[0i64, 4, 10]);
    for want in [Pred::X0, Pred::Eps] {
        let all = fast.predict_each(&x, &nodes, want, Some(&class)).unwrap();
        for (i, node) in nodes.iter().enumerate() {
            let (x, class) = (x.narrow(0, i as i64, 1), class.narrow(0, i as i64, 1));
            let one = fast.predict(&x, node, want, Some(&class)).unwrap();
            assert!(relative(&all.narrow(0, i as i64, 1), &one) < 1e-6);
            assert!(fast.share().predict(&x, node, want, Some(&class)).unwrap() == one);
            let slow = eager.predict(&x, node, want, Some(&class)).unwrap();
            assert!(relative(&one, &slow) < 1e-5);
            let rounded = bf16.predict(&x, node, want, Some(&class)).unwrap();
            let slow = eager_rounded.predict(&x, node, want, Some(&class)).unwrap();
            assert!(relative(&rounded, &slow) < 1e-5);
            assert!(rounded != one, "the weights were not rounded");
        }
    }
    assert!(fast.in_libtorch().is_none() && eager.in_libtorch().is_some());
    let beyond = Tensor::from_slice(&[0i64, 4, 11]);
    assert!(fast.predict(&x, &nodes[0], Pred::X0, Some(&beyond)).is_err());
}

/// The layout that libtorch gets on a GPU, on the CPU.
#[test]
fn channels_last_gives_the_same_values() {
    let _no_grad = tch::no_grad_guard();
    // Of a denoiser, input and output have the same shape.
    for case in cases().into_iter().filter(|case| case.config.in_channels == case.config.out_channels) {
        let params = || case.params.iter().map(|(name, t)| (name.clone(), t.shallow_clone())).collect();
        let spec = ModelFolder::open("fmnist-edm").unwrap().spec;
        let plain = NetDenoiser::eager(case.config.clone(), params(), spec.clone(), Kind::Float);
        let laid = NetDenoiser::eager(case.config.clone(), params(), spec, Kind::Float).channels_last();
        let (x, _, class) = case.ask(3);
        let node = plain.spec().path.node(0.5);
        let want = plain.predict(&x, &node, Pred::X0, class.as_ref()).unwrap();
        for denoiser in [&laid as &dyn Denoiser, &*laid.share()] {
            let got = denoiser.predict(&x, &node, Pred::X0, class.as_ref()).unwrap();
            let error = relative(&got, &want);
            assert!(error < 1e-5, "{}: {error:.1e}", case.name);
        }
        let name = "mid_block.resnets.0.conv1.weight";
        let weight = &laid.into_params()[name];
        assert!(!weight.is_contiguous() && *weight == case.params[name], "{}", case.name);
    }
}

#[test]
fn a_gradient_goes_through_libtorch() {
    tch::set_num_threads(1);
    let folder = ModelFolder::open("fmnist-edm").unwrap();
    let denoiser = folder.load(Device::Cpu, Kind::Float).unwrap();
    let x = Tensor::randn([1, 1, 28, 28], (Kind::Float, Device::Cpu)).set_requires_grad(true);
    let node = folder.spec.path.node(0.5);
    let class = Tensor::from_slice(&[3i64]);
    denoiser.predict(&x, &node, Pred::X0, Some(&class)).unwrap().sum(Kind::Float).backward();
    assert!(f64::try_from(x.grad().abs().max()).unwrap() > 0.0);
}
