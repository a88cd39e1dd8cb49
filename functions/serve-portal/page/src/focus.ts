// Who has the focus, after what had it is gone: readers of the screen and keyboards begin there.

import { useEffect } from "preact/hooks";

/** Gives the focus, if nobody has it, to this element or else to the screen: what had it is gone. */
export function keepFocus(to: Element | null = null): void {
  if (document.activeElement && document.activeElement !== document.body) return;
  if (to instanceof HTMLElement && to.isConnected && to !== document.body) to.focus({ preventScroll: true });
  if (document.activeElement === document.body) document.getElementById("content")?.focus({ preventScroll: true });
}

/** A screen whose parts follow one another at the same address: whoever used the last one goes on in the next. */
export function useStep(step: string): void {
  useEffect(() => {
    // Whoever has only just come begins at the top, with the browser.
    if (!navigator.userActivation?.hasBeenActive || document.activeElement !== document.body) return;
    scrollTo(0, 0);
    keepFocus();
  }, [step]);
}
