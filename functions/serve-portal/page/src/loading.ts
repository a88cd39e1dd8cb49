// What a screen asks of the API, and what came of it.

import { createContext } from "preact";
import { useLocation } from "preact-iso";
import { useCallback, useContext, useEffect, useRef, useState } from "preact/hooks";
import { type Api, type Mapping, type PageOf, type Portal, Refused, withCursor } from "./api";
import { keepFocus } from "./focus";
import type { Person, Session } from "./session";

/** What every screen is given. */
export interface Around {
  session: Session;
  person: Person;
  api: Api;
  /** Nobody is signed in any more. */
  ended: () => void;
}

export const AroundContext = createContext<Around | null>(null);

export function useAround(): Around {
  const around = useContext(AroundContext);
  if (!around) throw new Error("a screen outside of a session");
  return around;
}

/** What is thrown, as something that can be shown. */
export function asRefused(error: unknown): Refused {
  if (error instanceof Refused) return error;
  return new Refused(0, null, "Something went wrong in this page.", "Reload it, and try again.");
}

/** Something that is asked for when a screen appears. */
export interface Loaded<T> {
  value: T | null;
  /** Why the last question had no answer; `value` is of before then. */
  trouble: Refused | null;
  /** Asks again, and shows what there is meanwhile. */
  again: () => Promise<void>;
  set: (value: T) => void;
}

export function useLoaded<T>(ask: (api: Api) => Promise<T>, about: string): Loaded<T> {
  const { api, ended } = useAround();
  const [found, setFound] = useState<{ about: string; value: T } | null>(null);
  const [trouble, setTrouble] = useState<Refused | null>(null);
  const wanted = useRef(about);
  wanted.current = about;
  // What was asked first and is answered last is older than what is shown.
  const turn = useRef(0);
  const again = useCallback(async () => {
    const mine = ++turn.current;
    const isLate = () => wanted.current !== about || turn.current !== mine;
    try {
      const value = await ask(api);
      if (isLate()) return;
      setFound({ about, value });
      setTrouble(null);
    } catch (error) {
      const refused = asRefused(error);
      if (refused.status === 401) ended();
      if (!isLate()) setTrouble(refused);
    }
  }, [api, about]);
  useEffect(() => {
    setTrouble(null);
    void again();
  }, [again]);
  const set = (value: T) => {
    if (wanted.current !== about) return;
    turn.current += 1;
    setFound({ about, value });
  };
  return { value: found?.about === about ? found.value : null, trouble, again, set };
}

/** The longest pause between two questions while there is no answer. */
const LONGEST_PAUSE_MS = 60_000;

/** Asks again and again; more and more rarely while there is no answer, and not while nobody looks. `null`: not at all. */
export function usePoll(of: Pick<Loaded<unknown>, "value" | "trouble" | "again">, everyMs: number | null): void {
  const failed = useRef(0);
  useEffect(() => {
    failed.current = of.trouble ? failed.current + 1 : 0;
    // Whoever is not signed in any more is told so once.
    if (everyMs === null || !(of.value || of.trouble) || of.trouble?.status === 401) return;
    const pause = Math.max(everyMs, Math.min(everyMs * 2 ** failed.current, LONGEST_PAUSE_MS));
    const again = () => {
      if (document.hidden) return document.addEventListener("visibilitychange", again, { once: true });
      void of.again();
    };
    const timer = setTimeout(again, pause);
    return () => {
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", again);
    };
  }, [of.value, of.trouble, everyMs]);
}

/** A list that is read page by page. */
export interface Listed<T> extends Loaded<PageOf<T>> {
  more: (() => Promise<void>) | null;
  loadingMore: boolean;
  /** Brings single items up to date, each from its own address. */
  refresh: (items: T[], address: (item: T) => string) => Promise<void>;
}

