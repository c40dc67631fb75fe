//! Spans of time: sorted, apart from each other, half-open.

use domain::time::Timestamp;

pub(super) type Span = (Timestamp, Timestamp);

/// Spans in any order, joined where they touch.
pub(super) fn union(mut spans: Vec<Span>) -> Vec<Span> {
    spans.retain(|(from, to)| from < to);
    spans.sort_unstable();
    let mut joined: Vec<Span> = Vec::with_capacity(spans.len());
    for (from, to) in spans {
        match joined.last_mut() {
            Some((_, end)) if from <= *end => *end = to.max(*end),
            _ => joined.push((from, to)),
        }
    }
    joined
}

/// What is in both.
pub(super) fn intersection(one: &[Span], other: &[Span]) -> Vec<Span> {
    let (mut a, mut b) = (one.iter().peekable(), other.iter().peekable());
    let mut common = Vec::new();
    while let (Some(&&(a_from, a_to)), Some(&&(b_from, b_to))) = (a.peek(), b.peek()) {
        let (from, to) = (a_from.max(b_from), a_to.min(b_to));
        if from < to {
            common.push((from, to));
        }
        if a_to <= b_to {
            a.next();
        } else {
            b.next();
        }
    }
    common
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans(of: &[(i64, i64)]) -> Vec<Span> {
        of.iter().map(|(from, to)| (Timestamp(*from), Timestamp(*to))).collect()
    }

    #[test]
    fn spans_are_joined_and_cut() {
        assert_eq!(union(spans(&[(5, 7), (1, 3), (3, 4), (9, 9), (6, 8)])), spans(&[(1, 4), (5, 8)]));
        let one = spans(&[(0, 10), (20, 30)]);
        assert_eq!(
            intersection(&one, &spans(&[(5, 22), (25, 26), (29, 40)])),
            spans(&[(5, 10), (20, 22), (25, 26), (29, 30)])
        );
        assert_eq!(intersection(&one, &[]), []);
    }
}
