// Columns of a sample, matched to Go1 fields, and how its first rows would arrive. Nothing here asks the API.

import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import type { Field, Inspection, Mapping, Portal, Schemas } from "./api";
import { useStaying } from "./leaving";
import { type Deed } from "./loading";
import { Heading, Notice, Table, Trouble } from "./parts";
import { arrival, type Group, type Row } from "./sample";
import { held as heldPeople } from "./words";

/** A sample, and what the API says of it. */
export interface Sample {
  /** `null`: the mapping in use is changed, and there is no file to look at. */
  name: string | null;
  inspection: Inspection;
  rows: Row[];
}

export type Matched = Required<Pick<Schemas["MappingBody"], "columns" | "fields" | "identity" | "auto_disable">>;

interface MatchingProps {
  fields: Field[];
  groups: Group[];
  sample: Sample;
  /** The mapping in use, or that was in use before a reset: what it says is begun with. */
  before: Mapping | null;
  held: Portal["feed"]["held"];
  saving: Deed;
  done: (matched: Matched) => void;
  back: () => void;
}

const HELP: Record<string, string> = {
  status: "1 for active people, 0 for inactive ones.",
  role: "Learner, Manager, Content administrator or Administrator; several are separated by |.",
  group: "Numbers of Go1 groups, separated by |. People are added, never taken out.",
  manager: "Email addresses of the managers, separated by |.",
  external_id: "An identifier that stays when somebody's email address changes.",
};

const EMPTY: Record<string, string> = {
  status: "keeps it; new people are active",
  role: "keeps the roles; new people are learners",
  group: "adds to no group",
  manager: "keeps the managers",
};

/** Whether a row without it is not processed. An external ID is mapped only where people are recognised by it. */
const isRequired = (field: Field) => field.required || field.name === "external_id";

/** What an empty cell of a matched column does. */
export function onEmptyCell(field: Field, clears: boolean): string {
  if (isRequired(field)) return "the row is not processed";
  if (field.custom) return clears ? "clears the value" : "keeps the value";
  return EMPTY[field.name] ?? "keeps the value";
}

/** Columns are one and the same by this (docs/rules.md, "The file"). */
const columnKey = (name: string) => name.trim().toLowerCase();

/** The columns that a mapping knows of; one that was not made here may name only those that it uses. */
export function columnsOf({ columns, fields }: Mapping): string[] {
  const known = new Map([...columns, ...fields.map(({ column }) => column)].map((name) => [columnKey(name), name]));
  for (const name of columns) known.delete(columnKey(name));
  return [...columns, ...known.values()];
}

/** What is chosen at first: what was matched before, as this sample spells it; for the rest what was recognised. */
function begin(fields: Field[], { columns, suggested }: Inspection, before: Mapping | null): Map<string, string> {
  const chosen = new Map<string, string>();
  for (const { field, column } of before?.fields ?? []) {
    const there = columns.find(({ name }) => columnKey(name) === columnKey(column));
    if (there) chosen.set(field, there.name);
  }
  const known = new Set(before?.columns.map(columnKey));
  for (const { field: name, column } of suggested) {
    const field = fields.find((field) => field.name === name);
    // What was left out before, of a column that was there, stays out; and so does what would end auto-disable.
    const wasLeftOut = field && !field.custom && !field.required && known.has(columnKey(column));
    const ends = name === "status" && before?.auto_disable;
    if (!chosen.has(name) && !wasLeftOut && !ends) chosen.set(name, column);
  }
  return chosen;
}

/** What a change of the mapping or of the authorisation ends. */
export function Dropped({ held }: { held: Portal["feed"]["held"] }) {
  if (!held) return null;
  return (
    <p>
      <strong>A file waits for your decision now, and that ends with this:</strong> {heldPeople(held)} by it, and will
      not be, unless a later file says so again.
    </p>
  );
}

const LEAVE = "What you have matched is not saved. Leave without it?";

