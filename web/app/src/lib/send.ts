import { isAddress, parseAmount, parsePaymentUri, formatAmount, type Network, type SendOptions } from 'tabchain';
import type { SendDraft } from './drafts.svelte';
import { codeOf, explain, type FieldProblem } from './errors';
import { byteLength } from './format';

export const MEMO_BYTES = 64;

export type SendProblems = Partial<Record<keyof SendDraft, FieldProblem>>;
export type Payment = Required<Pick<SendOptions, 'to' | 'amount' | 'memo' | 'fee'>>;
export type Checked = { payment: Payment } | { problems: SendProblems };

/** What can be told about a payment before the node is asked: each problem belongs to its field. */
export function check(draft: SendDraft, network: Network): Checked {
  const problems: SendProblems = {};
  const to = draft.to.trim();
  if (to === '') problems.to = { code: 'invalid-address', words: 'Whom should it go to?' };
  else if (!isAddress(to, network))
    problems.to = {
      code: 'invalid-address',
      words: 'This is not an address of this network. Check that it was copied whole.',
    };

  const amount = amountOf(draft.amount, (problem) => (problems.amount = problem));
  if (amount === 0n) problems.amount ??= { code: 'invalid-amount', words: 'How much should be sent?' };
  const fee = amountOf(draft.fee, (problem) => (problems.fee = problem));

  const memo = draft.memo.trim();
  const length = byteLength(memo);
  if (length > MEMO_BYTES)
    problems.memo = { code: 'invalid-argument', words: `The memo is ${length} bytes long; ${MEMO_BYTES} fit.` };

  return Object.keys(problems).length > 0 ? { problems } : { payment: { to, amount, memo, fee } };
}

/** The fee as it is typed; nothing where it can't be read yet. */
export function feeOf(draft: SendDraft): bigint {
  return amountOf(draft.fee, () => undefined);
}

/** Fills the draft from a payment link; false when the text is none. Throws when it is one, but broken. */
export function takePaymentUri(draft: SendDraft, text: string): boolean {
  if (!/^\s*tabchain:/i.test(text)) return false;
  const { address, amount, memo } = parsePaymentUri(text.trim());
  draft.to = address;
  if (amount !== undefined) draft.amount = formatAmount(amount);
  if (memo !== undefined) draft.memo = memo;
  return true;
}

function amountOf(text: string, problem: (problem: FieldProblem) => void): bigint {
  try {
    return text.trim() === '' ? 0n : parseAmount(text.trim().replace(',', '.'));
  } catch (error) {
    problem({ code: codeOf(error) ?? 'invalid-amount', words: explain(error) });
    return 0n;
  }
}
