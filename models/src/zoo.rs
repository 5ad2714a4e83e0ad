//! Models that ship inside the program, trained by its own `train` command.

/// A built-in model: the same three files as in a folder, and its card.
#[derive(Debug)]
pub struct Builtin {
    /// What the user types.
    pub name: &'static str,
    /// `fewstep.json`.
    pub spec: &'static str,
    /// `unet/config.json`.
    pub config: &'static str,
    /// `unet/diffusion_pytorch_model.fp16.safetensors`.
    pub weights: &'static [u8],
    /// `README.md`: data, command, seed, time, metrics.
    pub card: &'static str,
}

macro_rules! builtin {
    ($name:literal) => {
        Builtin {
            name: $name,
            spec: include_str!(concat!("../zoo/", $name, "/fewstep.json")),
            config: include_str!(concat!("../zoo/", $name, "/unet/config.json")),
            weights: include_bytes!(concat!(
                "../zoo/",
                $name,
                "/unet/diffusion_pytorch_model.fp16.safetensors"
            )),
            card: include_str!(concat!("../zoo/", $name, "/README.md")),
        }
    };
}

/// All of them; one line each.
pub static BUILTIN: &[Builtin] =
    &[builtin!("fmnist-edm"), builtin!("fmnist-flow"), builtin!("fmnist-colour")];

/// The built-in model called `name`.
pub fn find(name: &str) -> Option<&'static Builtin> {
    BUILTIN.iter().find(|b| b.name == name)
}

/// Names of the built-in models.
pub fn names() -> Vec<&'static str> {
    BUILTIN.iter().map(|b| b.name).collect()
}
