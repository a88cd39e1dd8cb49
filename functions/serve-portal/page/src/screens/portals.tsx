// For Go1 staff: every portal, and how its feed does.

import { useState } from "preact/hooks";
import { useLocation } from "preact-iso";
import type { Schemas } from "../api";
import { Frame } from "../frame";
import { useAround, useList, useLooking, useTitle } from "../loading";
import { Badge, Heading, Looking, Nothing, Notice, Table, Trouble, UploadState, Waiting } from "../parts";
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
  const [typed, setTyped] = useState("");
  const [wanting, setWanting] = useState(false);
  const sought = typed.trim().toLowerCase();
  const items = portals.value?.items.filter(
    (portal) =>
      (portal.name.toLowerCase().includes(sought) || portal.portal_id.startsWith(sought)) &&
      (!wanting || wantsAttention(portal)),
  );
  const filter = sought || wanting ? `${wanting} ${sought}` : null;
  const { looking, stop, more } = useLooking(portals, filter, items?.length ?? 0, PAGE);
  return (
    <>
      <Heading title="Portals">Every portal, and how its feed does.</Heading>
      <form
        role="search"
        onSubmit={(event) => {
          event.preventDefault();
          if (NUMBER.test(sought)) route(ofPortal(sought));
        }}
      >
        <input
          type="search"
          aria-label="Name or number of a portal"
          placeholder="Name or number"
          value={typed}
          onInput={(event) => setTyped(event.currentTarget.value)}
        />
        <button type="submit" disabled={!NUMBER.test(sought)}>
          Go to it
        </button>
      </form>
      <label>
        <input
          type="checkbox"
          role="switch"
          checked={wanting}
          onChange={(event) => setWanting(event.currentTarget.checked)}
        />
        Only those that want attention
      </label>
      {!items && <Waiting trouble={portals.trouble} again={portals.again} />}
      {items?.length === 0 && !looking && !more.more && (
        <Nothing title={filter === null ? "No portal has been set up yet." : "No portal fits."} />
      )}
      {items && items.length > 0 && (
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
                    <a
                      class="when"
                      href={ofPortal(portal.portal_id, `/uploads/${portal.last_file.upload_id}`)}
                    >
                      {moment(portal.last_file.received_at)}
                    </a>{" "}
                    <UploadState of={portal.last_file} />
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
      )}
      {items && <Trouble of={portals.trouble} again={portals.again} />}
      <Looking of={looking} found={items?.length ?? 0} among="portals" stop={stop} more={more} />
    </>
  );
}

const PAGE = 100;
const NUMBER = /^[1-9]\d{0,11}$/;

/** A last file from which nobody was brought up to date. */
const isLost = ({ last_file }: Listed) => last_file?.status === "rejected" || last_file?.status === "failed";

function wantsAttention(portal: Listed): boolean {
  return isLost(portal) || portal.held !== null || portal.overdue_since !== null || portal.off_boarding_since !== null;
}

function feed({ authorised, mapping_version }: Listed): string {
  if (!authorised) return "Not authorised";
  return mapping_version === null ? "Not mapped" : `Mapping version ${mapping_version}`;
}

function Wants({ portal }: { portal: Listed }) {
  const { portal_id, held, last_file, overdue_since, off_boarding_since } = portal;
  return (
    <>
      {last_file && isLost(portal) && (
        <a href={ofPortal(portal_id, `/uploads/${last_file.upload_id}`)}>See why the last file was not applied</a>
      )}{" "}
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
