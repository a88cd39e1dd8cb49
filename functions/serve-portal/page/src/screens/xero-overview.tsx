// Xero: connect, choose the organisation, and what has been imported so far.

import { useState } from "preact/hooks";
import type { PageOf, Schemas } from "../api";
import { Frame } from "../frame";
import { type Loaded, useAround, useDeed, useLoaded, usePoll, useTitle } from "../loading";
import { Figure, Heading, Notice, Nothing, Trouble, UploadState, Waiting } from "../parts";
import { ofPortal } from "../place";
import { isRunning, moment, number } from "../words";

export type About = Schemas["XeroOverview"];

const POLL_MS = 3000;

export function XeroOverview({ portal }: { portal: string }) {
  const path = `/portals/${portal}/xero`;
  const about = useLoaded((api) => api.get<About>(path), path);
  const value = about.value;
  usePoll(about, value && (value.state === "importing" || value.giving_back) ? POLL_MS : null);
  useTitle("Xero");
  return (
    <Frame portal={portal}>
      <Heading title="Xero">
        Import your people from Xero whenever you like, and assign them your free courses. Nothing runs by itself. Of each
        person Go1 reads first name, last name, email address, Xero's own number for them, and whether they are employed;
        of your organisation name, country and Xero's number.
      </Heading>
      {value ? (
        <>
          <Trouble of={about.trouble} again={about.again} />
          <Shown portal={portal} about={value} loaded={about} />
        </>
      ) : (
        <NoXero trouble={about.trouble} again={about.again} />
      )}
    </Frame>
  );
}

/** While there is no answer, or where Xero is not offered. */
export function NoXero({ trouble, again }: Pick<Loaded<About>, "trouble" | "again">) {
  if (trouble?.code !== "xero_not_offered") return <Waiting trouble={trouble} again={again} />;
  return (
    <Nothing title="The import from Xero is not offered in your portal.">
      <p>Ask Go1 if you would like to have it. Until then, send your people in a CSV file by the data feed.</p>
    </Nothing>
  );
}

interface ShownProps {
  portal: string;
  about: About;
  loaded: Loaded<About>;
}

function Shown({ portal, about, loaded }: ShownProps) {
  const last = about.last_import;
  return (
    <>
      {!about.xero_answers && (
        <Notice tone="attention" title="Xero does not answer at the moment.">
          <p>What is shown here was known before. Try again in a few minutes.</p>
        </Notice>
      )}
      <State portal={portal} about={about} loaded={loaded} />
      <h2>So far</h2>
      <dl class="figures">
        <Figure name="Imported" value={number(about.imported)} />
        <Figure name={`Places left of ${number(about.places)} in all`} value={number(about.places_left)} />
      </dl>
      {last && (
        <a class="card" href={ofPortal(portal, `/uploads/${last.upload_id}`)}>
          <strong>Latest import</strong>
          <UploadState of={last} />
          {last.finished_at && <span>{moment(last.finished_at)}</span>}
        </a>
      )}
      {about.courses.length > 0 && (
        <>
          <h2>Your {number(about.courses.length)} free courses</h2>
          <ol>
            {about.courses.map(({ title }) => (
              <li>{title}</li>
            ))}
          </ol>
        </>
      )}
    </>
  );
}

function State({ portal, about, loaded }: ShownProps) {
  switch (about.state) {
    case "not_connected":
      return (
        <section class="panel">
          <h2>{about.imported > 0 ? "Import again" : "Connect your Xero organisation"}</h2>
          <p>
            You will sign in to Xero and allow Go1 access to one organisation. It works for companies in Australia and
            the United States. The connection ends when the import has finished, or after a day; to import again, connect
            again.
          </p>
          <Connect portal={portal} name="Connect to Xero" />
        </section>
      );
    case "reconnect_needed":
      return (
        <Notice tone="attention" title="Xero does not take the connection any more.">
          <p>It was removed there, or has expired. Whoever was imported stays. Connect again to import more people.</p>
          <Connect portal={portal} name="Connect again" />
        </Notice>
      );
    case "organisation_not_chosen":
      return <Choose portal={portal} chosen={loaded.again} />;
    case "importing":
      return (
        <Notice tone="running" title="An import is running.">
          {about.last_import && isRunning(about.last_import) && (
            <p>
              <a href={ofPortal(portal, `/uploads/${about.last_import.upload_id}`)}>Look how far it has come</a>
            </p>
          )}
        </Notice>
      );
    case "connected":
      return (
        <section class="panel">
          <h2>Connected with {about.organisation?.name ?? "your Xero organisation"}</h2>
          <p>
            Look at whom Xero has, then import them.
            {about.connected_until &&
              ` If nobody is imported, the connection ends ${moment(about.connected_until)}.`}
          </p>
          <a role="button" href={ofPortal(portal, "/xero/import")}>
            Import users from Xero
          </a>
        </section>
      );
  }
}

function Connect({ portal, name }: { portal: string; name: string }) {
  const { api } = useAround();
  const deed = useDeed();
  const connect = () =>
    deed.run(async () => {
      const { authorise_url } = await api.post<Schemas["AuthoriseUrl"]>(`/portals/${portal}/xero/connection`);
      location.assign(authorise_url);
    });
  return (
    <>
      <Trouble of={deed.trouble} />
      <button type="button" aria-busy={deed.busy} disabled={deed.busy} onClick={() => void connect()}>
        {name}
      </button>
    </>
  );
}

function Choose({ portal, chosen }: { portal: string; chosen: () => Promise<void> }) {
  const { api } = useAround();
  const path = `/portals/${portal}/xero/organisations`;
  const list = useLoaded((api) => api.get<PageOf<Schemas["ListedXeroOrganisation"]>>(path), path);
  const deed = useDeed();
  const [picked, setPicked] = useState<string | null>(null);
  if (!list.value) return <Waiting trouble={list.trouble} again={list.again} />;
  const { items } = list.value;
  const tenant_id = picked ?? items.find(({ suggested }) => suggested)?.tenant_id ?? items[0]?.tenant_id;
  const choose = (event: Event) => {
    event.preventDefault();
    void deed.run(async () => {
      await api.put(`/portals/${portal}/xero/organisation`, { tenant_id });
      await chosen();
    });
  };
  return (
    <form class="panel" onSubmit={choose}>
      <h2>Choose the organisation</h2>
      <fieldset>
        <legend>Whose employees are to be imported?</legend>
        {items.map((organisation) => (
          <label>
            <input
              type="radio"
              name="organisation"
              checked={organisation.tenant_id === tenant_id}
              onChange={() => setPicked(organisation.tenant_id)}
            />
            {organisation.name ?? organisation.tenant_id}
            {organisation.suggested && <span class="quiet"> (you allowed it just now)</span>}
          </label>
        ))}
      </fieldset>
      <Trouble of={deed.trouble} />
      <button type="submit" aria-busy={deed.busy} disabled={deed.busy || tenant_id === undefined}>
        Use this organisation
      </button>
    </form>
  );
}
