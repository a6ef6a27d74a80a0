/** Two different positions below `length`, the smaller first; `random(n)` gives a number below n. */
export function pickTwo(length: number, random: (below: number) => number): readonly [number, number] {
  const first = random(length);
  const second = (first + 1 + random(length - 1)) % length;
  return first < second ? [first, second] : [second, first];
}

/** Words as they are compared: lower case, one space between. */
export function tidyPhrase(text: string): string {
  return text
    .trim()
    .toLowerCase()
    .split(/[\s,]+/)
    .filter((word) => !/^\d+\.?$/.test(word))
    .join(' ');
}
