//! Checkpoints of `torch.save`: both wrappings, and everything hostile that one can write into them.

use crate::common::Lcg;
use fewstep_eval::pickle::{Refusal, StoredTensor, is_checkpoint, read};
use safetensors::Dtype;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;

/// A little assembler of pickles.
#[derive(Default, Clone)]
struct Pickle(Vec<u8>);

impl Pickle {
    fn new() -> Self {
        Self(vec![0x80, 2])
    }
    fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }
    fn text(self, text: &str) -> Self {
        self.raw(b"X").raw(&(text.len() as u32).to_le_bytes()).raw(text.as_bytes())
    }
    fn int(self, n: i64) -> Self {
        self.raw(&[0x8a, 8]).raw(&n.to_le_bytes())
    }
    fn ints(self, values: &[i64]) -> Self {
        values.iter().fold(self.raw(b"("), |p, n| p.int(*n)).raw(b"t")
    }
    fn global(self, module: &str, name: &str) -> Self {
        self.raw(format!("c{module}\n{name}\n").as_bytes())
    }
    fn storage(self, kind: &str, key: &str, count: i64) -> Self {
        let id = self.raw(b"(").text("storage").global("torch", kind).text(key).text("cpu").int(count);
        id.raw(b"NtQ")
    }
    /// A tensor over storage `key` of `count` f32.
    fn tensor(self, key: &str, count: i64, offset: i64, shape: &[i64], stride: &[i64]) -> Self {
        let call = self.global("torch._utils", "_rebuild_tensor_v2").raw(b"(");
        let call = call.storage("FloatStorage", key, count).int(offset).ints(shape).ints(stride);
        call.raw(&[0x89]).global("collections", "OrderedDict").raw(b")RtR")
    }
    fn end(self) -> Vec<u8> {
        self.raw(b".").0
    }
}

/// The old wrapping around an object, with storages of f32.
fn legacy(object: &[u8], storages: &[(&str, &[f32])]) -> Vec<u8> {
    let magic = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
    let mut file = Pickle::new().raw(&[0x8a, 10]).raw(&magic).end();
    file.extend(Pickle::new().int(1001).end());
    let machine = Pickle::new().raw(b"}(").text("little_endian").raw(&[0x88]).raw(b"u");
    file.extend(machine.end());
    file.extend(object);
    let keys = storages.iter().fold(Pickle::new().raw(b"]("), |p, (key, _)| p.text(key));
    file.extend(keys.raw(b"e").end());
    for (_, values) in storages {
        file.extend((values.len() as u64).to_le_bytes());
        file.extend(values.iter().flat_map(|v| v.to_le_bytes()));
    }
    file
}

