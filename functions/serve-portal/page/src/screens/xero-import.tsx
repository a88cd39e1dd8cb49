// Xero: whom it has, who of them can be imported, and the import.

import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import type { Schemas, Upload } from "../api";
import { Frame } from "../frame";
import { useAround, useDeed, useGo, useLoaded, useTitle } from "../loading";
import { Heading, Notice, Nothing, Table, Trouble, Waiting } from "../parts";
import { ofPortal } from "../place";
import { number, several } from "../words";
import type { About } from "./xero-overview";

type Preview = Schemas["XeroPreview"];
type Person = Schemas["XeroPerson"];

export function XeroImport({ portal }: { portal: string }) {
  const path = `/portals/${portal}/xero`;
  const found = useLoaded(async (api) => {
    const [preview, about] = await Promise.all([api.get<Preview>(`${path}/preview`), api.get<About>(path)]);
    return { preview, about };
  }, path);
  useTitle("Import from Xero");
  return (
    <Frame portal={portal}>
      <p>
        <a href={ofPortal(portal, "/xero")}>← Xero</a>
      </p>
      {found.value ? (
        <Choice portal={portal} preview={found.value.preview} courses={found.value.about.courses} />
      ) : (
        <>
          <Heading title="Import users from Xero" />
          <Waiting trouble={found.trouble} again={found.again} />
        </>
      )}
    </Frame>
  );
}

/** As many as an import can name. */
const MAX_CHOSEN = 1_000;

interface ChoiceProps {
  portal: string;
  preview: Preview;
  courses: Schemas["Course"][];
}

function Choice({ portal, preview, courses }: ChoiceProps) {
  const { api } = useAround();
  const go = useGo();
  const deed = useDeed();
  const [left, setLeft] = useState<Set<string>>(new Set());
  const [assign, setAssign] = useState(true);
  const { to_import, already_users, cannot_import, outside_places } = preview;
  const chosen = to_import.filter(({ employee_id }) => employee_id && !left.has(employee_id));
  // Whoever is a user already is assigned the courses too.
  const learners = assign && courses.length > 0 ? already_users : [];
  // Those who were looked at, and nobody whom Xero has got since.
  const ids = [...chosen, ...learners].flatMap(({ employee_id }) => employee_id ?? []);
  const possible = chosen.length > 0 || learners.length > 0;
  const toggle = (id: string) => {
    const next = new Set(left);
    if (!next.delete(id)) next.add(id);
    setLeft(next);
  };
  const begin = (event: Event) => {
    event.preventDefault();
    void deed.run(async () => {
      const body: Schemas["ImportBody"] = { assign_courses: assign };
      if (ids.length > 0 && ids.length <= MAX_CHOSEN) body.employee_ids = ids;
      // Of more, those who are created are named.
      else if (left.size > 0) body.employee_ids = ids.slice(0, chosen.length);
      const upload = await api.post<Upload>(`/portals/${portal}/xero/import`, body);
      go(ofPortal(portal, `/uploads/${upload.upload_id}`));
    });
  };
  return (
    <form onSubmit={begin}>
      <Heading title="Import users from Xero">
        Whom {preview.organisation.name ?? "your organisation"} has in Xero. {preview.source_note}
      </Heading>
      {cannot_import.length > 0 && (
        <Notice
          tone="attention"
          title={`${several(cannot_import.length, "person", "people")} cannot be imported. See below why.`}
        />
      )}
      {to_import.length > 0 ? (
        <>
          <h2>To be imported ({number(chosen.length)})</h2>
          <People
            label="To be imported"
            people={to_import}
            before={(person) => (
              <input
                type="checkbox"
                aria-label={`Import ${person.first_name} ${person.last_name}`}
                checked={person.employee_id !== null && !left.has(person.employee_id)}
                onChange={() => person.employee_id && toggle(person.employee_id)}
              />
            )}
          />
        </>
      ) : (
        <Nothing title="There is nobody to import.">
          <p>Everybody who can be imported is a user already.</p>
        </Nothing>
      )}
      {cannot_import.length > 0 && (
        <section class="cannot">
          <h2>Cannot be imported ({number(cannot_import.length)})</h2>
          <People
            label="Cannot be imported"
            people={cannot_import}
            after={["Why", (person) => person.problems.map(({ message }) => message).join(" ")]}
          />
        </section>
      )}
      {outside_places.length > 0 && (
        <>
          <h2>No place left ({number(outside_places.length)})</h2>
          <p>
            {several(preview.places_left, "place is", "places are")} left of those for people from Xero. Send more people
            in a CSV file, by the data feed; or ask Go1.
          </p>
          <People label="No place left" people={outside_places} />
        </>
      )}
      {already_users.length > 0 && (
        <details>
          <summary>Users already ({number(already_users.length)})</summary>
          <p>They stay as they are.</p>
          <People label="Users already" people={already_users} />
        </details>
      )}
      {courses.length > 0 && (
        <fieldset>
          <legend>Courses</legend>
          <label>
            <input
              type="checkbox"
              role="switch"
              checked={assign}
              onChange={(event) => setAssign(event.currentTarget.checked)}
            />
            Assign the {number(courses.length)} free courses
          </label>
          <p class="quiet">{courses.map(({ title }) => title).join(" · ")}</p>
        </fieldset>
      )}
      <Trouble of={deed.trouble} />
      <div class="actions">
        <button type="submit" aria-busy={deed.busy} disabled={deed.busy || !possible}>
          {imports(chosen.length, learners.length)}
        </button>
      </div>
    </form>
  );
}

function imports(chosen: number, learners: number): string {
  if (chosen > 0) return `Import ${several(chosen, "user", "users")}`;
  return learners > 0 ? `Assign the courses to ${several(learners, "user", "users")}` : "Nobody is chosen";
}

interface PeopleProps<P extends Person> {
  label: string;
  people: P[];
  before?: (person: P) => ComponentChildren;
  after?: [string, (person: P) => ComponentChildren];
}

function People<P extends Person>({ label, people, before, after }: PeopleProps<P>) {
  const head = [...(before ? [<span class="sr-only">Import</span>] : []), "Name", "Email", ...(after ? [after[0]] : [])];
  return (
    <Table label={label} head={head}>
      {people.map((person) => (
        <tr>
          {before && <td class="tick">{before(person)}</td>}
          <th scope="row">
            {person.first_name} {person.last_name}
          </th>
          <td>{person.email || <span class="quiet">none</span>}</td>
          {after && <td>{after[1](person)}</td>}
        </tr>
      ))}
    </Table>
  );
}
