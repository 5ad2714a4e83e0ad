//! `fewstep.json` and `unet/config.json`, a zero byte between them: a refusal in printable text, or values within the bounds
//! that are promised.

#![no_main]

use fewstep_models::{ModelSpec, Result, UNet2dConfig};
use libfuzzer_sys::fuzz_target;

/// Of control characters a message holds line breaks alone.
fn read<T>(result: Result<T>) -> Option<T> {
    result.inspect_err(|e| assert!(!e.to_string().contains(|c: char| c.is_control() && c != '\n'))).ok()
}

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (spec, config) = text.split_once('\0').unwrap_or((text, text));
    let spec = read(ModelSpec::from_json("fuzz", spec));
    let config = read(UNet2dConfig::from_json("fuzz", config));
    if let Some(spec) = &spec {
        assert!(spec.shape.iter().all(|&n| n > 0) && spec.shape.iter().product::<i64>() <= 1 << 26);
        assert!(spec.class_names.is_empty() || spec.classes == Some(spec.class_names.len() as i64));
        let (t_min, t_max) = spec.sample_path.range();
        for t in [t_min, t_max] {
            let _ = spec.x0_of_raw(&spec.sample_path.node(t));
        }
    }
    if let Some((config, unknown)) = &config {
        assert!(!unknown.concat().contains(char::is_control));
        let again = UNet2dConfig::from_json("fuzz", &config.to_json().to_string());
        assert!(again.is_ok_and(|(again, unknown)| again == *config && unknown.is_empty()));
    }
    if let (Some(spec), Some((config, _))) = (&spec, &config) {
        let _ = spec.fits(config);
    }
});
