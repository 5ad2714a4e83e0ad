//! Archives of arrays: whatever the bytes are, an error or an array, and no more memory than there is data.

#![no_main]

use std::io::{Cursor, Read as _};

use fewstep_eval::npy::{Npz, NpyArray};
use libfuzzer_sys::fuzz_target;

const LIMIT: u64 = 1 << 20;

fuzz_target!(|data: &[u8]| {
    if let Ok(array) = NpyArray::read(&mut &data[..], LIMIT) {
        let values = array.to_f64();
        assert!(values.is_err() || values.is_ok_and(|v| v.len() as u64 == array.header().count));
    }
    let Ok(mut npz) = Npz::new("fuzz", Cursor::new(data)) else { return };
    for name in npz.names().into_iter().take(8) {
        if let Ok(mut entry) = npz.entry(&name) {
            let mut start = [0; 64];
            let _ = entry.data.read(&mut start);
        }
        if let Ok(array) = npz.array(&name, LIMIT) {
            let _ = (array.to_f32(), array.to_f64(), array.to_u64(), array.to_text());
        }
    }
});
