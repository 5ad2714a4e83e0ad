//! Checkpoints of `torch.save`, in both wrappings: a refusal, or tensors that lie within the bytes.

#![no_main]

use fewstep_eval::pickle;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = pickle::is_checkpoint(data);
    if let Ok(checkpoint) = pickle::read(data)
        && let Ok(tensors) = checkpoint.state_dict()
    {
        for tensor in tensors.values() {
            let count = tensor.shape.iter().product::<usize>();
            assert_eq!(count * (tensor.dtype.bitsize() / 8), tensor.bytes.len());
        }
    }
});
