// How values are said: dates and numbers by the browser's settings, words in English. No markup.

import type { Schemas, Upload } from "./api";

const numbers = new Intl.NumberFormat();
const percents = new Intl.NumberFormat(undefined, { style: "percent" });
const moments = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const days = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

export const number = (value: number) => numbers.format(value);
export const percent = (value: number) => percents.format(value / 100);
export const moment = (iso: string) => moments.format(new Date(iso));
export const day = (iso: string) => days.format(new Date(iso));

/** One of them, several of them. */
export const several = (count: number, one: string, many: string) => `${number(count)} ${count === 1 ? one : many}`;

/** What waits for a decision, in a sentence. */
export function held({ disables, creates }: { disables: number; creates: number }): string {
  const inactive = several(disables, "person would be made inactive", "people would be made inactive");
  const created = several(creates, "would be created", "would be created");
  if (creates === 0) return inactive;
  return disables === 0 ? `${several(creates, "person", "people")} would be created` : `${inactive}, and ${created}`;
}

/** What a file did, or would do, in a row. */
export function changes({ rows, others, held }: Pick<Upload, "rows" | "others" | "held">): string {
  const counts: [number, string][] = [
    [rows.created, "created"],
    [rows.updated + others.updated, "updated"],
    [rows.disabled + others.disabled, "made inactive"],
    [held.disables + held.creates, "would wait for a decision"],
    [rows.not_processed, "not processed"],
  ];
  const said = counts.filter(([count]) => count > 0).map(([count, what]) => `${number(count)} ${what}`);
  return said.join(", ") || "nothing would change";
}

const STEPS: [Intl.RelativeTimeFormatUnit, number][] = [
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
];

/** How long ago something was, roughly. */
export function ago(iso: string): string {
  const seconds = (new Date(iso).getTime() - Date.now()) / 1000;
  for (const [unit, length] of STEPS) {
    if (Math.abs(seconds) >= length) return relative.format(Math.trunc(seconds / length), unit);
  }
  return "just now";
}

const sizes = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });
const UNITS = ["bytes", "kB", "MB", "GB"];

export function bytes(size: number): string {
  const step = Math.min(Math.floor(Math.log10(Math.max(size, 1)) / 3), UNITS.length - 1);
  return `${sizes.format(size / 1000 ** step)} ${size === 1 ? "byte" : UNITS[step]}`;
}

/** How a state looks: good, wants somebody, bad, or under way. */
export type Tone = "good" | "attention" | "bad" | "running";

const STATES: Record<Upload["status"], [string, Tone]> = {
  queued: ["Waiting its turn", "running"],
  scanning: ["Reading the file", "running"],
  planning: ["Checking the file", "running"],
  applying: ["Updating users", "running"],
  completed: ["Done", "good"],
  completed_with_problems: ["Done, with problems", "attention"],
  held: ["Waits for a decision", "attention"],
  rejected: ["Not accepted", "bad"],
  failed: ["Failed on our side", "bad"],
};

/** What became of an upload. One that this page, which may be older than the API, does not know goes by its own name. */
export function state(of: Pick<Upload, "status"> & Partial<Pick<Upload, "rehearsal" | "held">>): [string, Tone | "plain"] {
  const { status, rehearsal, held } = of;
  const wouldWait = rehearsal && held && held.disables + held.creates > 0 && STATES[status]?.[1] !== "running";
  if (wouldWait) return ["Would wait", "attention"];
  return STATES[status] ?? [String(status).replaceAll("_", " "), "plain"];
}

export const isRunning = ({ status }: Pick<Upload, "status">) => STATES[status]?.[1] === "running";

/** What an upload is called. */
export const uploadName = ({ file_name, kind }: Pick<Upload, "file_name" | "kind">) =>
  file_name || (kind === "xero" ? "Import from Xero" : "No file came");

export const ACTIONS: Record<Schemas["AuditAction"], string> = {
  portal_set_up: "set the portal up",
  portal_changed: "changed the portal's set-up",
  feed_authorised: "authorised the data feed",
  authorisation_withdrawn: "withdrew the authorisation of the data feed",
  mapping_saved: "saved a data mapping",
  mapping_reset: "reset the data mapping",
  settings_changed: "changed the settings of the data feed",
  key_pair_issued: "generated AWS credentials",
  upload_link_given: "began to upload a file from the page",
  upload_replayed: "had a file processed again",
  hold_approved: "approved what was held",
  hold_rejected: "rejected what was held",
  administrator_made: "gave somebody an administrator's account",
  portal_signed_up: "signed up with Xero",
  xero_connected: "connected Xero",
  xero_organisation_chosen: "chose a Xero organisation",
  xero_import_begun: "began an import from Xero",
  xero_disconnected: "disconnected Xero",
  off_boarding_begun: "began to give the portal up",
  user_erased: "erased a person",
  user_changed: "changed a user",
};

const FIELDS: Record<string, string> = {
  email: "Email",
  first_name: "First name",
  last_name: "Last name",
  external_id: "External ID",
  status: "Status",
  role: "Role",
  roles: "Roles",
  group: "Group",
  group_ids: "Groups",
  manager: "Manager",
  manager_ids: "Managers",
};

/** A standard field as people read it; one of the portal's own by its name. */
export const fieldName = (field: string) => FIELDS[field] ?? field;
