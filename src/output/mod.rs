//! Everything that a run leaves on disk for a person or another program.

mod files;
mod images;
mod manifest;
mod steps;

pub use files::write_whole;
pub use images::{Picture, read_grey_or_rgb, write_grid};
pub use manifest::Manifest;
pub use steps::steps_svg;
