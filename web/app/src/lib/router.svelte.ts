import { parseRoute, type Route } from './routes';

class Router {
  #hash = $state(location.hash);
  #moved = false;
  readonly route: Route = $derived(parseRoute(this.#hash));

  constructor() {
    addEventListener('hashchange', () => {
      this.#moved = true;
      this.#hash = location.hash;
      scrollTo(0, 0);
    });
  }

  /** Whether the view was changed since the page was opened. */
  get moved(): boolean {
    return this.#moved;
  }

  go(hash: string): void {
    location.hash = hash;
  }
}

export const router = new Router();
