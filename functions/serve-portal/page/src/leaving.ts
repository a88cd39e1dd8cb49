// What would be lost by leaving a screen, and whoever leaves it is asked about: by a link, by Back or Forward, with the
// window.

import { useEffect } from "preact/hooks";
import { HOME } from "./place";

/** What is asked before this page is left, by whatever would be lost. */
const questions = new Set<{ text: string }>();

/** Whether this page may be left: nothing would be lost, or somebody has said yes. */
function mayLeave(): boolean {
  const last = [...questions].at(-1);
  return last === undefined || confirm(last.text);
}

/** Asks once, and leaves for good. */
export function leave(how: () => void): void {
  if (!mayLeave()) return;
  questions.clear();
  how();
}

/** The number of the entry of the browser's history that is shown; the router's own entries have none. */
let shownEntry = 0;

/** For the router: another entry is shown, perhaps a new one. */
export function numberEntry(): void {
  if (typeof history.state === "number") shownEntry = history.state;
  else history.replaceState(++shownEntry, "");
}

/** For whoever shows another screen in the place of one. */
export function entryGoes(): void {
  shownEntry -= 1;
}

// These are there before the router's, and hear of it first.
let goingBack = false;
addEventListener(
  "popstate",
  (event) => {
    const entry: unknown = event.state;
    // The browser is there already: back to what is still shown.
    const stay = goingBack || (typeof entry === "number" && entry !== shownEntry && !mayLeave());
    if (!stay) return;
    event.stopImmediatePropagation();
    if (!goingBack) history.go(shownEntry - (entry as number));
    goingBack = !goingBack;
  },
  true,
);
addEventListener(
  "click",
  (event) => {
    const link = event.target instanceof Element ? event.target.closest<HTMLAnchorElement>("a[href]") : null;
    // Others open a window, save something, or leave the page as a whole, of which `beforeunload` asks.
    const elsewhere = event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey;
    if (!link || elsewhere || link.target || link.hasAttribute("download")) return;
    if (link.origin !== location.origin || !link.pathname.startsWith(HOME)) return;
    // A link to a fragment is one within the screen, whatever `base` makes of it.
    if (link.getAttribute("href")!.startsWith("#") || link.pathname === location.pathname || mayLeave()) return;
    event.preventDefault();
    event.stopPropagation();
  },
  true,
);
addEventListener("beforeunload", (event) => questions.size > 0 && event.preventDefault());

/** Asks before this page is left, by a link, Back, or with the window. `null`: nothing would be lost. */
export function useStaying(question: string | null): void {
  useEffect(() => {
    if (question === null) return;
    numberEntry();
    const own = { text: question };
    questions.add(own);
    return () => void questions.delete(own);
  }, [question]);
}
