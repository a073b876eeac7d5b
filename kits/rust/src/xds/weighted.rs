//! One of several by chance, each as often as its weight says.

/// The place of one of them; none where no weight is above zero.
pub fn choose(weights: impl Iterator<Item = u32> + Clone) -> Option<usize> {
    let total: u32 = weights.clone().sum();
    let mut place = rand::random::<f64>() * f64::from(total);
    weights.into_iter().position(|weight| {
        place -= f64::from(weight);
        place < 0.0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_weight_is_never_chosen() {
        assert!((0..1000).all(|_| choose([0, 3, 0].into_iter()) == Some(1)));
        assert_eq!(choose([0, 0].into_iter()), None);
        assert_eq!(choose(std::iter::empty()), None);
    }
}
