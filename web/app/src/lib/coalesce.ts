/**
 * Turns many requests to refresh into few refreshes: one at a time, at most one every `pause()` milliseconds, and always
 * one after the last request.
 */
export function coalesce(refresh: () => Promise<void>, pause: () => number): () => void {
  let running = false;
  let wanted = false;

  async function turn(): Promise<void> {
    running = true;
    while (wanted) {
      wanted = false;
      await refresh();
      await new Promise((resolve) => setTimeout(resolve, pause()));
    }
    running = false;
  }

  return () => {
    wanted = true;
    if (!running) void turn();
  };
}