export function Matching({ fields, groups, sample, before, held, saving, done, back }: MatchingProps) {
  const { columns, suggested, problems } = sample.inspection;
  const [column, setColumn] = useState(() => begin(fields, sample.inspection, before));
  const [clears, setClears] = useState(
    () => new Set(before?.fields.filter(({ on_empty }) => on_empty === "clear").map(({ field }) => field)),
  );
  const [autoDisable, setAutoDisable] = useState(before?.auto_disable ?? false);
  const [asked, setAsked] = useState(false);

  const hasExternalId = fields.some(({ name }) => name === "external_id");
  const [identity, setIdentity] = useState<Schemas["IdentifyBy"]>((hasExternalId && before?.identity) || "email");
  const byExternalId = identity === "external_id";
  // It means something as the identity only.
  const offered = fields.filter(({ name }) => name !== "external_id" || byExternalId);
  const missing = offered.filter((field) => isRequired(field) && !column.get(field.name));
  const matched = offered.filter(({ name }) => column.get(name));
  const columnOf = (field: Field) => column.get(field.name) ?? "";
  const lost = before?.fields.filter(({ field }) => !matched.some(({ name }) => name === field)) ?? [];
  const label = (name: string) => fields.find((field) => field.name === name)?.label ?? name;
  const statusMatched = Boolean(column.get("status"));
  const likelyStatus = suggested.find(({ field }) => field === "status")?.column;
  const unused = columns.filter(({ name }) => !matched.some((field) => columnOf(field) === name));
  const choose = (field: string, name: string) => setColumn(new Map(column).set(field, name));
  const body: Matched = {
    columns: columns.map(({ name }) => name),
    fields: matched.map((field) => ({
      field: field.name,
      column: columnOf(field),
      ...(field.custom && clears.has(field.name) ? { on_empty: "clear" as const } : {}),
    })),
    identity,
    auto_disable: autoDisable && !statusMatched,
  };
  const [begun] = useState(JSON.stringify(body));
  const isChanged = JSON.stringify(body) !== begun;
  useStaying(isChanged && !saving.busy ? LEAVE : null);

  const submit = (event: Event) => {
    event.preventDefault();
    setAsked(true);
    const first = missing[0];
    if (first) {
      document.getElementById(`field-${first.name}`)?.focus();
      return;
    }
    done(body);
  };

  return (
    <form onSubmit={submit} noValidate>
      {sample.name === null ? (
        <Heading title="Change the matches">
          Choose for each Go1 field the column of your files that has it. One column can be chosen for several fields.
        </Heading>
      ) : (
        <Heading title="Match your columns">
          Choose for each Go1 field the column of {sample.name} that has it. One column can be chosen for several
          fields. We have filled in what {before ? "was matched before, and what we recognised" : "we recognised"}.
        </Heading>
      )}
      {problems.length > 0 && (
        <Notice tone="attention" title="We noticed something in your sample.">
          <ul>
            {problems.map((problem) => (
              <li>{problem.message}</li>
            ))}
          </ul>
        </Notice>
      )}
      {before?.identity === "external_id" && !hasExternalId && (
        <Notice tone="attention" title="People are recognised by their email address from now on.">
          <p>
            Until now they were by an external ID, which Go1 does not offer in your portal any more. Somebody whose email
            address changes then becomes a second user. Ask Go1 if that is not what you want.
          </p>
        </Notice>
      )}
      {hasExternalId && (
        <fieldset>
          <legend>How are people recognised?</legend>
          <label>
            <input type="radio" name="identity" checked={!byExternalId} onChange={() => setIdentity("email")} />
            By their email address
          </label>
          <label>
            <input type="radio" name="identity" checked={byExternalId} onChange={() => setIdentity("external_id")} />
            By an external ID, so that their email address can change
          </label>
        </fieldset>
      )}
      <div aria-live="polite">
        {missing.length > 0 ? (
          <Notice tone={asked ? "bad" : "attention"} title="Still to be matched:" inLive>
            <p>{missing.map((field) => field.label).join(", ")}</p>
          </Notice>
        ) : (
          <Notice tone="good" title="All required fields are matched." inLive />
        )}
      </div>
      <p>An empty cell keeps what is there. Where the field is required, its row is not processed.</p>
      <section aria-label="Go1 fields">
        {offered.map((field) => (
          <FieldRow
            field={field}
            wanted={asked && isRequired(field) && !columnOf(field)}
            columns={columns}
            chosen={columnOf(field)}
            choose={(name) => choose(field.name, name)}
          >
            {field.name === "group" && <Groups groups={groups} />}
            {field.custom && columnOf(field) && (
              <label class="small">
                <input
                  type="checkbox"
                  checked={clears.has(field.name)}
                  onChange={(event) => {
                    const next = new Set(clears);
                    if (event.currentTarget.checked) next.add(field.name);
                    else next.delete(field.name);
                    setClears(next);
                  }}
                />
                An empty cell clears the value
              </label>
            )}
            {field.name === "status" && (
              <Leavers
                on={autoDisable}
                set={setAutoDisable}
                wasOn={before?.auto_disable ?? false}
                statusMatched={statusMatched}
                likelyStatus={likelyStatus}
                unmatch={() => choose("status", "")}
              />
            )}
          </FieldRow>
        ))}
      </section>
      {unused.length > 0 && (
        <p class="quiet">
          Not used, which is fine: {unused.map(({ name }) => name || "a column without a name").join(", ")}.
        </p>
      )}
      {sample.rows.length > 0 && matched.length > 0 && (
        <>
          <h2>As the first rows would arrive</h2>
          <Table label="As the first rows would arrive" head={matched.map((field) => field.label)}>
            {sample.rows.map((row) => (
              <tr>
                {matched.map((field) => (
                  <Cell
                    of={arrival(field.name, row[columnOf(field).trim()], groups)}
                    required={isRequired(field)}
                    clears={clears.has(field.name)}
                  />
                ))}
              </tr>
            ))}
          </Table>
        </>
      )}
      <div aria-live="polite">
        {lost.length > 0 && (
          <Notice
            tone="attention"
            title={`Matched before, and now not: ${lost.map(({ field }) => label(field)).join(", ")}.`}
            inLive
          >
            <p>Files will not change these any more. What people have there stays as it is.</p>
          </Notice>
        )}
      </div>
      <Dropped held={held} />
      <Trouble of={saving.trouble} />
      <div class="actions">
        <button
          type="button"
          class="secondary outline"
          disabled={saving.busy}
          onClick={() => (!isChanged || confirm(LEAVE)) && back()}
        >
          Back
        </button>
        <button type="submit" aria-busy={saving.busy} disabled={saving.busy}>
          Done
        </button>
      </div>
    </form>
  );
}

