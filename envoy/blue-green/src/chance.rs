//! How far a share may be off by chance alone.

/// Which standard deviation is beyond chance. A right share lies farther out once in 150,000 checks, which is a false
/// alarm in 30,000 runs of the demo; yet with 1,000 users 10 % may come out as 5.7 % to 14.3 % and nothing else.
const SIGMAS: f64 = 4.5;

/// By how much the measured share of `users` may differ from `expected`.
///
/// Each user is one draw, since all its requests fall into the same bucket: so the bound is the binomial one over
/// distinct users, however many requests they made. Half a user is added for rounding to whole users. Nobody and
/// everybody are no draws: there nothing may differ.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts of users are far below 2^52")]
pub fn bound(expected: f64, users: usize) -> f64 {
    if expected <= 0.0 || expected >= 1.0 {
        return 0.0;
    }
    let users = users.max(1) as f64;
    SIGMAS * (expected * (1.0 - expected) / users).sqrt() + 0.5 / users
}

/// An explanation, if chance does not explain the measured share.
pub fn check(expected: f64, measured: f64, users: usize) -> Result<(), String> {
    let bound = bound(expected, users);
    if (measured - expected).abs() <= bound {
        return Ok(());
    }
    let [expected, measured, bound] = [expected, measured, bound].map(|share| share * 100.0);
    Err(format!(
        "{measured:.1} % of {users} users instead of {expected:.1} %: chance explains {bound:.1} % at most"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_explains_a_little() {
        assert!(check(0.1, 0.14, 1000).is_ok());
        assert!(check(0.1, 0.06, 1000).is_ok());
        assert!(check(0.5, 0.57, 1000).is_ok());
        assert!(check(0.1, 0.15, 1000).is_err());
        assert!(check(0.1, 0.0, 1000).is_err());
    }

    #[test]
    fn nobody_and_everybody_are_exact() {
        assert!(check(0.0, 0.0, 1000).is_ok());
        assert!(check(1.0, 1.0, 1000).is_ok());
        let error = check(1.0, 0.999, 1000).unwrap_err();
        assert_eq!(error, "99.9 % of 1000 users instead of 100.0 %: chance explains 0.0 % at most");
    }

    #[test]
    fn few_users_prove_little() {
        assert!(check(0.5, 1.0, 4).is_ok());
        assert!(check(0.5, 1.0, 400).is_err());
    }
}
