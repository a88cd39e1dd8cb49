// For Go1 staff: every portal, and how its feed does.

import { useState } from "preact/hooks";
import { useLocation } from "preact-iso";
import type { Schemas } from "../api";
import { Frame } from "../frame";
import { useAround, useList, useTitle } from "../loading";
import { Badge, Heading, More, Nothing, Notice, Table, Trouble, UploadState, Waiting } from "../parts";
import { ofPortal } from "../place";
import { ago, moment, several } from "../words";

type Listed = Schemas["ListedPortal"];

export function Portals() {
  const { person } = useAround();
  useTitle("Portals");
  return (
    <Frame>
      {person.operator ? (
        <List />
      ) : (
        <Notice tone="attention" title="This is for Go1 staff.">
          <p>{person.portal && <a href={ofPortal(person.portal)}>Go to your portal</a>}</p>
        </Notice>
      )}
    </Frame>
  );
}

function List() {
  const portals = useList<Listed>("/portals?limit=100");
  const { route } = useLocation();
  const [number, setNumber] = useState("");
  const items = portals.value?.items;
  return (
    <>
      <Heading title="Portals">Every portal, and how its feed does.</Heading>
      <form
        role="search"
        onSubmit={(event) => {
          event.preventDefault();
          route(ofPortal(number.trim()));
        }}
      >
        <input
          type="search"
          inputMode="numeric"
          pattern="\s*[1-9][0-9]{0,11}\s*"
          title="A portal's number has up to 12 digits."
          required
          aria-label="Portal number"
          placeholder="Portal number"
          value={number}
          onInput={(event) => setNumber(event.currentTarget.value)}
        />
        <button type="submit">Go to it</button>
      </form>
      {!items && <Waiting trouble={portals.trouble} again={portals.again} />}
      {items?.length === 0 && <Nothing title="No portal has been set up yet." />}
      {items && items.length > 0 && (
        <>
          <Table label="Portals" head={["Portal", "Country", "Feed", "Last file", "Wants attention"]}>
            {items.map((portal) => (
              <tr>
                <th scope="row">
                  <a href={ofPortal(portal.portal_id)}>{portal.name}</a> <span class="quiet">{portal.portal_id}</span>
                </th>
                <td>{portal.country}</td>
                <td>{feed(portal)}</td>
                <td>
                  {portal.last_file ? (
                    <>
                      <a href={ofPortal(portal.portal_id, `/uploads/${portal.last_file.upload_id}`)}>
                        {moment(portal.last_file.received_at)}
                      </a>{" "}
                      <UploadState of={portal.last_file.status} />
                    </>
                  ) : (
                    <span class="quiet">none</span>
                  )}
                </td>
                <td>
                  <Wants portal={portal} />
                </td>
              </tr>
            ))}
          </Table>
          <Trouble of={portals.trouble} again={portals.again} />
          <More of={portals} />
        </>
      )}
    </>
  );
}

function feed({ authorised, mapping_version }: Listed): string {
  if (!authorised) return "Not authorised";
  return mapping_version === null ? "Not mapped" : `Mapping version ${mapping_version}`;
}

function Wants({ portal: { portal_id, held, overdue_since, off_boarding_since } }: { portal: Listed }) {
  return (
    <>
      {held && (
        <a href={ofPortal(portal_id, `/uploads/${held.upload_id}`)}>
          <Badge tone="attention">{several(held.disables + held.creates, "person held", "people held")}</Badge>
        </a>
      )}{" "}
      {overdue_since && <Badge tone="attention">Overdue, {ago(overdue_since)}</Badge>}{" "}
      {off_boarding_since && <Badge tone="bad">Being given up</Badge>}
    </>
  );
}