function Cell({ of, required, clears }: { of: ReturnType<typeof arrival>; required: boolean; clears: boolean }) {
  if ("text" in of) return <td>{of.text}</td>;
  if ("wrong" in of) return <td class="wrong">{of.wrong}</td>;
  if (required) return <td class="wrong">missing</td>;
  return <td class="quiet">{clears ? "cleared" : "empty"}</td>;
}

interface LeaversProps {
  on: boolean;
  set: (on: boolean) => void;
  wasOn: boolean;
  statusMatched: boolean;
  likelyStatus: string | undefined;
  unmatch: () => void;
}

/** What becomes of people who are missing from a file. */
function Leavers({ on, set, wasOn, statusMatched, likelyStatus, unmatch }: LeaversProps) {
  if (statusMatched) {
    return (
      <div id="leavers" aria-live="polite">
        {wasOn && (
          <Notice tone="attention" title="Auto-disable was on, and goes off with Status." inLive>
            <button type="button" class="secondary outline small" onClick={unmatch}>
              Leave Status unmatched
            </button>
          </Notice>
        )}
        <small class="quiet">
          This column decides who is active. People who are missing from a file stay as they are. Leave Status unmatched
          if your file simply leaves out those who have left.
        </small>
      </div>
    );
  }
  return (
    <div id="leavers">
      <label class="small">
        <input
          type="checkbox"
          role="switch"
          checked={on}
          aria-describedby="auto-disable-help"
          onChange={(event) => set(event.currentTarget.checked)}
        />
        Auto-disable users
      </label>
      <small id="auto-disable-help" class="quiet">
        Users whom the feed manages are made inactive when a file does not have them any more, and active again when
        they come back. Recommended if each file has everybody; leave it off if a file has only changes. If a file would
        make unusually many people inactive, it waits for your approval.
        {wasOn && likelyStatus && ` Your sample has a column “${likelyStatus}”: matched to Status, it takes its place.`}
      </small>
    </div>
  );
}

/** More than these are folded up. */
const FEW = 8;

/** The numbers that a file's cells may have. */
function Groups({ groups }: { groups: Group[] }) {
  if (groups.length === 0) return <small class="quiet">Your portal has no groups yet. Ask Go1 to set them up.</small>;
  const listed = groups.map(({ id, name }) => `${id} ${name}`).join(", ");
  if (groups.length <= FEW) return <small class="quiet">Your groups: {listed}.</small>;
  return (
    <details class="small">
      <summary>Your {groups.length} groups</summary>
      <small>{listed}.</small>
    </details>
  );
}

interface FieldRowProps {
  field: Field;
  /** It is required, and Done was clicked without it. */
  wanted: boolean;
  columns: Inspection["columns"];
  chosen: string;
  choose: (column: string) => void;
  children: ComponentChildren;
}

function FieldRow({ field, wanted, columns, chosen, choose, children }: FieldRowProps) {
  const id = `field-${field.name}`;
  const required = isRequired(field);
  const samples = columns.find(({ name }) => name === chosen)?.samples ?? [];
  const help = field.custom ? undefined : HELP[field.name];
  return (
    <div class="field">
      <label for={id}>
        {field.label} {required && <span class="required">required</span>}
      </label>
      <div>
        <select
          id={id}
          value={chosen}
          required={required}
          aria-invalid={wanted ? "true" : undefined}
          aria-describedby={`${id}-help`}
          onChange={(event) => choose(event.currentTarget.value)}
        >
          <option value="">{required ? "Choose a column" : "Not matched"}</option>
          {columns.map(({ name }) => name && <option value={name}>{name}</option>)}
        </select>
        <small id={`${id}-help`}>
          {samples.length > 0 ? `For example ${samples.join(", ")}. ` : ""}
          {help}
        </small>
        {children}
      </div>
    </div>
  );
}
