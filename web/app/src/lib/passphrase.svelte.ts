/** A new passphrase, typed twice. */
export class Passphrase {
  value = $state('');
  again = $state('');
  problem = $state<string>();

  static readonly SHORTEST = 8;

  check(): boolean {
    if (this.value.length < Passphrase.SHORTEST) this.problem = `Use at least ${Passphrase.SHORTEST} characters.`;
    else if (this.value !== this.again) this.problem = 'The two are not the same. Type them once more.';
    else this.problem = undefined;
    return this.problem === undefined;
  }
}
