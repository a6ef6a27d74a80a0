// The figures as a plain table, each beside the limit it is held against.

import type { Facts, Joined, Reached, Workload } from './late.ts';

export interface Run {
  tabs: number;
  reached: Reached;
  /** Seconds of processor time that the browser had meanwhile, all tabs together. */
  processor: number;
  /**
   * What the browser itself could do in the same minutes: bytes and signatures a second with nothing else to do, and the
   * seconds it took for all of it at the same time.
   */
  limits: { network: number; storage: number; signatures: number; signaturesOfAll: number; atOnce: number };
}

/** A late tab that took every block; said after each run, so that one that is cut off has told of those before it. */
export function report(facts: Facts, run: Run): void {
  const chain = `chain: ${whole(facts.blocks)} blocks, ${whole(facts.transactions)} transactions, ${megabytes(facts.bytes)}`;
  console.log(`\n${[chain, ...lateTab(facts, run)].join('\n')}\n`);
}

/** A late tab that took the balances first. */
export function reportSnapshot(facts: Facts, tabs: number, joined: Joined): void {
  const { open, met, chosen, balances, usable, workload, complete, joinedAt } = joined;
  const { signatures, checkingElsewhere } = workload;
  const lines = [
    `late tab, ${tabs} tabs serve ${whole(facts.blocks)} blocks: from the button until it`,
    row('  has a node', `${whole(open)} ms`),
    row('  has met a peer', `${whole(met)} ms`),
    row('  knows the heaviest chain', `${whole(chosen)} ms`),
    row(`  has all balances at block ${whole(joinedAt)}`, `${whole(balances)} ms`),
    row('  is at the tip, and of use', `${whole(usable)} ms`),
    '  where its worker had spent it by then',
    ...spent(workload).map(([name, millis]) => row(`    ${name}`, `${whole(millis)} ms`)),
    row('    signatures checked', `${whole(signatures)}; by checkers beside the worker in ${whole(checkingElsewhere)} ms`),
    row('  has checked every block', `${(complete / 1_000).toFixed(1)} s`),
  ];
  console.log(`\n${lines.join('\n')}\n`);
}

/** Each reload of a tab that holds the chain, and where its worker spent the time until it stood at the tip. */
export function reportReloads(facts: Facts, rounds: Reached[]): void {
  const spent = ({ workload: { storing, thinking } }: Reached): string =>
    `reading rows ${whole(storing)} ms, checking and building ${whole(thinking)} ms`;
  const lines = [
    `reload of a tab that holds ${whole(facts.blocks)} blocks, from the navigation to its tip`,
    ...rounds.map((round) => row(`  ${whole(round.tip)} ms`, spent(round))),
  ];
  console.log(`\n${lines.join('\n')}\n`);
}

function lateTab(facts: Facts, { tabs, reached, processor, limits }: Run): string[] {
  const seconds = reached.tip / 1_000;
  const { signatures, commits, changes, bytes, checkingElsewhere } = reached.workload;
  // A limit is how long the work would take if nothing else had to be done.
  const bounds = [
    { name: 'network: plain data channels', seconds: facts.bytes / limits.network },
    { name: 'signatures: one worker, nothing beside it', seconds: signatures / limits.signatures },
    { name: 'signatures: all checkers, nothing else', seconds: signatures / limits.signaturesOfAll },
    { name: 'storage: plain IndexedDB, same rows', seconds: bytes / limits.storage },
    { name: 'the three at the same time', seconds: limits.atOnce },
  ];
  return [
    `late tab, ${tabs} tabs serve: ${seconds.toFixed(1)} s from the button to the tip`,
    row('blocks a second', whole(facts.blocks / seconds)),
    row('transactions a second', whole(facts.transactions / seconds)),
    row('bytes a second', megabytes(facts.bytes / seconds)),
    row('processor time of all tabs together', `${processor.toFixed(1)} s`),
    '  where the worker spent it',
    ...spent(reached.workload).map(([name, millis]) =>
      row(`  ${name}`, `${(millis / 1_000).toFixed(1)} s, ${percent(millis / reached.tip)}`),
    ),
    row('signatures checked', `${whole(signatures)}; by checkers beside the worker in ${(checkingElsewhere / 1_000).toFixed(1)} s`),
    row('written', `${megabytes(bytes)} in ${whole(changes)} rows, ${whole(commits)} transactions`),
    '  limits, measured in the same run',
    ...bounds.map((bound) =>
      row(`  ${bound.name}`, `${bound.seconds.toFixed(1)} s, ${percent(bound.seconds / seconds)} of the limit reached`),
    ),
  ];
}

function spent({ waiting, storing, checking, translating, thinking }: Workload): [string, number][] {
  const parts = Object.entries({ waiting, storing, checking, translating, thinking });
  return parts.map(([name, millis]) => [NAMES[name as keyof typeof NAMES], millis]);
}

const NAMES = {
  waiting: 'network: nothing to do but wait',
  storing: 'storage: waiting for IndexedDB',
  checking: 'check: signatures, a few at a time',
  translating: 'reading and writing messages',
  thinking: 'check: rules, balances, state',
};

function row(name: string, value: string): string {
  return `  ${name.padEnd(40)} ${value}`;
}

function whole(value: number): string {
  return Math.round(value).toLocaleString('en');
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

function percent(part: number): string {
  return `${Math.round(100 * part)} %`;
}
