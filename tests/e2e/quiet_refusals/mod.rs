//! Quiet refusals look alike to who asks, in messages, sizes and times: blocked, refused quietly, *later* and no answer
//! ([`silence`]); hidden, offline and unknown ([`absence`]).
//!
//! 10,000 trials each, compared by Kolmogorov and Smirnov's distance, for everything that the asker's link brings. The
//! bound is one that two samples of the same kind are above with a probability of 10⁻⁸, whatever their distribution;
//! with the comparisons made here a false alarm is less likely than 10⁻⁶. Each comparison is also made with a leak put
//! in, which it must find.

mod absence;
mod silence;

/// Trials of each kind.
const TRIALS: usize = 10_000;

/// The largest distance between the distribution functions of two samples.
fn distance(a: &[f64], b: &[f64]) -> f64 {
    let sorted = |sample: &[f64]| {
        let mut sample = sample.to_vec();
        sample.sort_unstable_by(f64::total_cmp);
        sample
    };
    let (a, b) = (sorted(a), sorted(b));
    let share = |sample: &[f64], up_to: f64| {
        sample.partition_point(|value| *value <= up_to) as f64 / sample.len() as f64
    };
    a.iter().chain(&b).map(|value| (share(&a, *value) - share(&b, *value)).abs()).fold(0.0, f64::max)
}

/// The distance that two samples of one distribution, of these sizes, are above with a probability of 10⁻⁸ at most; less
/// where values repeat.
fn bound(a: usize, b: usize) -> f64 {
    let (a, b) = (a as f64, b as f64);
    ((2.0_f64 / 1e-8).ln() / 2.0 * (a + b) / (a * b)).sqrt()
}

#[test]
fn the_distance_is_kolmogorov_s() {
    let (low, high) = ([1.0, 2.0, 3.0, 4.0], [3.0, 4.0, 5.0, 6.0]);
    assert!((distance(&low, &high) - 0.5).abs() < 1e-12);
    assert!(distance(&low, &[4.0, 3.0, 2.0, 1.0]) < 1e-12);
    assert!((distance(&[1.0], &[2.0]) - 1.0).abs() < 1e-12);
    assert!((bound(10_000, 10_000) - 0.0437).abs() < 1e-4);
}
