// What a screen asks of the API, and what came of it.

import { createContext } from "preact";
import { useCallback, useContext, useEffect, useRef, useState } from "preact/hooks";
import { type Api, type PageOf, Refused, withCursor } from "./api";
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
  const again = useCallback(async () => {
    try {
      const value = await ask(api);
      // Whoever went on meanwhile is shown nothing of before.
      if (wanted.current !== about) return;
      setFound({ about, value });
      setTrouble(null);
    } catch (error) {
      const refused = asRefused(error);
      if (refused.status === 401) ended();
      else if (wanted.current === about) setTrouble(refused);
    }
  }, [api, about]);
  useEffect(() => {
    setTrouble(null);
    void again();
  }, [again]);
  const set = (value: T) => setFound({ about, value });
  return { value: found?.about === about ? found.value : null, trouble, again, set };
}

/** A list that is read page by page. */
export interface Listed<T> extends Loaded<PageOf<T>> {
  more: (() => Promise<void>) | null;
  loadingMore: boolean;
}

export function useList<T>(path: string): Listed<T> {
  const { api, ended } = useAround();
  const first = useLoaded<PageOf<T>>((api) => api.get(path), path);
  const [loadingMore, setLoadingMore] = useState(false);
  const [trouble, setTrouble] = useState<Refused | null>(null);
  const cursor = first.value?.cursor;
  const more = async () => {
    setLoadingMore(true);
    try {
      const next: PageOf<T> = await api.get(withCursor(path, cursor));
      first.set({ items: [...(first.value?.items ?? []), ...next.items], cursor: next.cursor ?? null });
      setTrouble(null);
    } catch (error) {
      const refused = asRefused(error);
      if (refused.status === 401) ended();
      else setTrouble(refused);
    }
    setLoadingMore(false);
  };
  return { ...first, trouble: first.trouble ?? trouble, more: cursor ? more : null, loadingMore };
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
  const run = async (what: () => Promise<void>) => {
    setBusy(true);
    setTrouble(null);
    try {
      await what();
      return true;
    } catch (error) {
      const refused = asRefused(error);
      if (refused.status === 401) ended();
      else setTrouble(refused);
      return false;
    } finally {
      setBusy(false);
    }
  };
  return { busy, trouble, run, forget: () => setTrouble(null) };
}

/** The title of the window, as the screen's heading. */
export function useTitle(title: string): void {
  useEffect(() => {
    document.title = `${title} · Go1`;
  }, [title]);
}