/** With `id`, asking again brings the first page up to date, and the others stay. */
export function useList<T>(path: string, id?: (item: T) => string): Listed<T> {
  const { api, ended } = useAround();
  const shown = useRef<{ path: string; page: PageOf<T> } | null>(null);
  const first = useLoaded<PageOf<T>>(async (api) => {
    const page: PageOf<T> = await api.get(path);
    const before = shown.current?.path === path ? shown.current.page : null;
    return before && id ? merged(page, before, id) : page;
  }, path);
  shown.current = first.value && { path, page: first.value };
  const wanted = useRef(path);
  wanted.current = path;
  // Of another path than this one nobody waits any more.
  const [loading, setLoading] = useState<string | null>(null);
  const loadingMore = loading === path;
  const [trouble, setTrouble] = useState<{ path: string; of: Refused } | null>(null);
  const failed = (error: unknown) => {
    const refused = asRefused(error);
    if (refused.status === 401) ended();
    setTrouble({ path, of: refused });
  };
  const more = async () => {
    if (loadingMore || !shown.current) return;
    setLoading(path);
    try {
      const next: PageOf<T> = await api.get(withCursor(path, shown.current.page.cursor));
      if (wanted.current === path && shown.current) {
        first.set({ items: [...shown.current.page.items, ...next.items], cursor: next.cursor ?? null });
        setTrouble(null);
      }
    } catch (error) {
      failed(error);
    }
    setLoading((of) => (of === path ? null : of));
  };
  const refresh = async (items: T[], address: (item: T) => string) => {
    try {
      const fresh = await Promise.all(items.map((item) => api.get<T>(address(item))));
      if (wanted.current !== path || !shown.current || !id) return;
      const now = new Map(fresh.map((item) => [id(item), item]));
      const { page } = shown.current;
      first.set({ ...page, items: page.items.map((item) => now.get(id(item)) ?? item) });
      setTrouble(null);
    } catch (error) {
      failed(error);
    }
  };
  const again = async () => {
    setTrouble(null);
    await first.again();
  };
  return {
    ...first,
    again,
    trouble: first.trouble ?? (trouble?.path === path ? trouble.of : null),
    more: first.value?.cursor ? more : null,
    loadingMore,
    refresh,
  };
}

/** Reads a list on until there are a number of what is looked for; whoever waits can stop it, and go on. */
export function useLooking<T>(list: Listed<T>, wanted: string | null, found: number, count: number) {
  const [filled, setFilled] = useState({ wanted, count });
  const wants = filled.wanted === wanted ? filled.count : count;
  const [stopped, setStopped] = useState<string | null>(null);
  const few = wanted !== null && list.value !== null && found < wants && list.more !== null;
  const looking = few && stopped !== wanted && !list.trouble;
  useEffect(() => {
    if (looking) void list.more?.();
  }, [looking, list.value, list.loadingMore]);
  const more = async () => {
    setStopped(null);
    setFilled({ wanted, count: found + count });
    if (!few) await list.more?.();
  };
  return {
    looking,
    stop: () => setStopped(wanted),
    more: { more: list.more && more, loadingMore: list.loadingMore },
  };
}

function merged<T>(first: PageOf<T>, before: PageOf<T>, id: (item: T) => string): PageOf<T> {
  const now = new Set(first.items.map(id));
  const older = before.items.filter((item) => !now.has(id(item)));
  // Nothing in common: there may be others between the two.
  if (older.length === before.items.length) return first;
  return { items: [...first.items, ...older], cursor: before.cursor ?? null };
}

/** Something that a person does: whether it is under way, and why it was refused. */
export interface Deed {
  busy: boolean;
  trouble: Refused | null;
  /** Whether it was done. */
  run: (what: () => Promise<void>) => Promise<boolean>;
  forget: () => void;
}

export function useDeed(): Deed {
  const { ended } = useAround();
  const [busy, setBusy] = useState(false);
  const [trouble, setTrouble] = useState<Refused | null>(null);
  const underWay = useRef(false);
  const run = async (what: () => Promise<void>) => {
    // A second click comes before the button is shown to be busy.
    if (underWay.current) return false;
    underWay.current = true;
    const opener = document.activeElement;
    setBusy(true);
    setTrouble(null);
    try {
      await what();
      return true;
    } catch (error) {
      const refused = asRefused(error);
      if (refused.status === 401) ended();
      setTrouble(refused);
      return false;
    } finally {
      underWay.current = false;
      setBusy(false);
      // A button that is busy loses the focus; a question that closes gives it back first.
      requestAnimationFrame(() => requestAnimationFrame(() => keepFocus(opener)));
    }
  };
  return { busy, trouble, run, forget: () => setTrouble(null) };
}

/** Goes to another screen; whoever has left this one meanwhile stays where they are. */
export function useGo(): (path: string) => void {
  const { route } = useLocation();
  const here = useRef(true);
  useEffect(() => {
    here.current = true;
    return () => {
      here.current = false;
    };
  }, []);
  return (path) => {
    if (here.current) route(path);
  };
}

/** What a file would do now: who is missing from it, and what waits and would end by it. */
export function useFeedNow(portal: string) {
  return useLoaded(async (api) => {
    const [mapping, { feed }] = await Promise.all([
      api.getUnless<Mapping>("mapping_not_found", `/portals/${portal}/feed/mapping`),
      api.get<Portal>(`/portals/${portal}`),
    ]);
    return { autoDisable: mapping?.auto_disable ?? false, identity: mapping?.identity ?? "email", held: feed.held };
  }, portal);
}

/** The title of the window, as the screen's heading. */
export function useTitle(title: string): void {
  useEffect(() => {
    document.title = `${title} · Go1`;
  }, [title]);
}
