/** Asks the browser not to clear what this origin stores. It may show a question, so it is asked after a person's deed. */
export function keepStored(): void {
  // A browser that says no, or can't say, still stores.
  void navigator.storage.persist().catch(() => false);
}