/// The new wrapping.
fn archive(entries: &[(&str, &[u8])], method: zip::CompressionMethod) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().compression_method(method);
    for (name, bytes) in entries {
        writer.start_file(*name, options).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// `{"a": [2, 2] of storage 0 from 1, "b": scalar of storage 1}` with attributes, as `state_dict` saves them.
fn weights() -> Pickle {
    let dict = Pickle::new().global("collections", "OrderedDict").raw(b")Rq\x00(");
    let dict = dict.text("a").tensor("0", 5, 1, &[2, 2], &[2, 1]);
    let dict = dict.text("b").tensor("1", 1, 0, &[], &[]).raw(b"u");
    dict.raw(b"}q\x01(").text("_metadata").global("collections", "OrderedDict").raw(b")Rub")
}

const A: [f32; 5] = [0.0, 1.0, 2.0, 3.0, 4.0];
const B: [f32; 1] = [7.5];

fn bytes_of(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

fn whole() -> Vec<u8> {
    legacy(&weights().end(), &[("1", &B), ("0", &A)])
}

fn refusal(bytes: &[u8]) -> String {
    match read(bytes).and_then(|c| c.state_dict().map(|_| ())) {
        Err(refusal) => refusal.to_string(),
        Ok(()) => panic!("accepted"),
    }
}

/// The refusal of an object in the old wrapping, with the storage "0" there.
fn refused(object: Pickle) -> String {
    refusal(&legacy(&object.end(), &[("0", &A)]))
}

/// The refusal of an object without storages in the old wrapping.
fn bare(object: Pickle) -> String {
    refusal(&legacy(&object.end(), &[]))
}

#[test]
fn both_wrappings_give_the_tensors() {
    let pickle = weights().end();
    let (a, b) = (bytes_of(&A), bytes_of(&B));
    let entries: [(&str, &[u8]); 5] = [
        ("x/data.pkl", &pickle),
        ("x/byteorder", b"little"),
        ("x/data/0", &a),
        ("x/data/1", &b),
        ("x/version", b"3\n"),
    ];
    for file in [whole(), archive(&entries, zip::CompressionMethod::Stored)] {
        assert!(is_checkpoint(&file));
        let tensors = read(&file).unwrap().state_dict().unwrap();
        let tensor =
            |shape: &[usize], bytes| StoredTensor { dtype: Dtype::F32, shape: shape.to_vec(), bytes };
        let want = BTreeMap::from([("a", tensor(&[2, 2], &a[4..])), ("b", tensor(&[], &b))]);
        assert_eq!(tensors, want);
    }
    let compressed = archive(&entries, zip::CompressionMethod::Deflated);
    assert!(refusal(&compressed).contains("is compressed or encrypted"));
    assert!(
        refusal(&archive(&entries[1..], zip::CompressionMethod::Stored)).contains("not one of `torch.save`")
    );
    assert!(
        refusal(&archive(&entries[..3], zip::CompressionMethod::Stored)).contains("storage `1` is missing")
    );
    let mut big = entries;
    big[1].1 = b"big";
    assert!(refusal(&archive(&big, zip::CompressionMethod::Stored)).contains("big-endian"));
    let mut long = entries;
    long[3].1 = &a;
    let message = refusal(&archive(&long, zip::CompressionMethod::Stored));
    assert_eq!(message, "storage `1` has 20 bytes, expected 1 numbers of type F32");
    assert!(!is_checkpoint(
        &safetensors::serialize(Vec::<(String, safetensors::tensor::TensorView<'_>)>::new(), None).unwrap()
    ));
}

/// Name, shape, and type with bytes.
type Want<'a> = (&'a str, &'a [usize], (Dtype, Vec<u8>));

#[test]
fn what_torch_wrote_is_read() {
    let f32s =
        |values: &[f32]| (Dtype::F32, values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>());
    let want: [Want<'_>; 13] = [
        ("bias", &[2], f32s(&[0.0, 0.0])),
        ("first", &[2, 3], f32s(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0])),
        ("num_batches_tracked", &[], (Dtype::I64, vec![0; 8])),
        ("parameter", &[2], f32s(&[0.5, -0.5])),
        ("running_mean", &[2], f32s(&[0.0, 0.0])),
        ("running_var", &[2], f32s(&[1.0, 1.0])),
        ("second", &[6], f32s(&[6.0, 7.0, 8.0, 9.0, 10.0, 11.0])),
        ("torch.bfloat16", &[3], (Dtype::BF16, vec![0, 0, 0x80, 0x3f, 0x80, 0x3f])),
        ("torch.bool", &[3], (Dtype::BOOL, vec![0, 1, 1])),
        ("torch.float16", &[3], (Dtype::F16, vec![0, 0, 0, 0x3c, 0, 0x3c])),
        (
            "torch.float64",
            &[3],
            (Dtype::F64, [0.0_f64, 1.0, 1.0].iter().flat_map(|v| v.to_le_bytes()).collect()),
        ),
        ("torch.int8", &[3], (Dtype::I8, vec![0, 1, 1])),
        ("weight", &[2], f32s(&[1.0, 1.0])),
    ];
    for name in ["archive", "legacy", "legacy4"] {
        let path = format!("{}/tests/fixtures/pickle/{name}.pth", env!("CARGO_MANIFEST_DIR"));
        let file = std::fs::read(path).unwrap();
        let tensors = read(&file).unwrap().state_dict().unwrap();
        assert_eq!(tensors.len(), want.len());
        for ((name, tensor), (wanted, shape, (dtype, bytes))) in tensors.into_iter().zip(&want) {
            assert_eq!(
                (name, &tensor.shape[..], tensor.dtype, tensor.bytes),
                (*wanted, *shape, *dtype, &bytes[..])
            );
        }
    }
}

#[test]
fn other_spellings_of_the_same_are_read() {
    // Protocol 4: frames, short texts, memo by order, globals from the stack. A parameter around the tensor; f16.
    let mut pickle = Pickle(vec![0x80, 4, 0x95]).raw(&100_u64.to_le_bytes()).raw(b"}\x94");
    pickle = pickle.raw(b"\x8c\x01w\x94\x8c\x0ctorch._utils\x94\x8c\x12_rebuild_parameter\x94\x93(");
    pickle = pickle.raw(b"h\x02\x8c\x12_rebuild_tensor_v2\x93(").storage("HalfStorage", "0", 2);
    pickle = pickle.raw(b"K\x00K\x02\x85K\x01\x85\x89}tR\x88}tRs");
    let magic = legacy(&pickle.end(), &[]);
    // The list of keys is empty there: put the real end on.
    let mut file = magic[..magic.len() - Pickle::new().raw(b"](e").end().len()].to_vec();
    file.extend(Pickle::new().raw(b"]").text("0").raw(b"a").end());
    file.extend(2_u64.to_le_bytes());
    file.extend([0, 0x3c, 0, 0x40]);
    let tensors = read(&file).unwrap().state_dict().unwrap();
    assert_eq!(tensors["w"], StoredTensor { dtype: Dtype::F16, shape: vec![2], bytes: &[0, 0x3c, 0, 0x40] });
    // Python 2 hands an ordered dictionary its entries.
    let pairs = Pickle::new().global("collections", "OrderedDict").raw(b"](").raw(b"(").text("a");
    let object = pairs.tensor("0", 5, 0, &[5], &[1]).raw(b"te\x85R");
    let file = legacy(&object.end(), &[("0", &A)]);
    assert_eq!(read(&file).unwrap().state_dict().unwrap()["a"].bytes, bytes_of(&A));
}

#[test]
fn foreign_functions_are_refused_by_name() {
    let call = |module, name| refused(Pickle::new().global(module, name).text("true").raw(b"\x85R"));
    for (module, name) in
        [("os", "system"), ("builtins", "eval"), ("torch", "load"), ("torch._utils", "_rebuild_tensor")]
    {
        let want = format!(
            "its pickle refers to `{module}.{name}`, which weights have no need of; nothing was executed"
        );
        assert_eq!(call(module, name), want);
    }
    // By way of the stack, with a name made to confuse a terminal.
    let stack = Pickle::new().text("posix").text("sys\u{1b}[2J").raw(&[0x93]);
    assert!(refused(stack).contains("`posix.sys\\u{1b}[2J`"));
    // NEWOBJ, INST, OBJ, EXT1, text persistent id.
    for opcode in [0x81, b'i', b'o', 0x82, b'P'] {
        assert!(refused(Pickle::new().raw(&[opcode])).contains(&format!("opcode 0x{opcode:02x}")));
    }
    // Known functions, unknown uses.
    assert!(refused(Pickle::new().text("a").raw(b")R")).contains("calls a text with 0 arguments"));
    assert!(refused(Pickle::new().global("torch", "FloatStorage").raw(b")R")).contains("calls a function"));
    let build = Pickle::new().global("torch", "FloatStorage").raw(b"}b");
    assert!(refused(build).contains("sets attributes of a function"));
}

#[test]
fn tensors_stay_within_their_storage() {
    let of = |count, offset, shape: &[i64], stride: &[i64]| {
        refused(Pickle::new().raw(b"}").text("a").tensor("0", count, offset, shape, stride).raw(b"s"))
    };
    let beyond = "a tensor of storage `0` reaches beyond it";
    assert_eq!(of(5, 0, &[6], &[1]), beyond);
    assert_eq!(of(5, 4, &[2], &[1]), beyond);
    assert_eq!(of(5, i64::MAX, &[2], &[1]), beyond);
    assert_eq!(of(5, 0, &[1 << 40, 1 << 40], &[1, 1]), beyond);
    assert_eq!(of(5, 0, &[i64::MAX, 2, 4], &[1, 1, 1]), beyond);
    let order = "is not stored row by row";
    for stride in [[1, 2], [0, 0], [2, 0], [1 << 62, 1], [3, 1]] {
        assert!(of(5, 0, &[2, 2], &stride).contains(order));
    }
    assert!(of(5, 0, &[2, 2], &[1]).contains(order));
    // None of these is any, whatever else it claims.
    let none =
        Pickle::new().raw(b"}").text("a").tensor("0", 5, 0, &[i64::MAX, 0, i64::MAX], &[1, 1, 1]).raw(b"s");
    let file = legacy(&none.end(), &[("0", &A)]);
    assert_eq!(read(&file).unwrap().state_dict().unwrap()["a"].bytes, b"");
    assert_eq!(of(5, -1, &[2], &[1]), "its pickle has -1 in place of a count");
    // What the pickle says of the storage must be what is there.
    assert!(of(6, 0, &[6], &[1]).contains("storage `0` has 5 numbers, expected 6"));
    assert!(of(1 << 62, 0, &[1], &[1]).contains("expected 4611686018427387904"));
    let other = weights().end();
    assert!(refusal(&legacy(&other, &[("0", &A)])).contains("storage `1` is missing"));
    assert!(refusal(&legacy(&other, &[("9", &A)])).contains("no tensor uses storage `9`"));
    let two =
        Pickle::new().raw(b"(").storage("FloatStorage", "0", 5).storage("HalfStorage", "0", 5).raw(b"t");
    assert!(refused(two).contains("described in two ways"));
}

#[test]
fn other_objects_are_named() {
    assert!(bare(Pickle::new().raw(b"N")).contains("holds None, expected a dictionary"));
    assert!(bare(Pickle::new().raw(b"}K\x01Ns")).contains("an integer serves as a name"));
    assert!(bare(Pickle::new().raw(b"}").text("epoch").raw(b"K\x01s")).contains("`epoch` is an integer"));
    let twice = Pickle::new().raw(b"}").text("a").tensor("0", 5, 0, &[5], &[1]);
    let twice = twice.raw(b"s").text("a").tensor("0", 5, 0, &[5], &[1]).raw(b"s");
    assert!(refused(twice).contains("`a` occurs twice"));
    // A dictionary within itself: nothing recurses.
    assert!(bare(Pickle::new().raw(b"}q\x00").text("a").raw(b"h\x00s")).contains("`a` is a dictionary"));
    assert!(refusal(&Pickle::new().raw(b"N").end()).contains("not one of `torch.save`"));
}

#[test]
fn bombs_are_bounded() {
    // Deep: a tuple in a tuple in a tuple, half a million times; it is built, recognised and dropped without recursion.
    assert!(bare(Pickle::new().raw(b"N").raw(&[0x85].repeat(500_000))).contains("holds a tuple"));
    // Wide: a list that doubles itself through the memo. Sixty times would be 2^60 entries if anybody counted them.
    let mut bomb = Pickle::new().raw(b"]q\x00");
    for level in 1..60 {
        bomb = bomb.raw(&[b'(', b'h', level - 1, b'h', level - 1, b't', b'q', level]);
    }
    assert!(bare(bomb).contains("holds a tuple"));
    let many = |bytes: &[u8], count: usize| refused(Pickle::new().raw(&bytes.repeat(count)));
    assert!(many(b"N", 1 << 21).contains("more objects than"));
    assert!(many(b"(", 1 << 21).contains("more marks than"));
    assert!(many(b"]0", 1).contains("opcode 0x30"));
    let recalled = Pickle::new().raw(b"Nq\x00").raw(&b"h\x00".repeat(1 << 21));
    assert!(refused(recalled).contains("more objects on its stack"));
    let memo: Vec<u8> =
        (0..(1 << 21)).flat_map(|n: u32| [vec![b'r'], n.to_le_bytes().to_vec()].concat()).collect();
    assert!(refused(Pickle::new().raw(b"N").raw(&memo)).contains("more memo entries"));
    let idle = Pickle::new().raw(&[0x80, 2].repeat(1 << 24));
    assert!(refused(idle).contains("more steps than"));
    // What is kept once and copied often.
    let pairs = b"NN\x86".repeat(100_000);
    let list = Pickle::new().raw(b"](").raw(&pairs).raw(b"e\x85q\x00").global("collections", "OrderedDict");
    let copies = list.raw(b"q\x01h\x00R").raw(&b"h\x01h\x00R".repeat(11));
    assert!(refused(copies).contains("more entries than"));
    let flat = refused(Pickle::new().raw(b"}").text("a").tensor("0", 5, 0, &[1; 9], &[1; 9]).raw(b"s"));
    assert!(flat.contains("more dimensions than"));
    // Names that would fill a terminal, or steer it.
    let message = bare(Pickle::new().raw(b"}").text(&"\u{1b}[2J".repeat(1000)).raw(b"Ns"));
    assert!(message.len() < 300 && !message.contains('\u{1b}'), "{message}");
    let storage = |key| refused(Pickle::new().storage("FloatStorage", key, 5));
    assert_eq!(storage("\u{1b}[2J"), storage(&"1".repeat(41)));
    // Lengths that promise more than there is.
    for huge in [
        &b"X\xff\xff\xff\xff"[..],
        b"\x8d\xff\xff\xff\xff\xff\xff\xff\xff",
        b"T\xff\xff\xff\x7f",
        b"\x8a\xff",
    ] {
        assert!(refusal(&legacy(&Pickle::new().raw(huge).0, &[])).contains("cut short"));
    }
    let line = format!("c{}\n", "a".repeat(1000));
    assert!(refused(Pickle::new().raw(line.as_bytes())).contains("cut short"));
    for poor in [
        &b"t"[..],
        b"a",
        b"s",
        b"R",
        b"(R",
        b"b",
        b"\x87",
        b"q\x00",
        b"h\x05",
        b"}(Nu",
        b"Na",
        b"NNNs",
        b"Q",
        b"NQ",
    ] {
        assert!(!refused(Pickle::new().raw(poor)).is_empty());
    }
}

/// Whether a reader that got through holds to its word: all bytes handed out lie within the input.
fn check(bytes: &[u8]) -> Result<(), Refusal> {
    let checkpoint = read(bytes)?;
    for tensor in checkpoint.state_dict()?.values() {
        let numbers = tensor.shape.iter().fold(1_usize, |n, size| n.wrapping_mul(*size));
        assert_eq!(numbers * tensor.dtype.bitsize() / 8, tensor.bytes.len());
        assert!(tensor.bytes.is_empty() || bytes.as_ptr_range().contains(&tensor.bytes.as_ptr()));
    }
    Ok(())
}

#[test]
fn every_prefix_and_thousands_of_mutations_are_survived() {
    let pickle = weights().end();
    let (a, b) = (bytes_of(&A), bytes_of(&B));
    let entries: [(&str, &[u8]); 3] = [("x/data.pkl", &pickle), ("x/data/0", &a), ("x/data/1", &b)];
    let mut rng = Lcg(5);
    let mut outcomes: BTreeMap<String, u32> = BTreeMap::new();
    for file in [whole(), archive(&entries, zip::CompressionMethod::Stored)] {
        for end in 0..file.len() {
            let refusal = check(&file[..end]).unwrap_err().to_string();
            assert!(!refusal.is_empty());
        }
        for _ in 0..20_000 {
            let mut file = file.clone();
            for _ in 0..=(3.0 * rng.uniform()) as usize {
                let at = (file.len() as f64 * rng.uniform()) as usize;
                match (4.0 * rng.uniform()) as usize {
                    0 => file[at] ^= 1 << ((8.0 * rng.uniform()) as u32),
                    1 => file[at] = (256.0 * rng.uniform()) as u8,
                    2 => _ = file.remove(at),
                    _ => {
                        let piece = file[at..(at + 12).min(file.len())].to_vec();
                        let to = (file.len() as f64 * rng.uniform()) as usize;
                        file.splice(to..to, piece);
                    }
                }
            }
            let outcome = check(&file).map_or_else(|refusal| refusal.to_string(), |()| "read".to_owned());
            *outcomes.entry(outcome.chars().take(20).collect()).or_default() += 1;
        }
    }
    // The mutations reached more than the front door.
    let mut seen = String::new();
    for (outcome, count) in &outcomes {
        let _ = writeln!(seen, "{count:6} {outcome}");
    }
    assert!(outcomes.len() > 15 && outcomes.contains_key("read"), "{seen}");
}
