//! What can be asked of a store, and what it answers.

use crate::Column;

/// A question about one column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query {
    /// The row under one key.
    Get {
        /// Where.
        column: Column,
        /// Under which key.
        key: Vec<u8>,
    },
    /// The rows of a half-open range. An empty or inverted range has none.
    Range {
        /// Where.
        column: Column,
        /// The first key that belongs to the range.
        from: Vec<u8>,
        /// The first key past the range; `None` goes to the end of the column.
        to: Option<Vec<u8>>,
        /// At most so many rows, which is also all that bounds the answer: ask little where values are large.
        limit: u32,
        /// Highest key first; the limit then keeps the highest.
        reverse: bool,
    },
}

impl Query {
    /// The row under `key`.
    pub fn get(column: Column, key: impl Into<Vec<u8>>) -> Self {
        Self::Get { column, key: key.into() }
    }

    /// At most `limit` rows from `from` up to, without, `to`.
    pub fn range(column: Column, from: impl Into<Vec<u8>>, to: Option<Vec<u8>>, limit: u32) -> Self {
        Self::Range { column, from: from.into(), to, limit, reverse: false }
    }

    /// At most `limit` rows whose keys begin with `prefix`; the empty prefix is the whole column.
    pub fn prefix(column: Column, prefix: &[u8], limit: u32) -> Self {
        Self::range(column, prefix, end_of_prefix(prefix), limit)
    }

    /// The same question, highest key first. A get stays as it is.
    #[must_use]
    pub fn reversed(self) -> Self {
        match self {
            Self::Range { column, from, to, limit, reverse } => {
                Self::Range { column, from, to, limit, reverse: !reverse }
            }
            get @ Self::Get { .. } => get,
        }
    }

    /// Whether no row can answer: the limit is none, or the range is empty or inverted.
    pub fn is_vacant(&self) -> bool {
        match self {
            Self::Get { .. } => false,
            Self::Range { from, to, limit, .. } => *limit == 0 || to.as_ref().is_some_and(|to| to <= from),
        }
    }

    /// The column asked about.
    pub fn column(&self) -> Column {
        match self {
            Self::Get { column, .. } | Self::Range { column, .. } => *column,
        }
    }
}

/// The answer: keys and values in the order asked for. A get yields none or one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows(pub Vec<(Vec<u8>, Vec<u8>)>);

impl Rows {
    /// The first value, which for a get is the value.
    pub fn into_value(self) -> Option<Vec<u8>> {
        self.0.into_iter().next().map(|(_, value)| value)
    }
}

/// The first key past all keys that begin with `prefix`; none when every later key does.
fn end_of_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|&byte| byte != 0xff)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_where_its_last_raisable_byte_is_raised() {
        assert_eq!(end_of_prefix(b""), None);
        assert_eq!(end_of_prefix(&[0xff, 0xff]), None);
        assert_eq!(end_of_prefix(&[1, 2]), Some(vec![1, 3]));
        assert_eq!(end_of_prefix(&[1, 0xff]), Some(vec![2]));
    }

    #[test]
    fn reversing_twice_is_the_same_question() {
        let query = Query::prefix(Column::Headers, b"h", 7);
        assert_ne!(query.clone().reversed(), query);
        assert_eq!(query.clone().reversed().reversed(), query);
    }
}
