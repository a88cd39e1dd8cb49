// Columns of a sample, matched to Go1 fields, and how its first rows would arrive. Nothing here asks the API.

import { useState } from "preact/hooks";
import type { Field, Inspection, Mapping, Portal, Schemas } from "./api";
import type { Deed } from "./loading";
import { Heading, Notice, Table, Trouble } from "./parts";
import { arrival, type Row } from "./sample";
import { held as heldPeople } from "./words";

/** A sample, and what the API says of it. */
export interface Sample {
  name: string;
  inspection: Inspection;
  rows: Row[];
}

export type Matched = Schemas["MappingBody"];

interface MatchingProps {
  fields: Field[];
  sample: Sample;
  /** The mapping in use, or that was in use before a reset: its choices are offered again. */
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

export function Matching({ fields, sample, before, held, saving, done, back }: MatchingProps) {
  const { columns, suggested, problems } = sample.inspection;
  const [column, setColumn] = useState<Record<string, string>>(() =>
    Object.fromEntries(suggested.map(({ field, column }) => [field, column])),
  );
  const [clears, setClears] = useState<Record<string, boolean>>(() =>
    Object.fromEntries((before?.fields ?? []).map(({ field, on_empty }) => [field, on_empty === "clear"])),
  );
  const [autoDisable, setAutoDisable] = useState(before?.auto_disable ?? false);
  const [asked, setAsked] = useState(false);

  const hasExternalId = fields.some(({ name }) => name === "external_id");
  // Go1 may have taken external IDs away since.
  const identityBefore = hasExternalId ? before?.identity : undefined;
  const [identity, setIdentity] = useState<Schemas["IdentifyBy"]>(identityBefore ?? "email");
  const byExternalId = identity === "external_id";
  // It means something as the identity only.
  const offered = fields.filter(({ name }) => name !== "external_id" || byExternalId);
  const isRequired = (field: Field) => field.required || field.name === "external_id";
  const missing = offered.filter((field) => isRequired(field) && !column[field.name]);
  const matched = offered.filter(({ name }) => column[name]);
  const statusMatched = Boolean(column["status"]);
  const unused = columns.filter(({ name }) => !matched.some((field) => column[field.name] === name));

  const submit = (event: Event) => {
    event.preventDefault();
    setAsked(true);
    const first = missing[0];
    if (first) {
      document.getElementById(`field-${first.name}`)?.focus();
      return;
    }
    done({
      columns: columns.map(({ name }) => name),
      fields: matched.map((field) => ({
        field: field.name,
        column: column[field.name]!,
        ...(field.custom && clears[field.name] ? { on_empty: "clear" as const } : {}),
      })),
      identity,
      auto_disable: autoDisable && !statusMatched,
    });
  };

  return (
    <form onSubmit={submit} noValidate>
      <Heading title="Match your columns">
        Choose for each Go1 field the column of {sample.name} that has it. We have filled in what we recognised.
      </Heading>
      {problems.length > 0 && (
        <Notice tone="attention" title="We noticed something in your sample.">
          <ul>
            {problems.map((problem) => (
              <li>
                {problem.message}
              </li>
            ))}
          </ul>
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
      <section aria-label="Go1 fields">
        {offered.map((field) => (
          <FieldRow
            field={field}
            required={isRequired(field)}
            wanted={asked && isRequired(field) && !column[field.name]}
            columns={columns}
            chosen={column[field.name] ?? ""}
            choose={(name) => setColumn({ ...column, [field.name]: name })}
            clears={clears[field.name] ?? false}
            setClears={(to) => setClears({ ...clears, [field.name]: to })}
          />
        ))}
      </section>
      {unused.length > 0 && (
        <p class="quiet">
          Not used, which is fine: {unused.map(({ name }) => name || "a column without a name").join(", ")}.
        </p>
      )}
      <fieldset>
        <legend>Leavers</legend>
        {statusMatched ? (
          <p>
            The status column decides who is active. People who are missing from a file stay as they are. Leave Status
            unmatched if your file simply leaves out those who have left.
          </p>
        ) : (
          <>
            <label>
              <input
                type="checkbox"
                role="switch"
                checked={autoDisable}
                aria-describedby="auto-disable-help"
                onChange={(event) => setAutoDisable(event.currentTarget.checked)}
              />
              Auto-disable users
            </label>
            <p id="auto-disable-help" class="quiet">
              Users whom the feed manages are made inactive when a file does not have them any more, and active again
              when they come back. Recommended if each file has everybody; leave it off if a file has only changes. If a
              file would make unusually many people inactive, it waits for your approval.
            </p>
          </>
        )}
      </fieldset>
      {sample.rows.length > 0 && matched.length > 0 && (
        <>
          <h2>As the first rows would arrive</h2>
          <Table label="As the first rows would arrive" head={matched.map((field) => field.label)}>
            {sample.rows.map((row) => (
              <tr>
                {matched.map((field) => (
                  <Cell
                    of={arrival(field.name, row[column[field.name]!.trim()])}
                    required={isRequired(field)}
                    clears={clears[field.name] ?? false}
                  />
                ))}
              </tr>
            ))}
          </Table>
        </>
      )}
      <Dropped held={held} />
      <Trouble of={saving.trouble} />
      <div class="actions">
        <button type="button" class="secondary outline" disabled={saving.busy} onClick={back}>
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

interface FieldRowProps {
  field: Field;
  required: boolean;
  /** It is required, and Done was clicked without it. */
  wanted: boolean;
  columns: Inspection["columns"];
  chosen: string;
  choose: (column: string) => void;
  clears: boolean;
  setClears: (clears: boolean) => void;
}

function FieldRow({ field, required, wanted, columns, chosen, choose, clears, setClears }: FieldRowProps) {
  const id = `field-${field.name}`;
  const samples = columns.find(({ name }) => name === chosen)?.samples ?? [];
  const help = HELP[field.name];
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
          {samples.length > 0 ? `For example ${samples.join(", ")}` : chosen ? "" : help}
          {samples.length > 0 && help ? `. ${help}` : ""}
        </small>
        {field.custom && chosen && (
          <label class="small">
            <input type="checkbox" checked={clears} onChange={(event) => setClears(event.currentTarget.checked)} />
            An empty cell clears the value
          </label>
        )}
      </div>
    </div>
  );
}
