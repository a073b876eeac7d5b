//! The tax on some lines, rounded so that what is shown adds up.

use crate::rates::Rate;

/// What is rounded to the smallest unit, half a unit up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounding {
    /// The tax of each line.
    Line,
    /// The tax on all lines of one rate together. Each line gets its own without the fraction, and one unit more those
    /// whose fraction is greatest; of equal ones, the first.
    Order,
}

/// A price without tax, in smallest units, and the rate that it is taxed at.
#[derive(Debug, Clone, Copy)]
pub struct Taxed {
    /// The price, in smallest units.
    pub net: i64,
    /// What it is taxed at.
    pub rate: Rate,
}

/// Thousandths of a percent in the whole.
const WHOLE: i128 = Rate::WHOLE.0 as i128;

/// Gives the tax of each line in smallest units, in the order of the lines.
///
/// What a line's price is is limited by [`crate::amount::MOST_UNITS`], so that nothing overflows.
#[must_use]
pub fn taxes(lines: &[Taxed], rounding: Rounding) -> Vec<i64> {
    match rounding {
        Rounding::Line => lines.iter().map(|line| rounded(exact(line))).collect(),
        Rounding::Order => shared_out(lines),
    }
}

fn shared_out(lines: &[Taxed]) -> Vec<i64> {
    let mut taxes: Vec<i64> = lines.iter().map(|line| whole(exact(line))).collect();
    let mut rates: Vec<Rate> = lines.iter().map(|line| line.rate).collect();
    rates.sort_unstable();
    rates.dedup();
    for rate in rates {
        let mut places: Vec<usize> = (0..lines.len()).filter(|&place| lines[place].rate == rate).collect();
        let total = rounded(places.iter().map(|&place| exact(&lines[place])).sum());
        let given: i64 = places.iter().map(|&place| taxes[place]).sum();
        let left = usize::try_from(total - given).expect("what is left of fractions is no debt");
        places.sort_by_key(|&place| std::cmp::Reverse(exact(&lines[place]) % WHOLE)); // stable: the first of equals
        for &place in &places[..left] {
            taxes[place] += 1;
        }
    }
    taxes
}

/// Hundred-thousandths of the smallest unit.
fn exact(line: &Taxed) -> i128 {
    i128::from(line.net) * i128::from(line.rate.0)
}

fn whole(exact: i128) -> i64 {
    i64::try_from(exact / WHOLE).expect("a tax is at most as much as the price")
}

fn rounded(exact: i128) -> i64 {
    whole(exact + WHOLE / 2)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(rate: u32, nets: &[i64]) -> Vec<Taxed> {
        nets.iter().map(|&net| Taxed { net, rate: Rate(rate) }).collect()
    }

    #[test]
    fn half_a_unit_goes_up() {
        assert_eq!(taxes(&at(5_000, &[10, 9, 30]), Rounding::Line), [1, 0, 2]); // 0.5, 0.45, 1.5
    }

    #[test]
    fn an_order_is_rounded_once_and_shared_out() {
        let lines = at(7_000, &[7, 7, 7]); // 0.49 each: by line nothing, together 1.47
        assert_eq!(taxes(&lines, Rounding::Line), [0, 0, 0]);
        assert_eq!(taxes(&lines, Rounding::Order), [1, 0, 0]);
    }

    #[test]
    fn the_greatest_fraction_gets_the_unit() {
        assert_eq!(taxes(&at(10_000, &[11, 19, 14]), Rounding::Order), [1, 2, 1]); // 1.1, 1.9, 1.4: together 4.4
    }

    #[test]
    fn each_rate_is_rounded_apart() {
        let lines = [at(20_000, &[2]), at(10_000, &[4])].concat(); // 0.4 and 0.4
        assert_eq!(taxes(&lines, Rounding::Order), [0, 0]);
    }

    fn any_lines() -> impl Strategy<Value = Vec<Taxed>> {
        let rate = prop_oneof![Just(0), Just(2_100), Just(6_625), Just(20_000), 0..=100_000_u32];
        let net = prop_oneof![0..200_i64, 0..=1_000_000_000_000_i64];
        prop::collection::vec((net, rate).prop_map(|(net, rate)| Taxed { net, rate: Rate(rate) }), 1..100)
    }

    proptest! {
        /// By line each tax is the nearest to the exact one. By order the sum of each rate is.
        #[test]
        fn what_is_rounded_is_nearest(lines in any_lines()) {
            for (line, tax) in lines.iter().zip(taxes(&lines, Rounding::Line)) {
                prop_assert!((exact(line) - i128::from(tax) * WHOLE).abs() * 2 <= WHOLE);
            }
            let shared = taxes(&lines, Rounding::Order);
            for rate in lines.iter().map(|line| line.rate) {
                let of_rate = || lines.iter().zip(&shared).filter(|(line, _)| line.rate == rate);
                let wanted: i128 = of_rate().map(|(line, _)| exact(line)).sum();
                let given: i128 = of_rate().map(|(_, tax)| i128::from(*tax) * WHOLE).sum();
                prop_assert!((wanted - given).abs() * 2 <= WHOLE);
            }
        }

        /// Nobody pays for another: what is shared out differs from a line's own tax by less than one unit.
        #[test]
        fn what_is_shared_out_is_less_than_a_unit_away(lines in any_lines()) {
            for (line, tax) in lines.iter().zip(taxes(&lines, Rounding::Order)) {
                prop_assert!((exact(line) - i128::from(tax) * WHOLE).abs() < WHOLE);
            }
        }

        /// How much is due does not depend on which line is named first.
        #[test]
        fn the_order_of_lines_changes_no_sum(lines in any_lines(), turn in 0..100_usize) {
            let mut turned = lines.clone();
            turned.rotate_left(turn % lines.len());
            for rounding in [Rounding::Line, Rounding::Order] {
                let sum = |lines: &[Taxed]| taxes(lines, rounding).iter().sum::<i64>();
                prop_assert_eq!(sum(&lines), sum(&turned));
            }
        }
    }
}
