//! Payment URIs: `tabchain:ADDRESS?amount=1.5&memo=thanks`, for links and QR codes (after BIP-21).

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use tabchain_primitives::{Address, AddressError, AddressPrefix, Amount, AmountParseError, MAX_MEMO_BYTES};

/// A request to be paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentUri {
    /// Who asks.
    pub address: Address,
    /// How much, if it is said.
    pub amount: Option<Amount>,
    /// What to write into the memo; at most [`MAX_MEMO_BYTES`].
    pub memo: Option<String>,
}

/// Why text is not a payment URI of this chain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PaymentUriError {
    /// It does not begin with `tabchain:`.
    #[error("a payment link begins with \"tabchain:\"")]
    Scheme,
    /// The address is not one of this chain.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The amount is not one.
    #[error(transparent)]
    Amount(#[from] AmountParseError),
    /// The amount is zero.
    #[error("the amount is zero")]
    ZeroAmount,
    /// The memo is longer than a transfer can carry.
    #[error("a memo has at most {MAX_MEMO_BYTES} bytes")]
    MemoLength,
    /// The memo is not UTF-8.
    #[error("the memo is not text")]
    MemoText,
    /// A field is there twice.
    #[error("the payment link says \"{0}\" twice")]
    Repeated(&'static str),
    /// A field that must be understood is not: one that begins with `req-`.
    #[error("the payment link needs newer software")]
    UnknownRequirement,
}

const SCHEME: &str = "tabchain:";

/// What stands in a query as it is; the rest is percent-encoded.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

impl PaymentUri {
    /// Reads a payment URI of the chain with this prefix. Unknown fields are passed over, as in BIP-21.
    pub fn parse(prefix: AddressPrefix, text: &str) -> Result<Self, PaymentUriError> {
        let (scheme, rest) = text.split_at_checked(SCHEME.len()).ok_or(PaymentUriError::Scheme)?;
        if !scheme.eq_ignore_ascii_case(SCHEME) {
            return Err(PaymentUriError::Scheme);
        }
        let (address, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut uri = Self { address: Address::parse(prefix, address)?, amount: None, memo: None };
        for field in query.split('&').filter(|field| !field.is_empty()) {
            let (name, value) = field.split_once('=').unwrap_or((field, ""));
            uri.read_field(name, value)?;
        }
        Ok(uri)
    }

    /// Writes it for the chain with this prefix.
    pub fn to_text(&self, prefix: AddressPrefix) -> String {
        let amount = self.amount.map(|amount| format!("amount={amount}"));
        let memo = self.memo.as_ref().map(|memo| format!("memo={}", utf8_percent_encode(memo, ENCODED)));
        let fields: Vec<String> = amount.into_iter().chain(memo).collect();
        let question = if fields.is_empty() { "" } else { "?" };
        format!("{SCHEME}{}{question}{}", self.address.to_bech32(prefix), fields.join("&"))
    }

    fn read_field(&mut self, name: &str, value: &str) -> Result<(), PaymentUriError> {
        match name.to_ascii_lowercase().as_str() {
            "amount" => {
                let amount: Amount = value.parse()?;
                if amount.is_zero() {
                    return Err(PaymentUriError::ZeroAmount);
                }
                set_once(&mut self.amount, amount, "amount")
            }
            "memo" => set_once(&mut self.memo, read_memo(value)?, "memo"),
            other if other.starts_with("req-") => Err(PaymentUriError::UnknownRequirement),
            _ => Ok(()),
        }
    }
}

fn read_memo(value: &str) -> Result<String, PaymentUriError> {
    let memo = percent_decode_str(value).decode_utf8().map_err(|_| PaymentUriError::MemoText)?;
    if memo.len() > MAX_MEMO_BYTES { Err(PaymentUriError::MemoLength) } else { Ok(memo.into_owned()) }
}

fn set_once<T>(field: &mut Option<T>, value: T, name: &'static str) -> Result<(), PaymentUriError> {
    if field.replace(value).is_some() { Err(PaymentUriError::Repeated(name)) } else { Ok(()) }
}

#[cfg(all(test, not(target_family = "wasm")))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn prefix() -> AddressPrefix {
        "dtab".parse().expect("letters")
    }

    fn address() -> Address {
        Address::from_bytes([7; 20])
    }

    fn parse(query: &str) -> Result<PaymentUri, PaymentUriError> {
        PaymentUri::parse(prefix(), &format!("tabchain:{}{query}", address().to_bech32(prefix())))
    }

    #[test]
    fn fields_may_be_left_out() {
        let bare = PaymentUri { address: address(), amount: None, memo: None };
        assert_eq!(parse(""), Ok(bare.clone()));
        assert_eq!(parse("?"), Ok(bare.clone()));
        assert_eq!(parse("?label=shop&&x"), Ok(bare), "unknown fields are passed over");
        let full = PaymentUri {
            amount: "1.5".parse().ok(),
            memo: Some("two teas & a bun ☕".into()),
            address: address(),
        };
        let text = full.to_text(prefix());
        assert!(text.ends_with("?amount=1.5&memo=two%20teas%20%26%20a%20bun%20%E2%98%95"), "{text}");
        assert_eq!(PaymentUri::parse(prefix(), &text), Ok(full));
    }

    #[test]
    fn qr_codes_are_upper_case() {
        let text = format!("tabchain:{}?amount=2", address().to_bech32(prefix())).to_uppercase();
        let uri = PaymentUri::parse(prefix(), &text).expect("the same in capitals");
        assert_eq!((uri.address, uri.amount), (address(), "2".parse().ok()));
    }

    #[test]
    fn mistakes_are_named() {
        use PaymentUriError as E;
        let scheme = |text: &str| PaymentUri::parse(prefix(), text).map(|_| ());
        assert_eq!(scheme("bitcoin:x"), Err(E::Scheme));
        assert_eq!(scheme(""), Err(E::Scheme));
        assert_eq!(scheme("tabchaiñ"), Err(E::Scheme));
        assert_eq!(scheme("tabchain:"), Err(E::Address(AddressError::Checksum)));
        let query = |query: &str| parse(query).map(|_| ());
        assert_eq!(query("?amount=1e3"), Err(E::Amount(AmountParseError::Form)));
        assert_eq!(query("?amount="), Err(E::Amount(AmountParseError::Form)));
        assert_eq!(query("?amount=0.0"), Err(E::ZeroAmount));
        assert_eq!(query("?amount=1&AMOUNT=2"), Err(E::Repeated("amount")));
        assert_eq!(query("?memo=%FF"), Err(E::MemoText));
        assert_eq!(query(&format!("?memo={}", "m".repeat(65))), Err(E::MemoLength));
        assert_eq!(query("?req-expires=1"), Err(E::UnknownRequirement));
    }

    proptest! {
        #[test]
        fn uris_come_back(bytes in any::<[u8; 20]>(), units in 1..=Amount::MAX.units(), memo in "\\PC{0,16}") {
            let uri = PaymentUri {
                address: Address::from_bytes(bytes),
                amount: Amount::from_units(units).ok(),
                memo: Some(memo),
            };
            prop_assert_eq!(PaymentUri::parse(prefix(), &uri.to_text(prefix())), Ok(uri));
        }

        #[test]
        fn any_text_gives_an_answer(text in "(tabchain:)?\\PC{0,60}") {
            let _ = PaymentUri::parse(prefix(), &text);
        }
    }
}
