// Calls of the API. Types are those of openapi.yaml, from which they are generated; nothing is shown or decided here.

import type { components } from "./openapi";
import { api } from "./place";
import type { Session } from "./session";

export type Schemas = components["schemas"];
export type Upload = Schemas["UploadRecord"];
export type Portal = Schemas["PortalAnswer"];
export type Field = Schemas["FieldAnswer"];
export type Mapping = Schemas["MappingAnswer"];
export type Inspection = Schemas["InspectionAnswer"];
export type Credentials = Schemas["CredentialsAnswer"];
export type User = Schemas["UserAnswer"];
export type Problem = Schemas["Problem"];
export type Code = Schemas["CodeAnswer"];

/** A page of a list. */
export interface PageOf<T> {
  items: T[];
  cursor?: string | null;
}

/** Why a call has no answer. */
export class Refused extends Error {
  constructor(
    /** 0: there was no answer at all. */
    readonly status: number,
    /** As openapi.yaml has it; the gateway's own answers have none. */
    readonly code: string | null,
    readonly title: string,
    readonly detail: string,
    readonly problems: Problem[] = [],
  ) {
    super(title);
  }
}

const offline = () =>
  new Refused(0, null, "Go1 cannot be reached.", "See whether you are connected to the internet, then try again.");

const SILENT: Record<number, [string, string]> = {
  401: ["Your session has ended.", "Sign in again to go on where you were."],
  404: ["There is nothing at this address.", "Go back and choose from the menu."],
  413: ["That is too large.", "Send less at once."],
  429: ["Too many requests at once.", "Wait a moment, then try again."],
};

async function refusal(answer: Response): Promise<Refused> {
  const [title, detail] = SILENT[answer.status] ?? [
    "Something went wrong on our side.",
    "Try again in a moment. If it stays, tell Go1 support the time.",
  ];
  const said = (await answer.json().catch(() => null)) as Partial<Schemas["Refused"]> | null;
  if (!said?.code) return new Refused(answer.status, null, title, detail);
  // The API's words about a missing sign-in are for scripts.
  const plain = answer.status === 401 ? [title, detail] : [said.title ?? title, said.detail ?? detail];
  return new Refused(answer.status, said.code, plain[0]!, plain[1]!, said.problems);
}

type Body = { json?: unknown; bytes?: Blob };

/** The gateway gives up after 30 seconds. Whoever wakes a computer up waits no longer than that for nothing. */
const LONGEST_CALL_MS = 35_000;

const json = (answer: Response) => answer.json();

/** The API for one session. */
export class Api {
  constructor(private readonly session: Session) {}

  private async call<T>(method: string, path: string, read: (answer: Response) => Promise<T>, body: Body = {}): Promise<T> {
    let renewed = false;
    for (;;) {
      const token = await this.session.token().catch(() => {
        throw offline();
      });
      if (token === null) throw new Refused(401, null, ...SILENT[401]!);
      const headers: Record<string, string> = { authorization: `Bearer ${token}` };
      if (body.json !== undefined) headers["content-type"] = "application/json";
      // As text the gateway would replace what is no UTF-8, and nobody could say what is wrong with it.
      if (body.bytes) headers["content-type"] = "application/octet-stream";
      const sent = body.json === undefined ? (body.bytes ?? null) : JSON.stringify(body.json);
      const signal = AbortSignal.timeout(LONGEST_CALL_MS);
      let answer: Response;
      try {
        answer = await fetch(api(path), { method, headers, body: sent, cache: "no-store", signal });
        // An answer of which a part is missing is none.
        if (answer.ok) return await read(answer);
      } catch {
        throw offline();
      }
      if (answer.status === 401 && !renewed) {
        renewed = await this.session.renew().catch(() => {
          throw offline();
        });
        if (renewed) continue;
      }
      throw await refusal(answer);
    }
  }

  async get<T>(path: string): Promise<T> {
    return this.call<T>("GET", path, json);
  }

  async put<T>(path: string, body?: unknown): Promise<T> {
    return this.call<T>("PUT", path, json, { json: body });
  }

