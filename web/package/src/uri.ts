import { isAddress } from './address.js';
import { formatAmount, parseAmount } from './amount.js';
import { TabchainError } from './error.js';

export interface Payment {
  address: string;
  amount?: bigint;
  memo?: string;
}

const SCHEME = 'tabchain:';
const MAX_MEMO_BYTES = 64;

/** A request to be paid, for links and QR codes: `tabchain:ADDRESS?amount=1.5&memo=thanks` (after BIP-21). */
export function paymentUri({ address, amount, memo }: Payment): string {
  if (!isAddress(address)) throw new TabchainError('invalid-address', 'this is not an address');
  const fields = [
    ...(amount === undefined ? [] : [`amount=${formatAmount(amount)}`]),
    ...(memo === undefined ? [] : [`memo=${encode(checkMemo(memo))}`]),
  ];
  return `${SCHEME}${address}${fields.length > 0 ? '?' : ''}${fields.join('&')}`;
}

/** Reads what `paymentUri` wrote, in capitals too. Unknown fields are passed over, unless they begin with `req-`. */
export function parsePaymentUri(uri: string): Payment {
  if (uri.slice(0, SCHEME.length).toLowerCase() !== SCHEME) refuse(`a payment link begins with "${SCHEME}"`);
  const [address = '', query = ''] = cut(uri.slice(SCHEME.length), '?');
  if (!isAddress(address)) throw new TabchainError('invalid-address', 'the payment link holds no valid address');
  const payment: Payment = { address: address.toLowerCase() };
  for (const field of query.split('&')) {
    const [name = '', value = ''] = cut(field, '=');
    readField(payment, name.toLowerCase(), value);
  }
  return payment;
}

function readField(payment: Payment, name: string, value: string): void {
  if (name === 'amount') {
    if (payment.amount !== undefined) refuse('the payment link says "amount" twice');
    payment.amount = parseAmount(value);
    if (payment.amount === 0n) throw new TabchainError('invalid-amount', 'the amount is zero');
  } else if (name === 'memo') {
    if (payment.memo !== undefined) refuse('the payment link says "memo" twice');
    payment.memo = checkMemo(decode(value));
  } else if (name.startsWith('req-')) {
    refuse('the payment link needs newer software');
  }
}

function checkMemo(memo: string): string {
  if (new TextEncoder().encode(memo).length > MAX_MEMO_BYTES) refuse(`a memo has at most ${MAX_MEMO_BYTES} bytes`);
  return memo;
}

/** Like encodeURIComponent, but letters, digits and `-._~` alone stand as they are. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`);
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return refuse('the memo is not text');
  }
}

function cut(text: string, mark: string): string[] {
  const place = text.indexOf(mark);
  return place < 0 ? [text] : [text.slice(0, place), text.slice(place + 1)];
}

function refuse(message: string): never {
  throw new TabchainError('invalid-argument', message);
}
