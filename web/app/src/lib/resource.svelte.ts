/** Something read from the node for a view: read again whenever what `load` or `again` looks at changes. */
export class Resource<T> {
  #value = $state.raw<T>();
  #error = $state.raw<unknown>();
  #settled = $state(false);

  constructor(load: () => Promise<T>, again?: () => unknown) {
    let asked = 0;
    let shown = 0;
    $effect(() => {
      const turn = ++asked;
      again?.();
      load().then(
        (value) => {
          if (turn < shown) return;
          shown = turn;
          this.#value = value;
          this.#error = undefined;
          this.#settled = true;
        },
        (error: unknown) => {
          if (turn < shown) return;
          shown = turn;
          this.#error = error;
          this.#settled = true;
        },
      );
    });
  }

  /** The latest answer; it stays while a newer one is on its way, so that nothing jumps. */
  get value(): T | undefined {
    return this.#value;
  }

  get error(): unknown {
    return this.#error;
  }

  get loading(): boolean {
    return !this.#settled;
  }
}

export function resource<T>(load: () => Promise<T>, again?: () => unknown): Resource<T> {
  return new Resource(load, again);
}
