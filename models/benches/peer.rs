//! The CPU engine as a contender in a race that another program runs: `scripts/peers/compare.py` starts it and asks.
//!
//! ```text
//! cargo bench -p fewstep-models --bench peer -- UNET_FOLDER INPUTS f32|bf16
//! ```
//!
//! `INPUTS` is a safetensors file of `x` [n, c, h, w], `t` [n] and `class` [n] (i64). Each line on stdin is a request, each
//! line on stdout its answer as JSON:
//!
//! | request | answer |
//! | --- | --- |
//! | `run BATCH THREADS TIMES` | `{"ms": [..]}`, one value a forward pass of the first `BATCH` images |
//! | `profile BATCH THREADS TIMES` | `{"sections": {name: ms}}`, of all these passes together |
//! | `output BATCH THREADS` | `{"output": [..]}`, all values of one forward pass |
//!
//! With several threads the images of a batch are shared out among them.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a benchmark"
)]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{BufRead, Write, stdin, stdout};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Instant;

use fewstep_models::cpu::CpuUNet;
use fewstep_models::{Scope, UNet2d, UNet2dConfig, Weights};
use safetensors::SafeTensors;
use serde_json::{Value, json};
use tch::{Device, Kind, Tensor};

/// Images, times and labels.
struct Ask {
    x: Tensor,
    t: Tensor,
    class: Option<Tensor>,
    profile: bool,
}

impl Ask {
    fn read(file: &Path) -> Self {
        let bytes = std::fs::read(file).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let floats = |name: &str| {
            let view = file.tensor(name).unwrap();
            let values: Vec<f32> =
                view.data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
            let shape: Vec<i64> = view.shape().iter().map(|&n| n as i64).collect();
            Tensor::from_slice(&values).view(&shape[..])
        };
        let class = file.tensor("class").ok().map(|view| {
            let values: Vec<i64> =
                view.data().chunks_exact(8).map(|b| i64::from_le_bytes(b.try_into().unwrap())).collect();
            Tensor::from_slice(&values)
        });
        Self { x: floats("x"), t: floats("t"), class, profile: false }
    }

    fn part(&self, start: i64, len: i64) -> Self {
        let narrow = |t: &Tensor| t.narrow(0, start, len);
        let class = self.class.as_ref().map(narrow);
        Self { x: narrow(&self.x), t: narrow(&self.t), class, profile: self.profile }
    }
}

/// The engine on threads of its own, as many as the machine has cores.
struct Threads {
    ask: Vec<Sender<Ask>>,
    answer: Vec<Receiver<(Tensor, BTreeMap<String, f64>)>>,
}

impl Threads {
    fn new(engine: &CpuUNet) -> Self {
        let (mut ask, mut answer) = (vec![], vec![]);
        for _ in 0..thread::available_parallelism().unwrap().get() {
            let (send_ask, asked) = channel::<Ask>();
            let (answers, receive) = channel();
            let engine = engine.share();
            thread::spawn(move || {
                tch::set_num_threads(1);
                for ask in asked {
                    engine.profile(ask.profile);
                    let out = engine.forward(&ask.x, &ask.t, ask.class.as_ref()).unwrap();
                    let spent = engine.spent().into_iter();
                    let spent = spent.map(|(s, d)| (format!("{s:?}"), 1e3 * d.as_secs_f64())).collect();
                    answers.send((out, spent)).unwrap();
                }
            });
            ask.push(send_ask);
            answer.push(receive);
        }
        Self { ask, answer }
    }

    fn forward(&self, ask: &Ask, threads: i64, sections: &mut BTreeMap<String, f64>) -> Tensor {
        let images = ask.x.size()[0];
        let shares = threads.min(self.ask.len() as i64).min(images);
        for (i, send) in (0..shares).zip(&self.ask) {
            let (from, to) = (images * i / shares, images * (i + 1) / shares);
            send.send(ask.part(from, to - from)).unwrap();
        }
        let mut parts = vec![];
        for (_, answer) in (0..shares).zip(&self.answer) {
            let (out, spent) = answer.recv().unwrap();
            parts.push(out);
            for (name, ms) in spent {
                *sections.entry(name).or_default() += ms;
            }
        }
        Tensor::cat(&parts, 0)
    }
}

fn answer(threads: &Threads, inputs: &Ask, request: &[&str]) -> Value {
    let part = |batch: &str| inputs.part(0, batch.parse().unwrap());
    let mut sections = BTreeMap::new();
    match request {
        ["run", batch, count, times] => {
            let ask = part(batch);
            let once = |_| {
                let clock = Instant::now();
                let _ = threads.forward(&ask, count.parse().unwrap(), &mut sections);
                1e3 * clock.elapsed().as_secs_f64()
            };
            let ms: Vec<f64> = (0..times.parse::<usize>().unwrap()).map(once).collect();
            json!({"ms": ms})
        }
        ["profile", batch, count, times] => {
            let ask = Ask { profile: true, ..part(batch) };
            for _ in 0..times.parse::<usize>().unwrap() {
                let _ = threads.forward(&ask, count.parse().unwrap(), &mut sections);
            }
            json!({"sections": sections})
        }
        ["output", batch, count] => {
            let out = threads.forward(&part(batch), count.parse().unwrap(), &mut sections);
            json!({"output": Vec::<f32>::try_from(out.view(-1)).unwrap()})
        }
        _ => json!({"error": format!("no such request: {request:?}")}),
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let [folder, inputs, dtype] = &arguments[..] else {
        println!("a contender for scripts/peers/compare.py: give UNET_FOLDER INPUTS f32|bf16");
        return;
    };
    let kind = if dtype == "bf16" { Kind::BFloat16 } else { Kind::Float };
    let folder = Path::new(folder);
    let text = std::fs::read_to_string(folder.join("config.json")).unwrap();
    let config = UNet2dConfig::from_json("config.json", &text).unwrap().0;
    let bytes = std::fs::read(folder.join("diffusion_pytorch_model.safetensors")).unwrap();
    let weights = RefCell::new(Weights::parse("weights", &bytes, Device::Cpu, kind).unwrap());
    let _ = UNet2d::new(&Scope::root(&weights), config.clone());
    let params = weights.into_inner().finish().unwrap();
    tch::set_num_threads(1);
    let threads = Threads::new(&CpuUNet::new(&config, &params).unwrap());
    let inputs = Ask::read(Path::new(inputs));
    for line in stdin().lock().lines() {
        let line = line.unwrap();
        let request: Vec<&str> = line.split_whitespace().collect();
        println!("{}", answer(&threads, &inputs, &request));
        stdout().flush().unwrap();
    }
}
