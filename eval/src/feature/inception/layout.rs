//! The convolutions of the network: names, sizes and weights, as one list that loading, building and testing share.

/// Smallest variance that the normalisation divides by.
pub(super) const EPSILON: f64 = 0.001;
/// Length of the last feature vector, which the final layer turns into [`CLASSES`] logits.
pub(super) const WIDTH: i64 = 2048;
/// Classes of the 2015 release: 1000 of ImageNet and eight that were never used.
pub(super) const CLASSES: i64 = 1008;

/// A convolution without bias, normalised and rectified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unit {
    /// What its weights are called, `Mixed_6b.branch7x7_2` for instance.
    pub(super) name: String,
    /// Channels in and out.
    pub(super) input: i64,
    pub(super) output: i64,
    /// Height and width of the kernel, and the padding on either side.
    pub(super) kernel: [i64; 2],
    pub(super) padding: [i64; 2],
    pub(super) stride: i64,
}

impl Unit {
    /// Names and shapes of its five weights.
    pub(super) fn weights(&self) -> [(String, Vec<i64>); 5] {
        let [height, width] = self.kernel;
        let channels = |part: &str| (format!("{}.bn.{part}", self.name), vec![self.output]);
        [
            (format!("{}.conv.weight", self.name), vec![self.output, self.input, height, width]),
            channels("weight"),
            channels("bias"),
            channels("running_mean"),
            channels("running_var"),
        ]
    }
}

/// All 94 units, from the image on.
pub(super) fn units() -> Vec<Unit> {
    let mut list = List::default();
    list.halving("Conv2d_1a_3x3", 3, 32);
    list.push("Conv2d_2a_3x3", 32, 32, [3, 3], [0, 0], 1);
    list.same("Conv2d_2b_3x3", 32, 64, [3, 3]);
    list.same("Conv2d_3b_1x1", 64, 80, [1, 1]);
    list.push("Conv2d_4a_3x3", 80, 192, [3, 3], [0, 0], 1);
    list.block_a("Mixed_5b", 192, 32);
    list.block_a("Mixed_5c", 256, 64);
    list.block_a("Mixed_5d", 288, 64);
    list.block_b("Mixed_6a");
    list.block_c("Mixed_6b", 128);
    list.block_c("Mixed_6c", 160);
    list.block_c("Mixed_6d", 160);
    list.block_c("Mixed_6e", 192);
    list.block_d("Mixed_7a");
    list.block_e("Mixed_7b", 1280);
    list.block_e("Mixed_7c", 2048);
    list.0
}

/// Names and shapes of all 472 weights.
pub(super) fn weights() -> Vec<(String, Vec<i64>)> {
    let mut all: Vec<(String, Vec<i64>)> = units().iter().flat_map(Unit::weights).collect();
    all.push(("fc.weight".to_owned(), vec![CLASSES, WIDTH]));
    all.push(("fc.bias".to_owned(), vec![CLASSES]));
    all
}

#[derive(Default)]
struct List(Vec<Unit>);

impl List {
    fn push(
        &mut self,
        name: &str,
        input: i64,
        output: i64,
        kernel: [i64; 2],
        padding: [i64; 2],
        stride: i64,
    ) {
        self.0.push(Unit { name: name.to_owned(), input, output, kernel, padding, stride });
    }

    /// Keeps height and width.
    fn same(&mut self, name: &str, input: i64, output: i64, kernel: [i64; 2]) {
        self.push(name, input, output, kernel, kernel.map(|k| k / 2), 1);
    }

    /// 3x3 at every second place, without padding.
    fn halving(&mut self, name: &str, input: i64, output: i64) {
        self.push(name, input, output, [3, 3], [0, 0], 2);
    }

    /// One branch of units that keep height and width; the first takes `input` channels.
    fn branch(&mut self, block: &str, input: i64, units: &[(&str, i64, [i64; 2])]) -> i64 {
        units.iter().fold(input, |from, (name, to, kernel)| {
            self.same(&format!("{block}.{name}"), from, *to, *kernel);
            *to
        })
    }