  async post<T>(path: string, body?: unknown): Promise<T> {
    return this.call<T>("POST", path, json, { json: body });
  }

  async patch<T>(path: string, body: unknown): Promise<T> {
    return this.call<T>("PATCH", path, json, { json: body });
  }

  async remove(path: string): Promise<void> {
    await this.call("DELETE", path, async () => {});
  }

  async file(path: string): Promise<Blob> {
    return this.call("GET", path, (answer) => answer.blob());
  }

  /** What a sample has in it; of it no more than is looked at is sent. */
  async inspect(portal: string, sample: Blob): Promise<Inspection> {
    const bytes = sample.slice(0, SAMPLE_BYTES);
    return this.call<Inspection>("POST", `/portals/${portal}/feed/mapping/inspect`, json, { bytes });
  }

  /** What portals are called, as far as it is known. */
  readonly names = new Map<string, string>();

  async learnName(portal: string): Promise<void> {
    if (this.names.has(portal)) return;
    const { name } = await this.get<Portal>(`/portals/${portal}`);
    this.names.set(portal, name);
  }

  /** `null` where the API says with this code that there is none. */
  async getUnless<T>(code: string, path: string): Promise<T | null> {
    try {
      return await this.get<T>(path);
    } catch (error) {
      if (error instanceof Refused && error.code === code) return null;
      throw error;
    }
  }

  /** The whole of a list. */
  async all<T>(path: string): Promise<T[]> {
    const items: T[] = [];
    let cursor: string | null | undefined;
    do {
      const page: PageOf<T> = await this.get(withCursor(path, cursor));
      items.push(...page.items);
      cursor = page.cursor;
    } while (cursor);
    return items;
  }
}

/** Begins a company's sign-up with Xero, for which nobody is signed in. Where to send the browser. */
export async function signUp(company: Schemas["SignUpBody"]): Promise<string> {
  const headers = { "content-type": "application/json" };
  let answer: Response;
  try {
    answer = await fetch(api("/xero/signup"), { method: "POST", headers, body: JSON.stringify(company) });
  } catch {
    throw offline();
  }
  if (!answer.ok) throw await refusal(answer);
  return ((await answer.json()) as Schemas["AuthoriseUrl"]).authorise_url;
}

/** As much of a sample as the API looks at. */
export const SAMPLE_BYTES = 256 * 1024;

/** A list's address, with the place of its next page. */
export function withCursor(path: string, cursor: string | null | undefined): string {
  if (!cursor) return path;
  return `${path}${path.includes("?") ? "&" : "?"}cursor=${encodeURIComponent(cursor)}`;
}

const NOT_TAKEN: Record<number, [string, string]> = {
  0: ["The file did not get through.", "See whether you are connected to the internet, then try again."],
  400: ["The file was not taken.", "It may be larger than what can be sent from a page. Ask Go1 support, or send it by the AWS credentials."],
  403: ["The file was not taken.", "The permission to send it has run out. Try again."],
};

/** Puts a file to a link of the feed bucket, and says how far it has come, from 0 to 1. */
export async function putFile(
  url: string,
  file: Blob,
  progress: (part: number) => void,
  stop: AbortSignal,
): Promise<void> {
  // One that was stopped before it began says so to nobody any more.
  stop.throwIfAborted();
  // `fetch` does not say how much of a body it has sent.
  return new Promise((done, failed) => {
    const request = new XMLHttpRequest();
    const abort = () => request.abort();
    const broken = () => {
      const [title, detail] = NOT_TAKEN[request.status] ?? ["The file did not get through.", "Try again in a moment."];
      failed(new Refused(request.status, null, title, detail));
    };
    request.open("PUT", url);
    request.upload.onprogress = (event) => progress(event.loaded / Math.max(event.total, 1));
    request.onload = () => (request.status === 200 ? done() : broken());
    request.onerror = broken;
    request.onabort = broken;
    stop.addEventListener("abort", abort, { once: true });
    // The bucket has all of it.
    request.upload.onload = () => stop.removeEventListener("abort", abort);
    request.send(file);
  });
}
