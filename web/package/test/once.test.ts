import { expect, test } from 'vitest';

import { once } from '../src/once.js';

test('is done once for all who ask, and anew after it failed', async () => {
  let made = 0;
  const number = once(async () => {
    made += 1;
    if (made === 1) throw new Error('not yet');
    return Promise.resolve(made);
  });
  const [first, second] = await Promise.allSettled([number(), number()]);
  expect([first.status, second.status, made]).toEqual(['rejected', 'rejected', 1]);
  expect(await Promise.all([number(), number(), number()])).toEqual([2, 2, 2]);
});
