//! Questions in the browser's terms, and what it gives in ours.

use indexed_db_futures::KeyRange;
use indexed_db_futures::cursor::{BaseCursor, CursorDirection};
use indexed_db_futures::error::Error;
use indexed_db_futures::future::{BasicRequest, GetAllPrimitiveRequest};
use indexed_db_futures::object_store::ObjectStore;
use indexed_db_futures::prelude::*;
use js_sys::{ArrayBuffer, Uint8Array};
use tabchain_records::{Query, Rows, StoreError};
use wasm_bindgen::{JsCast, JsValue};

use super::refused;

/// What was asked of the browser for one question. Once the transaction is complete every part of it is there.
pub(super) enum Read {
    Value { key: Vec<u8>, value: BasicRequest<Option<JsValue>> },
    Rows { keys: GetAllPrimitiveRequest<JsValue>, values: GetAllPrimitiveRequest<JsValue>, reverse: bool },
    Nothing,
}

impl Read {
    /// Asks; only the highest rows take turns of the browser of their own.
    pub(super) async fn begin(table: &ObjectStore<'_>, query: &Query) -> Result<Self, StoreError> {
        match query {
            Query::Get { key, .. } => {
                let value = table.get(binary(key)).primitive().map_err(refused)?;
                Ok(Self::Value { key: key.clone(), value })
            }
            Query::Range { from, to, limit, reverse: false, .. } => {
                Self::range(table, key_range(from, to.as_deref()), *limit, false)
            }
            Query::Range { from, to, limit, reverse: true, .. } => {
                match lowest_of_highest(table, from, to.as_deref(), *limit).await? {
                    Some(lowest) => Self::range(table, key_range(&lowest, to.as_deref()), *limit, true),
                    None => Ok(Self::Nothing),
                }
            }
        }
    }

    fn range(
        table: &ObjectStore<'_>,
        range: KeyRange<JsValue>,
        limit: u32,
        reverse: bool,
    ) -> Result<Self, StoreError> {
        let keys = table.get_all_keys().with_query::<JsValue, _>(range.clone()).with_limit(limit).primitive();
        let values = table.get_all().with_query::<JsValue, _>(range).with_limit(limit).primitive();
        Ok(Self::Rows { keys: keys.map_err(refused)?, values: values.map_err(refused)?, reverse })
    }

    /// What the browser gave.
    pub(super) async fn rows(self) -> Result<Rows, StoreError> {
        match self {
            Self::Value { key, value } => {
                let row = value.await.map_err(refused)?.map(|value| Ok((key, value_bytes(value)?)));
                Ok(Rows(row.transpose()?.into_iter().collect()))
            }
            Self::Rows { keys, values, reverse } => {
                let (keys, values) = (keys.await.map_err(refused)?, values.await.map_err(refused)?);
                let row = |(key, value): (Result<JsValue, Error>, Result<JsValue, Error>)| {
                    Ok((key_bytes(key.map_err(refused)?)?, value_bytes(value.map_err(refused)?)?))
                };
                let mut rows = keys.zip(values).map(row).collect::<Result<Vec<_>, StoreError>>()?;
                if reverse {
                    rows.reverse();
                }
                Ok(Rows(rows))
            }
            Self::Nothing => Ok(Rows::default()),
        }
    }
}

/// A key cursor finds the lowest key of the highest rows, in two steps however many they are.
async fn lowest_of_highest(
    table: &ObjectStore<'_>,
    from: &[u8],
    to: Option<&[u8]>,
    limit: u32,
) -> Result<Option<Vec<u8>>, StoreError> {
    let cursor = table
        .open_key_cursor()
        .with_query::<JsValue, _>(key_range(from, to))
        .with_direction(CursorDirection::Prev)
        .primitive();
    let Some(mut cursor) = cursor.map_err(refused)?.await.map_err(refused)? else { return Ok(None) };
    let highest = cursor_key(&cursor)?;
    cursor.advance_by(limit - 1).await.map_err(refused)?;
    // Past the end one browser clears the key, another leaves the old one standing.
    Ok(match cursor_key(&cursor)? {
        Some(key) if limit == 1 || Some(&key) != highest.as_ref() => Some(key),
        _ => Some(from.to_vec()),
    })
}

fn cursor_key(cursor: &BaseCursor) -> Result<Option<Vec<u8>>, StoreError> {
    let key: Option<JsValue> = cursor.primary_key().map_err(refused)?;
    key.map(key_bytes).transpose()
}

/// A copy for the browser. A view would be cheaper here, but it would have the browser clone all of our memory.
pub(super) fn binary(bytes: &[u8]) -> JsValue {
    Uint8Array::from(bytes).into()
}

pub(super) fn key_range(from: &[u8], to: Option<&[u8]>) -> KeyRange<JsValue> {
    match to {
        Some(to) => KeyRange::Bound(binary(from), false, binary(to), true),
        None => KeyRange::LowerBound(binary(from), false),
    }
}

fn key_bytes(key: JsValue) -> Result<Vec<u8>, StoreError> {
    let key: ArrayBuffer = key.dyn_into().map_err(|_| StoreError::Corrupt("a key is not binary"))?;
    Ok(Uint8Array::new(&key).to_vec())
}

fn value_bytes(value: JsValue) -> Result<Vec<u8>, StoreError> {
    let value: Uint8Array = value.dyn_into().map_err(|_| StoreError::Corrupt("a value is not binary"))?;
    Ok(value.to_vec())
}
