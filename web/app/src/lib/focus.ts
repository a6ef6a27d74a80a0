/** Puts the keyboard and a screen reader at what has just appeared because of them. For `{@attach focus}`. */
export function focus(element: HTMLElement): void {
  element.focus();
}
