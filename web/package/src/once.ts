/** Does something once for all who ask, and anew for those who ask after it failed. */
export function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return async () => {
    made ??= make();
    try {
      return await made;
    } catch (cause) {
      made = undefined;
      throw cause;
    }
  };
}
