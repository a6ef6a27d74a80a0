// Amounts, addresses and payment links: the same vectors as the Rust side (tests/vectors).
import { describe, expect, it } from 'vitest';
import vectors from '../../../tests/vectors/codec.json' with { type: 'json' };
import payments from '../../../tests/vectors/payments.json' with { type: 'json' };
import { isAddress } from '../src/address.js';
import { checkAmount, formatAmount, parseAmount } from '../src/amount.js';
import { TabchainError, type ErrorCode } from '../src/error.js';
import { parsePaymentUri, paymentUri } from '../src/uri.js';

function codeOf(work: () => unknown): ErrorCode | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    if (error instanceof TabchainError) return error.code;
    throw error;
  }
}

describe('amounts', () => {
  it.each(vectors.amounts)('$units base units are $text TAB', ({ text, units }) => {
    expect(formatAmount(BigInt(units))).toBe(text);
    expect(parseAmount(text)).toBe(BigInt(units));
  });

  it.each(vectors.bad_amounts)('"$text" is refused', ({ text }) => {
    expect(codeOf(() => parseAmount(text))).toBe('invalid-amount');
  });

  it.each([1.5, NaN, 5, '5', null, -1n, 1n << 53n])('%s is no amount for a payment', (amount) => {
    expect(codeOf(() => checkAmount(amount as bigint))).toBe('invalid-amount');
  });

  it('takes base units up to the most there can be', () => {
    expect(checkAmount(0n)).toBe(0n);
    expect(checkAmount((1n << 53n) - 1n)).toBe((1n << 53n) - 1n);
  });

  it('reads what people type', () => {
    expect(parseAmount('.5')).toBe(500_000n);
    expect(parseAmount('007')).toBe(7_000_000n);
    expect(formatAmount(-1_500_000n)).toBe('-1.5');
  });
});

describe('addresses', () => {
  const texts = vectors.addresses.flatMap(({ text }) => text);
  const dev = texts.filter((text) => text.startsWith('dtab1'));
  const test = texts.filter((text) => text.startsWith('ttab1'));

  it('knows those of each network', () => {
    expect(dev.length).toBeGreaterThan(0);
    expect(test.length).toBe(dev.length);
    for (const address of dev) expect([isAddress(address), isAddress(address, 'dev'), isAddress(address, 'test')]).toEqual([true, true, false]);
    for (const address of test) expect([isAddress(address, 'dev'), isAddress(address, 'test')]).toEqual([false, true]);
  });

  it('takes capitals, as QR codes have them, but no mixture', () => {
    const [address = ''] = dev;
    expect(isAddress(address.toUpperCase())).toBe(true);
    expect(isAddress(`D${address.slice(1)}`)).toBe(false);
  });

  it('notices every wrong, missing and swapped symbol', () => {
    const [address = ''] = dev;
    for (let place = 5; place < address.length; place++) {
      const other = address[place] === 'q' ? 'p' : 'q';
      expect(isAddress(address.slice(0, place) + other + address.slice(place + 1))).toBe(false);
      expect(isAddress(address.slice(0, place) + address.slice(place + 1))).toBe(false);
      const swapped = address.slice(0, place) + (address[place + 1] ?? '') + (address[place] ?? '') + address.slice(place + 2);
      if (swapped !== address) expect(isAddress(swapped)).toBe(false);
    }
  });

  it.each(['', '1', 'dtab1', 'dtab', 'tab13gyrjmf92drg25jrz48qvv3a84ujy97zxxp6d8', 'bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4', 'ñ1qqqqqq'])(
    '"%s" is none',
    (text) => expect(isAddress(text)).toBe(false),
  );

  it('is not fooled by bech32 in place of bech32m, or by other lengths', () => {
    // BIP-173 and BIP-350 vectors: well-formed, but not ours.
    for (const text of ['A12UEL5L', 'A1LQFN3A', 'abcdef1l7aum6echk45nj3s0wdvt2fg8x9yrzpqzd3ryx'])
      expect(isAddress(text)).toBe(false);
  });
});

/** How each error of the Rust side is called here. */
const PAYMENT_ERRORS: Record<string, ErrorCode> = {
  'Address(Checksum)': 'invalid-address',
  'Amount(Form)': 'invalid-amount',
  ZeroAmount: 'invalid-amount',
  'Repeated("amount")': 'invalid-argument',
  MemoLength: 'invalid-argument',
  MemoText: 'invalid-argument',
  Scheme: 'invalid-argument',
  UnknownRequirement: 'invalid-argument',
};

describe('payment links', () => {
  const address = 'dtab13gyrjmf92drg25jrz48qvv3a84ujy97zrmxsj6';

  it.each(payments.good)('$text is read, and written as $written', ({ text, written, address, amount, memo }) => {
    const payment = parsePaymentUri(text);
    expect(payment).toEqual({
      address,
      ...(amount === null ? {} : { amount: parseAmount(amount) }),
      ...(memo === null ? {} : { memo }),
    });
    expect(paymentUri(payment)).toBe(written);
  });

  it.each(payments.bad)('"$text" is refused: $error', ({ text, error }) => {
    expect(PAYMENT_ERRORS).toHaveProperty([error]);
    expect(codeOf(() => parsePaymentUri(text))).toBe(PAYMENT_ERRORS[error]);
  });

  it('come back as they went', () => {
    const uri = paymentUri({ address, amount: 1_500_000n, memo: 'two teas & a bun ☕' });
    expect(uri).toBe(`tabchain:${address}?amount=1.5&memo=two%20teas%20%26%20a%20bun%20%E2%98%95`);
    expect(parsePaymentUri(uri)).toEqual({ address, amount: 1_500_000n, memo: 'two teas & a bun ☕' });
    expect(parsePaymentUri(paymentUri({ address }))).toEqual({ address });
    expect(paymentUri({ address, memo: "it's (3*2)!" })).toBe(`tabchain:${address}?memo=it%27s%20%283%2A2%29%21`);
  });

  it('are read in capitals, and past fields that are not known', () => {
    expect(parsePaymentUri(`TABCHAIN:${address.toUpperCase()}?AMOUNT=2`)).toEqual({ address, amount: 2_000_000n });
    expect(parsePaymentUri(`tabchain:${address}?label=shop&&x`)).toEqual({ address });
  });

  it.each([
    ['bitcoin:x', 'invalid-argument'],
    ['', 'invalid-argument'],
    ['tabchain:', 'invalid-address'],
    [`tabchain:${address}?amount=1e3`, 'invalid-amount'],
    [`tabchain:${address}?amount=`, 'invalid-amount'],
    [`tabchain:${address}?amount=0.0`, 'invalid-amount'],
    [`tabchain:${address}?amount=1&AMOUNT=2`, 'invalid-argument'],
    [`tabchain:${address}?memo=%FF`, 'invalid-argument'],
    [`tabchain:${address}?memo=${'m'.repeat(65)}`, 'invalid-argument'],
    [`tabchain:${address}?req-expires=1`, 'invalid-argument'],
  ])('%s is refused', (uri, code) => expect(codeOf(() => parsePaymentUri(uri))).toBe(code));

  it('are not written for what is no address', () => {
    expect(codeOf(() => paymentUri({ address: 'dtab1' }))).toBe('invalid-address');
  });
});
