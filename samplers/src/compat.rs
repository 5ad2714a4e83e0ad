//! Plans that repeat what other libraries do, their faults included.
//!
//! For those who move over: the same pictures first, then the difference that a proper solver makes.

pub mod diffusers;
