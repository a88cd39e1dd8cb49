// A sample file, as far as the page itself reads it: its first rows, and how they would arrive. The API reads it too,
// and says what its columns are and what is wrong with it; it never gives rows back.

import Papa from "papaparse";
import { type Portal, SAMPLE_BYTES, type Schemas } from "./api";

/** The first rows of a sample, each by its columns. */
export type Row = Record<string, string>;

export type Group = Portal["groups"][number];

/** How many rows the preview shows. */
const ROWS = 3;

export async function firstRows(sample: Blob): Promise<Row[]> {
  const text = await sample.slice(0, SAMPLE_BYTES).text();
  // Rows may end in any of three ways, also in the same file, as the API reads them.
  const { data } = Papa.parse<Row>(text.replace(/^\uFEFF/, "").replace(/\r\n?/g, "\n"), {
    header: true,
    preview: ROWS,
    skipEmptyLines: "greedy",
    delimiter: ",",
    newline: "\n",
    transformHeader: (name) => name.trim(),
  });
  return data;
}

/** A cell as it would arrive in a field. */
export type Arrival = { text: string } | { wrong: string } | { empty: true };

const ROLES: Schemas["Role"][] = ["Learner", "Manager", "Content administrator", "Administrator"];

/** What the feed makes of a cell. The API decides; this is for the eye, and only says what is plain to see. */
export function arrival(field: string, cell: string | undefined, groups: Group[]): Arrival {
  const value = cell?.trim() ?? "";
  if (value === "") return { empty: true };
  switch (field) {
    case "email":
      return /^[^\s@|,;]+@[^\s@|,;]+\.[^\s@|,;]+$/.test(value) ? { text: value } : { wrong: `${value}: no address` };
    case "status":
      if (value === "1") return { text: "Active" };
      return value === "0" ? { text: "Inactive" } : { wrong: `${value}: neither 1 nor 0` };
    case "role": {
      const roles = parts(value).map((part) => ROLES.find((role) => role.toLowerCase() === part.toLowerCase()) ?? part);
      const unknown = roles.find((role) => !(ROLES as string[]).includes(role));
      return unknown === undefined ? { text: roles.join(", ") } : { wrong: `${unknown}: no role` };
    }
    case "group": {
      let allKnown = true;
      const named = parts(value).map((part) => {
        const group = groups.find(({ id }) => /^\d+$/.test(part) && Number(part) === id);
        allKnown &&= group !== undefined;
        return group ? `${part} ${group.name}` : `${part}: no group`;
      });
      return allKnown ? { text: named.join(", ") } : { wrong: named.join(", ") };
    }
    case "manager":
      return { text: parts(value).join(", ") };
    default:
      return { text: value };
  }
}

const parts = (value: string) => value.split("|").map((part) => part.trim()).filter(Boolean);
