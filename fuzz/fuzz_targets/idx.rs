//! idx files, gzipped or plain: an error, or exactly as many bytes as the sizes say.

#![no_main]

use fewstep_eval::data::parse_idx;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(array) = parse_idx("fuzz", data) {
        assert_eq!(array.dims.iter().product::<usize>(), array.data.len());
    }
});
