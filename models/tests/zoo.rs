//! Every model that ships loads strictly, is small, and comes with its card.

use fewstep_models::{ModelFolder, zoo};
use tch::{Device, Kind};

#[test]
fn built_in_models_are_whole() {
    assert!(!zoo::BUILTIN.is_empty());
    for builtin in zoo::BUILTIN {
        let folder = ModelFolder::open(builtin.name).unwrap();
        assert!(folder.unknown_keys.is_empty(), "{}: {:?}", builtin.name, folder.unknown_keys);
        folder.load(Device::Cpu, Kind::Float).unwrap();
        assert!(builtin.weights.len() <= 8 << 20, "{} weighs {} bytes", builtin.name, builtin.weights.len());
        for part in ["| data |", "| command |", "| seed |", "| time |", "accuracy"] {
            assert!(builtin.card.contains(part), "the card of {} lacks `{part}`", builtin.name);
        }
    }
}
