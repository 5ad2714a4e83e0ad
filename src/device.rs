//! Where tensors live: chosen at run time, from one binary.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use anyhow::{Result, bail};
use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};
use tch::{Cuda, Device, Kind, Tensor};

/// `--device`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceChoice {
    /// CUDA if it works, else the CPU.
    Auto,
    /// The CPU.
    Cpu,
    /// A CUDA device by number.
    Cuda(usize),
}

impl FromStr for DeviceChoice {
    type Err = String;

    fn from_str(s: &str) -> std::result::Result<Self, String> {
        match s {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(0)),
            _ => s
                .strip_prefix("cuda:")
                .and_then(|n| n.parse().ok())
                .map(Self::Cuda)
                .ok_or_else(|| "expected auto, cpu, cuda or cuda:N".to_owned()),
        }
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(n) => write!(f, "cuda:{n}"),
        }
    }
}

/// The library that holds libtorch's CUDA half. Nothing links to it: it is opened here, when it is wanted.
const CUDA_LIBRARY: &str = "libtorch_cuda.so";

impl DeviceChoice {
    /// The device to use.
    ///
    /// # Errors
    /// If CUDA was asked for by name and does not work here; the message says what is missing.
    pub fn resolve(self) -> Result<Device> {
        match self {
            Self::Cpu => Ok(Device::Cpu),
            // Without a driver there is no point in opening a library of a gigabyte.
            Self::Auto if !has_driver() => Ok(Device::Cpu),
            Self::Auto => Ok(if open_cuda().is_ok() && Cuda::is_available() { gpu(0) } else { Device::Cpu }),
            Self::Cuda(n) => {
                if let Err(reason) = open_cuda() {
                    bail!(
                        "no CUDA here: {reason}; install the CUDA libraries of the same libtorch (`pip install torch==2.13.0`) and build with LIBTORCH_USE_PYTORCH=1, or use --device cpu"
                    );
                }
                if !Cuda::is_available() {
                    bail!(
                        "no CUDA here: libtorch finds no usable GPU (driver missing or too old); use --device cpu"
                    );
                }
                let count = Cuda::device_count();
                if n as i64 >= count {
                    bail!("no device cuda:{n}: this machine has {count}, numbered from 0");
                }
                Ok(gpu(n))
            }
        }
    }
}

/// A GPU for networks that are called with one shape again and again: cuDNN tries its convolutions at the first call and
/// keeps the fastest.
fn gpu(n: usize) -> Device {
    Cuda::cudnn_set_benchmark(true);
    Device::Cuda(n)
}

/// Moves a tensor of the CPU to `device`; a GPU fetches it from pinned memory while the caller goes on.
pub fn upload(x: &Tensor, device: Device) -> Tensor {
    if device.is_cuda() {
        x.pin_memory(device).to_device_(device, x.kind(), true, false)
    } else {
        x.to_device(device)
    }
}

fn has_driver() -> bool {
    Path::new("/dev/nvidiactl").exists() || Path::new("/dev/dxg").exists()
}

/// Opens libtorch's CUDA half for the rest of the process.
fn open_cuda() -> std::result::Result<(), String> {
    #[expect(
        unsafe_code,
        reason = "opening a library runs its initialisers; this one is part of the libtorch in use"
    )]
    let opened = unsafe { Library::open(Some(CUDA_LIBRARY), RTLD_NOW | RTLD_GLOBAL) };
    // What is missing stands in the error's source.
    let library = opened.map_err(|e| format!("{:#}", anyhow::Error::from(e)))?;
    std::mem::forget(library); // its kernels are registered with libtorch and must stay
    Ok(())
}

/// `--dtype`: what the weights are rounded to, and where libtorch runs the network, what it computes in. The state and all
/// coefficients stay in f32 and f64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Dtype {
    /// 32-bit floats.
    F32,
    /// 16-bit brain floats, about three digits; on a CPU no faster than f32.
    Bf16,
}

impl Dtype {
    /// libtorch's name for it.
    pub fn kind(self) -> Kind {
        match self {
            Self::F32 => Kind::Float,
            Self::Bf16 => Kind::BFloat16,
        }
    }
}

/// Processor and threads, for reports: times mean nothing without them.
pub fn machine(threads: Option<usize>) -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = threads.unwrap_or(cores);
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find(|l| l.starts_with("model name")).and_then(|l| l.split_once(": "));
    let model = model.map_or(std::env::consts::ARCH, |(_, name)| name.trim());
    format!("{model}, {cores} cores, {threads} threads")
}

/// [`machine`], with the device where that is a GPU.
pub fn machine_on(device: Device, threads: Option<usize>) -> String {
    let machine = machine(threads);
    if let Device::Cuda(n) = device { format!("{machine}, cuda:{n}") } else { machine }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gpu_is_part_of_the_machine() {
        let processor = machine(Some(3));
        assert!(processor.ends_with(", 3 threads"), "{processor}");
        assert_eq!(machine_on(Device::Cpu, Some(3)), processor);
        assert_eq!(machine_on(Device::Cuda(1), Some(3)), format!("{processor}, cuda:1"));
    }
}