    fn block_a(&mut self, block: &str, input: i64, pool: i64) {
        self.branch(block, input, &[("branch1x1", 64, [1, 1])]);
        self.branch(block, input, &[("branch5x5_1", 48, [1, 1]), ("branch5x5_2", 64, [5, 5])]);
        self.branch(
            block,
            input,
            &[("branch3x3dbl_1", 64, [1, 1]), ("branch3x3dbl_2", 96, [3, 3]), ("branch3x3dbl_3", 96, [3, 3])],
        );
        self.branch(block, input, &[("branch_pool", pool, [1, 1])]);
    }

    fn block_b(&mut self, block: &str) {
        self.halving(&format!("{block}.branch3x3"), 288, 384);
        let double = [("branch3x3dbl_1", 64, [1, 1]), ("branch3x3dbl_2", 96, [3, 3])];
        let wide = self.branch(block, 288, &double);
        self.halving(&format!("{block}.branch3x3dbl_3"), wide, 96);
    }

    fn block_c(&mut self, block: &str, c7: i64) {
        self.branch(block, 768, &[("branch1x1", 192, [1, 1])]);
        self.branch(
            block,
            768,
            &[("branch7x7_1", c7, [1, 1]), ("branch7x7_2", c7, [1, 7]), ("branch7x7_3", 192, [7, 1])],
        );
        self.branch(
            block,
            768,
            &[
                ("branch7x7dbl_1", c7, [1, 1]),
                ("branch7x7dbl_2", c7, [7, 1]),
                ("branch7x7dbl_3", c7, [1, 7]),
                ("branch7x7dbl_4", c7, [7, 1]),
                ("branch7x7dbl_5", 192, [1, 7]),
            ],
        );
        self.branch(block, 768, &[("branch_pool", 192, [1, 1])]);
    }

    fn block_d(&mut self, block: &str) {
        let narrow = self.branch(block, 768, &[("branch3x3_1", 192, [1, 1])]);
        self.halving(&format!("{block}.branch3x3_2"), narrow, 320);
        let seven =
            [("branch7x7x3_1", 192, [1, 1]), ("branch7x7x3_2", 192, [1, 7]), ("branch7x7x3_3", 192, [7, 1])];
        let narrow = self.branch(block, 768, &seven);
        self.halving(&format!("{block}.branch7x7x3_4"), narrow, 192);
    }

    fn block_e(&mut self, block: &str, input: i64) {
        self.branch(block, input, &[("branch1x1", 320, [1, 1])]);
        let narrow = self.branch(block, input, &[("branch3x3_1", 384, [1, 1])]);
        self.branch(block, narrow, &[("branch3x3_2a", 384, [1, 3])]);
        self.branch(block, narrow, &[("branch3x3_2b", 384, [3, 1])]);
        let double = [("branch3x3dbl_1", 448, [1, 1]), ("branch3x3dbl_2", 384, [3, 3])];
        let narrow = self.branch(block, input, &double);
        self.branch(block, narrow, &[("branch3x3dbl_3a", 384, [1, 3])]);
        self.branch(block, narrow, &[("branch3x3dbl_3b", 384, [3, 1])]);
        self.branch(block, input, &[("branch_pool", 192, [1, 1])]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_those_of_the_published_file() {
        let (units, weights) = (units(), weights());
        let product = |shape: &Vec<i64>| shape.iter().product::<i64>();
        assert_eq!((units.len(), weights.len()), (94, 472));
        assert_eq!(weights.iter().map(|(_, shape)| product(shape)).sum::<i64>(), 23_885_392);
        let kernels = weights.iter().filter(|(name, _)| name.ends_with("conv.weight"));
        assert_eq!(kernels.map(|(_, shape)| product(shape)).sum::<i64>(), 21_751_136);
    }
}
