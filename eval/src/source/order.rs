//! The order of file names that people expect: `img2` before `img10`.

use std::cmp::Ordering;

/// Compares names with every run of ASCII digits read as a number, however long. Names that differ only in leading
/// zeros are told apart by their bytes, so that the order is total.
pub(super) fn natural(a: &[u8], b: &[u8]) -> Ordering {
    let (mut rest_a, mut rest_b) = (a, b);
    loop {
        let (Some(x), Some(y)) = (rest_a.first(), rest_b.first()) else {
            return rest_a.len().cmp(&rest_b.len()).then_with(|| a.cmp(b));
        };
        let order = if x.is_ascii_digit() && y.is_ascii_digit() {
            let (left, right) = (number(&mut rest_a), number(&mut rest_b));
            left.len().cmp(&right.len()).then_with(|| left.cmp(right))
        } else {
            let order = rank(*x).cmp(&rank(*y));
            (rest_a, rest_b) = (&rest_a[1..], &rest_b[1..]);
            order
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

/// Takes the digits in front of `rest`; gives them without leading zeros.
fn number<'a>(rest: &mut &'a [u8]) -> &'a [u8] {
    let length = rest.iter().take_while(|c| c.is_ascii_digit()).count();
    let (digits, tail) = rest.split_at(length);
    *rest = tail;
    let zeros = digits.iter().take_while(|c| **c == b'0').count();
    &digits[zeros..]
}

/// A folder's separator comes before every other byte, so that `a/x` stands before `a.png` and `a-b/x`.
fn rank(byte: u8) -> u16 {
    if byte == b'/' { 0 } else { u16::from(byte) + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_count_as_numbers() {
        let mut names =
            ["10.png", "9.png", "a/2.png", "a/10.png", "a.png", "009.png", "b12c3", "b12c20", "b2c3"];
        names.sort_by(|a, b| natural(a.as_bytes(), b.as_bytes()));
        let sorted =
            ["009.png", "9.png", "10.png", "a/2.png", "a/10.png", "a.png", "b2c3", "b12c3", "b12c20"];
        assert_eq!(names, sorted);
    }

    #[test]
    fn it_is_a_total_order() {
        let names: Vec<&[u8]> =
            vec![b"", b"0", b"00", b"1", b"01", b"1a", b"01a", b"a1", b"a01b", b"a1b", b"/"];
        for a in &names {
            for b in &names {
                assert_eq!(natural(a, b), natural(b, a).reverse());
                assert_eq!(natural(a, b) == Ordering::Equal, a == b);
                for c in &names {
                    if natural(a, b).is_lt() && natural(b, c).is_lt() {
                        assert!(natural(a, c).is_lt(), "{a:?} {b:?} {c:?}");
                    }
                }
            }
        }
    }
}
