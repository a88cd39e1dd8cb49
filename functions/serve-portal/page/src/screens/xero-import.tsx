// Xero: whom it has, who of them can be imported, and the import.

import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import type { Schemas, Upload } from "../api";
import { Frame } from "../frame";
import { useAround, useDeed, useGo, useLoaded, useTitle } from "../loading";
import { Heading, Notice, Nothing, Table, Trouble } from "../parts";
import { ofPortal } from "../place";
import { number, several } from "../words";
import { type About, NoXero } from "./xero-overview";

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
          <NoXero trouble={found.trouble} again={found.again} />
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

const idsOf = (people: Person[]) => people.flatMap(({ employee_id }) => employee_id ?? []);

function Choice({ portal, preview, courses }: ChoiceProps) {
  const { api } = useAround();
  const go = useGo();
  const deed = useDeed();
  const { to_import, already_users, cannot_import, outside_places, places_left } = preview;
  const begun = idsOf(to_import);
  const [chosen, setChosen] = useState(new Set(begun));
  const [assign, setAssign] = useState(courses.length > 0);
  const [assignKnown, setAssignKnown] = useState(true);
  const isFull = chosen.size >= places_left;
  // Whoever is a user already is assigned the courses too, if that is wanted.
  const known = assign && assignKnown ? idsOf(already_users) : [];
  const isEverybody = known.length === already_users.length && begun.every((id) => chosen.has(id)) && chosen.size === begun.length;
  // Of too many to be named either everybody is meant, or those who come first: who is new, then who is known.
  const areNamed = !isEverybody || chosen.size + known.length <= MAX_CHOSEN;
  const learners = areNamed ? known.slice(0, MAX_CHOSEN - chosen.size) : known;
  const choose = (ids: string[]) => setChosen(new Set(ids));
  const toggle = (id: string) => {
    const next = new Set(chosen);
    if (!next.delete(id)) next.add(id);
    setChosen(next);
  };
  const tick = (person: Person) => {
    const id = person.employee_id;
    const isChosen = id !== null && chosen.has(id);
    return (
      <input
        type="checkbox"
        aria-label={`Import ${person.first_name} ${person.last_name}`}
        checked={isChosen}
        // Xero has no number for them, or there is no place left for them.
        disabled={id === null || (isFull && !isChosen)}
        onChange={() => id !== null && toggle(id)}
      />
    );
  };
  const begin = (event: Event) => {
    event.preventDefault();
    void deed.run(async () => {
      // Those who were looked at, and nobody whom Xero has got since.
      const body: Schemas["ImportBody"] = { assign_courses: assign };
      if (areNamed) body.employee_ids = [...chosen, ...learners];
      const upload = await api.post<Upload>(`/portals/${portal}/xero/import`, body);
      go(ofPortal(portal, `/uploads/${upload.upload_id}`));
    });
  };
  return (
    <form onSubmit={begin}>
      <Heading title="Import users from Xero">
        The people whom {preview.organisation.name ?? "your organisation"} has in Xero. {preview.source_note}
      </Heading>
      {cannot_import.length > 0 && (
        <Notice
          tone="attention"
          title={`${several(cannot_import.length, "person", "people")} cannot be imported. See below why.`}
        />
      )}
      {to_import.length > 0 ? (
        <>
          <h2>To be imported ({number(to_import.filter(({ employee_id }) => chosen.has(employee_id ?? "")).length)})</h2>
          <div class="beside choice">
            <button type="button" class="secondary outline small" onClick={() => choose(begun)}>
              Choose all
            </button>
            <button type="button" class="secondary outline small" onClick={() => choose([])}>
              Choose none
            </button>
          </div>
          <People label="To be imported" people={to_import} before={tick} />
        </>
      ) : (
        outside_places.length === 0 && (
          <Nothing title="There is nobody to import.">
            <p>Everybody who can be imported is a user already.</p>
          </Nothing>
        )
      )}
      {outside_places.length > 0 && (
        <>
          <h2>Without a place ({number(outside_places.filter(({ employee_id }) => !chosen.has(employee_id ?? "")).length)})</h2>
          <p>
            {places_left > 0
              ? `There is room for ${number(places_left)} more from Xero. Untick somebody above to choose one of these.`
              : "No more people can be imported from Xero."}{" "}
            Send more people in a CSV file, by the data feed; or ask Go1.
          </p>
          <People label="Without a place" people={outside_places} before={tick} />
        </>
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
      {already_users.length > 0 && (
        <details>
          <summary>Users already ({number(already_users.length)})</summary>
          <p>They are not changed{courses.length > 0 && "; whether they are assigned the courses too, you choose below"}.</p>
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
            Assign the {several(courses.length, "free course", "free courses")}
          </label>
          <p class="quiet">{courses.map(({ title }) => title).join(" · ")}</p>
          {already_users.length > 0 && (
            <label>
              <input
                type="checkbox"
                role="switch"
                disabled={!assign}
                checked={assign && assignKnown}
                onChange={(event) => setAssignKnown(event.currentTarget.checked)}
              />
              Also to the {several(already_users.length, "person who is a user", "people who are users")} already. Whoever
              is inactive is assigned nothing
            </label>
          )}
        </fieldset>
      )}
      <Trouble of={deed.trouble} />
      <div class="actions">
        <button type="submit" aria-busy={deed.busy} disabled={deed.busy || chosen.size + learners.length === 0}>
          {imports(chosen.size, assign ? chosen.size + learners.length : 0)}
        </button>
      </div>
    </form>
  );
}

/** What the import does, as its button says it. */
function imports(chosen: number, learners: number): string {
  const users = (count: number) => several(count, "user", "users");
  if (chosen === 0) return learners > 0 ? `Assign courses to ${users(learners)}` : "Nobody is chosen";
  if (learners === 0 || learners === chosen) return `Import ${users(chosen)}${learners > 0 ? ", assign courses" : ""}`;
  return `Import ${users(chosen)}, assign courses to ${number(learners)}`;
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
